/** READ, WRITE, FALLOCATE, LSEEK. WRITE is the hot path: it allocates next to nothing. */
import { EFBIG, EINVAL, ENXIO, ESTALE } from '../wire/errno.ts';
import { WRITE_KILL_SUIDGID } from '../wire/flags.ts';
import { FALLOCATE_IN, LSEEK_IN, READ_IN, WRITE_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Path } from '../../protocol/change.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';
import { withData } from './data-descriptor.ts';
import { dropBits, losesBits } from './privileges.ts';

const WRITE_OUT_BYTES = 8;
const LSEEK_OUT_BYTES = 8;
const ROOT_UID = 0;

export function read(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(READ_IN.bytes)) return ESTALE;
  const offset = request.u64(READ_IN.offset);
  const size = Math.min(request.u32(READ_IN.size), context.reply.room);
  // Beyond what a number can tell apart, there is nothing to read.
  if (!Number.isSafeInteger(offset + size)) return 0;
  return withData(context, node, false, () =>
    context.fs.read(node.fd, context.reply.payload(size), offset),
  );
}

export function write(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(WRITE_IN.bytes)) return ESTALE;
  const data = request.data(WRITE_IN.bytes, request.u32(WRITE_IN.size));
  const offset = request.u64(WRITE_IN.offset);
  if (data === undefined) return EINVAL;
  if (!Number.isSafeInteger(offset + data.length)) return EFBIG;
  const path = context.changePath(node);
  if (typeof path === 'number' && path < 0) return path;
  const killsBits = (request.u32(WRITE_IN.flags) & WRITE_KILL_SUIDGID) !== 0;

  context.sink.enter();
  const kept = killsBits && losesBits(node.mode) ? dropBits(context, node, path) : 0;
  const written = kept < 0 ? kept : writeNow(context, node, { path, offset, data });
  const seq = context.sink.last();
  context.sink.leave();
  if (written < 0) return written;
  context.reply.u32(0, written);
  context.reply.u32(4, 0);
  return context.answer(request, WRITE_OUT_BYTES, seq);
}

interface Write {
  readonly path: Path | number;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** The store may take less than all, when it gets full: the stream has what it took. */
function writeNow(context: Context, node: FileNode, { path, offset, data }: Write): number {
  const refused = context.recordContent(node, path, offset + data.length);
  if (refused < 0) return refused;
  const written =
    node.isWritable && node.opens > 0
      ? context.fs.write(node.fd, data, offset)
      : withData(context, node, true, () => context.fs.write(node.fd, data, offset));
  if (written > 0 && typeof path !== 'number') {
    const taken = written === data.length ? data : data.subarray(0, written);
    context.sink.append({ type: 'write', path, offset, data: taken });
  }
  return written;
}

export function fallocate(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(FALLOCATE_IN.bytes)) return ESTALE;
  const mode = request.u32(FALLOCATE_IN.mode);
  const offset = request.u64(FALLOCATE_IN.offset);
  const length = request.u64(FALLOCATE_IN.length);
  if (!Number.isSafeInteger(offset + length)) return EFBIG;
  return context.mutate(request, () => {
    const path = context.changePath(node);
    if (typeof path === 'number' && path < 0) return path;
    const failed = withData(context, node, true, () =>
      allocateNow(context, node, { path, mode, offset, length }),
    );
    // The request does not say whether the caller has the privilege; root is taken to have it.
    // What cannot be allocated changes nothing, so this comes last.
    return failed < 0 || request.uid === ROOT_UID ? failed : dropBits(context, node, path);
  });
}

interface Allocation {
  readonly path: Path | number;
  readonly mode: number;
  readonly offset: number;
  readonly length: number;
}

function allocateNow(context: Context, node: FileNode, allocation: Allocation): number {
  const { path, mode, offset, length } = allocation;
  const unknown = context.statNode(node);
  if (unknown < 0) return unknown;
  const sizeBefore = context.stat.size;
  const refused = context.recordContent(node, path, Math.max(sizeBefore, offset + length));
  if (refused < 0) return refused;
  const failed = context.fs.allocate(node.fd, mode, offset, length);
  if (failed === 0) {
    context.append(path, (name) => ({ type: 'allocate', path: name, mode, offset, length }));
    return 0;
  }
  // A full disk can leave the file longer than it was, with nothing but zeros at its end.
  if (context.statNode(node) === 0 && context.stat.size !== sizeBefore) {
    const { size } = context.stat;
    context.append(path, (name) => ({ type: 'truncate', path: name, size }));
  }
  return failed;
}

export function lseek(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(LSEEK_IN.bytes)) return ESTALE;
  const offset = request.u64(LSEEK_IN.offset);
  if (!Number.isSafeInteger(offset)) return ENXIO;
  return withData(context, node, false, () => {
    const found = context.fs.seek(node.fd, offset, request.u32(LSEEK_IN.whence));
    if (found < 0) return found;
    context.reply.u64(0, found);
    return LSEEK_OUT_BYTES;
  });
}
