/** LOOKUP, FORGET, BATCH_FORGET, READLINK: which names there are, and which nodes are in use. */
import { BATCH_FORGET_IN, FORGET_IN, FORGET_ONE, IN_HEADER_BYTES } from '../wire/layout.ts';
import { EINVAL, ENOENT, ESTALE, EXDEV } from '../wire/errno.ts';
import { putEntry, putNegativeEntry } from '../wire/encode.ts';
import type { Request } from '../wire/request.ts';
import { ANSWERED, type Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';

export function lookup(context: Context, request: Request): Outcome {
  const parent = context.nodes.get(request.nodeId);
  const name = request.name(IN_HEADER_BYTES);
  if (parent === undefined || name === undefined) return ESTALE;
  const path = context.childPath(parent.id, name);
  if (typeof path === 'number') return path;
  const failed = context.fs.stat(context.root, path, context.stat);
  if (failed === ENOENT) return putNegativeEntry(context.reply);
  if (failed < 0) return failed;
  // A mirror is one file system: what is mounted or split off below it is not part of it.
  if (context.stat.volume !== context.volume) return EXDEV;
  const node = context.nodes.enter(parent, name, context.stat);
  node.lookups += 1;
  return putEntry(context.reply, 0, node.id, context.stat);
}

export function forget(context: Context, request: Request): Outcome {
  if (request.has(FORGET_IN.bytes)) {
    context.nodes.forget(request.nodeId, request.u64(FORGET_IN.lookups));
  }
  return ANSWERED;
}

export function batchForget(context: Context, request: Request): Outcome {
  if (!request.has(BATCH_FORGET_IN.bytes)) return ANSWERED;
  const count = request.u32(BATCH_FORGET_IN.count);
  let at: number = BATCH_FORGET_IN.bytes;
  for (let i = 0; i < count && request.has(at + FORGET_ONE.bytes); i += 1) {
    context.nodes.forget(request.u64(at + FORGET_ONE.nodeId), request.u64(at + FORGET_ONE.lookups));
    at += FORGET_ONE.bytes;
  }
  return ANSWERED;
}

export function readlink(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined) return ESTALE;
  const target = context.fs.readlink(context.at(node), context.where(node));
  if (typeof target === 'number') return target;
  if (target.length > context.reply.room) return EINVAL;
  context.reply.bytes(0, target);
  return target.length;
}
