/**
 * OPEN and RELEASE. Flags such as O_APPEND, O_SYNC and O_DIRECT stay with the kernel, which sends
 * offsets and FSYNC requests accordingly.
 */
import { ESTALE } from '../wire/errno.ts';
import { putOpenOut } from '../wire/encode.ts';
import {
  FOPEN_KEEP_CACHE,
  O_ACCMODE,
  O_RDONLY,
  O_TRUNC,
  OPEN_KILL_SUIDGID,
} from '../wire/flags.ts';
import { OPEN_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import { openData } from './data-descriptor.ts';
import type { FileNode } from './file-node.ts';
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
