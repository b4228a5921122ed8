/**
 * OPEN and RELEASE, and the descriptors behind them.
 *
 * All open files of one inode share one descriptor on the store, opened for reading and writing
 * where that is possible: the kernel checks what each program may do, and the limit of descriptors
 * is then one for files in use, not for openings. Flags such as O_APPEND, O_SYNC and O_DIRECT stay
 * with the kernel, which sends offsets and FSYNC requests accordingly.
 */
import { EACCES, EPERM, EROFS, ESTALE, ETXTBSY } from '../wire/errno.ts';
import { putOpenOut } from '../wire/encode.ts';
import {
  FOPEN_KEEP_CACHE,
  O_ACCMODE,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  OPEN_KILL_SUIDGID,
} from '../wire/flags.ts';
import { OPEN_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Context, Outcome } from './context.ts';
import { type FileNode, NO_FD } from './file-node.ts';
import { truncate } from './truncate.ts';

export function open(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(OPEN_IN.bytes)) return ESTALE;
  const flags = request.u32(OPEN_IN.flags);
  const truncates = (flags & O_TRUNC) !== 0;
  const failed = openData(context, node, truncates || (flags & O_ACCMODE) !== O_RDONLY);
  if (failed < 0) return failed;
  if (!truncates) return opened(context, node, 0);
  const killsBits = (request.u32(OPEN_IN.openFlags) & OPEN_KILL_SUIDGID) !== 0;
  const outcome = truncate(context, request, { node, size: 0, killsBits }, () =>
    opened(context, node, 0),
  );
  if (outcome < 0 && node.opens === 0) context.nodes.closeData(node);
  return outcome;
}

/** Counts one more open file, and writes the fuse_open_out; returns the length of the payload. */
export function opened(context: Context, node: FileNode, at: number): number {
  node.opens += 1;
  return at + putOpenOut(context.reply, at, node.id, FOPEN_KEEP_CACHE);
}

export function release(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || node.opens === 0) return 0;
  node.opens -= 1;
  if (node.opens === 0) {
    context.nodes.closeData(node);
    context.nodes.dropIfUnused(node);
  }
  return 0;
}

/** Sees to it that `node.fd` can be used, for writing if so asked. 0, or a negated error number. */
export function openData(context: Context, node: FileNode, forWriting: boolean): number {
  if (node.fd !== NO_FD && (node.isWritable || !forWriting)) return 0;
  const [at, path] = [context.at(node), context.where(node)];
  let isWritable = true;
  let fd = context.fs.open(at, path, O_RDWR, 0);
  if (fd < 0 && !forWriting && isRefusedForWriting(fd)) {
    isWritable = false;
    fd = context.fs.open(at, path, O_RDONLY, 0);
  }
  if (fd < 0) return fd;
  if (node.fd !== NO_FD) node.retired.push(node.fd);
  node.fd = fd;
  node.isWritable = isWritable;
  return 0;
}

/**
 * Calls `use` with the node's descriptor, opened for this once when no file is open: data that was
 * written through a mapping may arrive late.
 */
export function withData(
  context: Context,
  node: FileNode,
  forWriting: boolean,
  use: () => Outcome,
): Outcome {
  const failed = openData(context, node, forWriting);
  if (failed < 0) return failed;
  const outcome = use();
  if (node.opens === 0) context.nodes.closeData(node);
  return outcome;
}

/** Of an immutable file, a read-only store, a program that runs from the store. */
function isRefusedForWriting(error: number): boolean {
  return error === EPERM || error === EACCES || error === EROFS || error === ETXTBSY;
}
