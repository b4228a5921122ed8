/**
 * The descriptors behind open files. All open files of one inode share one descriptor on the store,
 * opened for reading and writing where that is possible: the kernel checks what each program may
 * do, and the limit of descriptors is then one for files in use, not for openings.
 */
import { EACCES, EPERM, EROFS, ETXTBSY } from '../wire/errno.ts';
import { O_RDONLY, O_RDWR } from '../wire/flags.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import { type FileNode, NO_FD } from './file-node.ts';

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
