/** Changing the size of a file: O_TRUNC, truncate(2), ftruncate(2). */
import type { Request } from '../wire/request.ts';
import { EFBIG } from '../wire/errno.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';
import { withData } from './data-descriptor.ts';
import { dropBits } from './privileges.ts';

export interface Truncation {
  readonly node: FileNode;
  readonly size: number;
  /** Whether the caller lacks the privilege to keep set-id bits. */
  readonly killsBits: boolean;
}

/** Truncates as one mutation; `reply` writes the payload of its answer. */
export function truncate(
  context: Context,
  request: Request,
  change: Truncation,
  reply: () => Outcome,
): Outcome {
  return context.mutate(request, () => {
    const failed = truncateNow(context, change);
    return failed < 0 ? failed : reply();
  });
}

/** Called in the stream's order. */
export function truncateNow(context: Context, { node, size, killsBits }: Truncation): number {
  if (!Number.isSafeInteger(size)) return EFBIG;
  const path = context.changePath(node);
  if (typeof path === 'number' && path < 0) return path;
  const unprivileged = killsBits ? dropBits(context, node, path) : 0;
  if (unprivileged < 0) return unprivileged;
  const refused = context.recordContent(node, path, size);
  if (refused < 0) return refused;
  const failed = withData(context, node, true, () => context.fs.truncateFd(node.fd, size));
  if (failed < 0) return failed;
  context.append(path, (name) => ({ type: 'truncate', path: name, size }));
  return 0;
}
