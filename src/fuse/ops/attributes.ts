/** GETATTR and SETATTR. */
import type { Path, TimeSpec } from '../../protocol/change.ts';
import type { FileStat } from '../../ports/file-system.ts';
import { ESTALE } from '../wire/errno.ts';
import { putAttrOut } from '../wire/encode.ts';
import { FATTR, PERMISSION_BITS, S_IFLNK, S_IFMT, UTIME_NOW } from '../wire/flags.ts';
import { SETATTR_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';
import { truncateNow } from './truncate.ts';

const NOW: TimeSpec = { seconds: 0, nanoseconds: UTIME_NOW };

export function getattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined) return ESTALE;
  const failed = context.statNode(node);
  return failed < 0 ? failed : putAttrOut(context.reply, context.stat);
}

/** What a SETATTR asks for beside the size. */
interface Wanted {
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly accessed: TimeSpec | undefined;
  readonly modified: TimeSpec | undefined;
}

export function setattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(SETATTR_IN.bytes)) return ESTALE;
  const valid = request.u32(SETATTR_IN.valid);
  const wanted = readWanted(request, valid);
  return context.mutate(request, () => {
    const path = context.changePath(node);
    if (typeof path === 'number' && path < 0) return path;
    if ((valid & FATTR.size) !== 0) {
      const killsBits = (valid & FATTR.killSuidgid) !== 0;
      const size = request.u64(SETATTR_IN.size);
      const failed = truncateNow(context, { node, size, killsBits });
      if (failed < 0) return failed;
    }
    const refused = context.recordEntry(path);
    if (refused < 0) return refused;
    const failed = change(context, node, wanted);
    // What was changed before a failure is in the store, and so has to be in the stream.
    const unknown = context.statNode(node);
    append(context, path, wanted, unknown < 0 ? undefined : context.stat);
    if (failed < 0 || unknown < 0) return failed < 0 ? failed : unknown;
    return putAttrOut(context.reply, context.stat);
  });
}

function readWanted(request: Request, valid: number): Wanted {
  const has = (bit: number): boolean => (valid & bit) !== 0;
  return {
    mode: has(FATTR.mode) ? request.u32(SETATTR_IN.mode) & PERMISSION_BITS : undefined,
    uid: has(FATTR.uid) ? request.u32(SETATTR_IN.uid) : undefined,
    gid: has(FATTR.gid) ? request.u32(SETATTR_IN.gid) : undefined,
    accessed: has(FATTR.accessedNow)
      ? NOW
      : has(FATTR.accessed)
        ? readTime(request, SETATTR_IN.accessed, SETATTR_IN.accessedNs)
        : undefined,
    modified: has(FATTR.modifiedNow)
      ? NOW
      : has(FATTR.modified)
        ? readTime(request, SETATTR_IN.modified, SETATTR_IN.modifiedNs)
        : undefined,
  };
}

function readTime(request: Request, seconds: number, nanoseconds: number): TimeSpec {
  return { seconds: request.i64(seconds), nanoseconds: request.u32(nanoseconds) };
}

/** On the store. The owner first: a change of it takes set-id bits away that a mode may bring back. */
function change(context: Context, node: FileNode, wanted: Wanted): number {
  const [at, path] = [context.at(node), context.where(node)];
  const { mode, uid, gid, accessed, modified } = wanted;
  if (uid !== undefined || gid !== undefined) {
    const failed = context.fs.chown(at, path, uid, gid);
    if (failed < 0) return failed;
  }
  if (mode !== undefined) {
    const failed = context.fs.chmod(at, path, mode);
    if (failed < 0) return failed;
  }
  if (accessed === undefined && modified === undefined) return 0;
  return context.fs.setTimes(at, path, accessed, modified);
}

/**
 * The values that the store has now of everything that was to change; where a failing store does
 * not tell them, those that it was given.
 */
function append(
  context: Context,
  path: Path | number,
  wanted: Wanted,
  stat: FileStat | undefined,
): void {
  const { mode, uid, gid, accessed, modified } = wanted;
  const changesOwner = uid !== undefined || gid !== undefined;
  const changesTimes = accessed !== undefined || modified !== undefined;
  if (!changesOwner && !changesTimes && mode === undefined) return;
  // A new owner takes set-id bits away; the mode says what is left. Symbolic links have none.
  const changesMode = mode !== undefined || (changesOwner && stat !== undefined && hasMode(stat));
  context.append(path, (name) => ({
    type: 'attributes',
    path: name,
    mode: changesMode && stat !== undefined ? permissions(stat) : mode,
    uid: uid === undefined ? undefined : (stat?.uid ?? uid),
    gid: gid === undefined ? undefined : (stat?.gid ?? gid),
    accessed: presentTime(accessed, stat?.accessed),
    modified: presentTime(modified, stat?.modified),
  }));
}

function presentTime(
  wanted: TimeSpec | undefined,
  present: TimeSpec | undefined,
): TimeSpec | undefined {
  if (wanted === undefined) return undefined;
  if (present !== undefined) return { ...present };
  return wanted === NOW ? undefined : wanted;
}

function hasMode(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) !== S_IFLNK;
}

function permissions(stat: FileStat): number {
  return stat.mode & PERMISSION_BITS;
}
