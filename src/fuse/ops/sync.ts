/**
 * FSYNC and FSYNCDIR. The kernel also sends FSYNC for msync(2) and behind every write to a file
 * that is open with O_SYNC or O_DSYNC.
 */
import type { Fd } from '../../ports/file-system.ts';
import { EBADF, ESTALE } from '../wire/errno.ts';
import { FSYNC_DATA_ONLY } from '../wire/flags.ts';
import { FSYNC_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import { ANSWERED, type Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import { type FileNode, NO_FD } from './file-node.ts';

export function fsync(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(FSYNC_IN.bytes)) return ESTALE;
  return sync(context, request, node, node.fd);
}

export function fsyncdir(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(FSYNC_IN.bytes)) return ESTALE;
  const directory = context.directories.get(request.u64(FSYNC_IN.handle));
  return sync(context, request, node, directory?.fd ?? NO_FD);
}

/**
 * The descriptor stays open until the answer is out: the program that waits for it has the file
 * open, and the kernel sends RELEASE only when nobody has.
 */
function sync(context: Context, request: Request, node: FileNode, fd: Fd): Outcome {
  if (fd === NO_FD) return EBADF;
  const path = context.changePath(node);
  if (typeof path === 'number' && path < 0) return path;
  const dataOnly = (request.u32(FSYNC_IN.flags) & FSYNC_DATA_ONLY) !== 0;
  context.sink.enter();
  context.append(path, (name) => ({ type: 'sync', path: name, dataOnly }));
  const seq = context.sink.last();
  context.sink.leave();
  const length = context.reply.finish(request, 0, 0);
  context.sink.answerSync(context.reply.copy(length), seq, fd, dataOnly);
  return ANSWERED;
}
