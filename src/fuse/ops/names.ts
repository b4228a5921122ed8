/** LINK, UNLINK, RMDIR, RENAME, RENAME2: which names things have. */
import { putEntry } from '../wire/encode.ts';
import { ENOENT, ESTALE } from '../wire/errno.ts';
import { O_PATH, RENAME_EXCHANGE, S_IFDIR, S_IFMT } from '../wire/flags.ts';
import { IN_HEADER_BYTES, LINK_IN, RENAME2_IN, RENAME_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Path } from '../../protocol/change.ts';
import { SMALL_FILE_BYTES } from '../../protocol/dirty-paths.ts';
import type { FileStat } from '../../ports/file-system.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import { type FileNode, NO_FD } from './file-node.ts';

export function link(context: Context, request: Request): Outcome {
  const parent = context.nodes.get(request.nodeId);
  const node = context.nodes.get(request.u64(LINK_IN.existing));
  const name = request.name(LINK_IN.bytes);
  if (parent === undefined || node === undefined || name === undefined) return ESTALE;
  const path = context.childPath(parent.id, name);
  if (typeof path === 'number') return path;
  return context.mutate(request, () => {
    const existing = context.changePath(node);
    if (typeof existing === 'number') return existing < 0 ? existing : ENOENT;
    const refused = recordAll(context, [existing, path]);
    if (refused < 0) return refused;
    const failed = context.fs.link(context.root, existing, path);
    if (failed < 0) return failed;
    context.sink.append({ type: 'link', path, existing });
    context.nodes.addName(node, parent, name);
    const unknown = context.statNode(node);
    if (unknown < 0) return unknown;
    node.lookups += 1;
    return putEntry(context.reply, 0, node.id, context.stat);
  });
}

export function unlink(context: Context, request: Request): Outcome {
  return remove(context, request, 'unlink');
}

export function rmdir(context: Context, request: Request): Outcome {
  return remove(context, request, 'rmdir');
}

function remove(context: Context, request: Request, type: 'unlink' | 'rmdir'): Outcome {
  const parent = context.nodes.get(request.nodeId);
  const name = request.name(IN_HEADER_BYTES);
  if (parent === undefined || name === undefined) return ESTALE;
  const path = context.childPath(parent.id, name);
  if (typeof path === 'number') return path;
  return context.mutate(request, () => {
    const { fs, root, stat } = context;
    const unknown = fs.stat(root, path, stat);
    if (unknown < 0) return unknown;
    const refused = recordRemoval(context, path);
    if (refused < 0) return refused;
    const node = context.nodes.byIno(stat.ino);
    if (node !== undefined) anchor(context, node, path);
    const failed = type === 'unlink' ? fs.unlink(root, path) : fs.rmdir(root, path);
    if (failed < 0) {
      if (node !== undefined) dropAnchor(context, node);
      return failed;
    }
    if (hasOtherNames(stat)) context.sink.linkLost();
    context.sink.append({ type, path });
    if (node !== undefined) nameLost(context, { node, parent, name, nlink: stat.nlink });
    return 0;
  });
}

/** `context.stat` describes what is removed. */
function recordRemoval({ activity, stat }: Context, path: Path): number {
  if (hasOtherNames(stat)) return activity.everything();
  // Another file may get the name, and then all of its content counts.
  return isLarge(stat) ? activity.tree(path) : activity.entry(path);
}

function isLarge({ mode, size }: FileStat): boolean {
  return (mode & S_IFMT) !== S_IFDIR && size >= SMALL_FILE_BYTES;
}

function hasOtherNames({ mode, nlink }: FileStat): boolean {
  return nlink > 1 && (mode & S_IFMT) !== S_IFDIR;
}

/**
 * Keeps hold of what may be about to lose the last name we know. Without it (no descriptor to be
 * had) nothing is lost but what is done to the file after it has lost its name, by somebody who
 * does not have it open.
 */
function anchor(context: Context, node: FileNode, path: Path): void {
  if (node.fd !== NO_FD || node.anchor !== NO_FD || node.names.length > 1) return;
  node.anchor = Math.max(context.fs.open(context.root, path, O_PATH, 0), NO_FD);
}

function dropAnchor(context: Context, node: FileNode): void {
  if (node.anchor === NO_FD || node.names.length === 0) return;
  context.fs.close(node.anchor);
  node.anchor = NO_FD;
}

interface LostName {
  readonly node: FileNode;
  readonly parent: FileNode;
  readonly name: Uint8Array;
  /** Before it was removed. */
  readonly nlink: number;
}

function nameLost(context: Context, { node, parent, name, nlink }: LostName): void {
  if (node.isDirectory || nlink <= 1) context.nodes.abandon(node);
  else context.nodes.removeName(node, parent, name);
}

export function rename(context: Context, request: Request): Outcome {
  if (!request.has(RENAME_IN.bytes)) return ESTALE;
  return renameWith(context, request, {
    newParentId: request.u64(RENAME_IN.newParent),
    namesAt: RENAME_IN.bytes,
    flags: 0,
  });
}

export function rename2(context: Context, request: Request): Outcome {
  if (!request.has(RENAME2_IN.bytes)) return ESTALE;
  return renameWith(context, request, {
    newParentId: request.u64(RENAME2_IN.newParent),
    namesAt: RENAME2_IN.bytes,
    flags: request.u32(RENAME2_IN.flags),
  });
}

interface RenameRequest {
  readonly newParentId: number;
  /** Where the old name begins; the new one follows its zero. */
  readonly namesAt: number;
  readonly flags: number;
}

/** One end of a renaming. */
interface End {
  readonly parent: FileNode;
  readonly name: Uint8Array;
  readonly path: Path;
  /** What has that name, where a node of it exists. */
  node: FileNode | undefined;
  nlink: number;
}

function renameWith(context: Context, request: Request, how: RenameRequest): Outcome {
  const { flags } = how;
  const oldName = request.name(how.namesAt);
  const newName = request.name(how.namesAt + (oldName?.length ?? 0) + 1);
  const from = end(context, request.nodeId, oldName);
  const to = end(context, how.newParentId, newName);
  if (typeof from === 'number') return from;
  if (typeof to === 'number') return to;
  return context.mutate(request, () => {
    const { fs, root, stat } = context;
    const missing = look(context, from, stat);
    if (missing < 0) return missing;
    const free = look(context, to, context.otherStat);
    if (free < 0 && free !== ENOENT) return free;
    const refused = recordMove(context, { from, to, replaces: free === 0, flags });
    if (refused < 0) return refused;
    const replaced = (flags & RENAME_EXCHANGE) === 0 ? to.node : undefined;
    if (replaced !== undefined) anchor(context, replaced, to.path);
    const failed = fs.rename(root, from.path, to.path, flags);
    if (failed < 0) {
      if (replaced !== undefined) dropAnchor(context, replaced);
      return failed;
    }
    const replaces = free === 0 && (flags & RENAME_EXCHANGE) === 0;
    if (replaces && hasOtherNames(context.otherStat)) context.sink.linkLost();
    context.sink.append({ type: 'rename', from: from.path, path: to.path, flags });
    if (free === ENOENT || stat.ino !== context.otherStat.ino) moveNames(context, from, to, flags);
    return 0;
  });
}

interface Move {
  readonly from: End;
  readonly to: End;
  readonly replaces: boolean;
  readonly flags: number;
}

/** `context.stat` describes what is moved, `context.otherStat` what has the new name, if anything. */
function recordMove(context: Context, { from, to, replaces, flags }: Move): number {
  const { activity, stat, otherStat } = context;
  const losesName = replaces && (flags & RENAME_EXCHANGE) === 0 && hasOtherNames(otherStat);
  if (losesName) return activity.everything();
  const refused = recordAll(context, [from.path, to.path]);
  if (refused < 0) return refused;
  if (!takesTree(stat) && !(replaces && takesTree(otherStat))) return 0;
  const trees = [from.path, to.path].map((path) => activity.tree(path));
  return Math.min(...trees);
}

/** What moves with it is more than a region holds. */
function takesTree(stat: FileStat): boolean {
  return (stat.mode & S_IFMT) === S_IFDIR || isLarge(stat);
}

/** What all these paths name. */
function recordAll(context: Context, paths: readonly Path[]): number {
  return Math.min(...paths.map((path) => context.recordEntry(path)));
}

function end(context: Context, parentId: number, name: Uint8Array | undefined): End | number {
  const parent = context.nodes.get(parentId);
  if (parent === undefined || name === undefined) return ESTALE;
  const path = context.childPath(parentId, name);
  return typeof path === 'number' ? path : { parent, name, path, node: undefined, nlink: 0 };
}

function look(context: Context, at: End, stat: FileStat): number {
  const failed = context.fs.stat(context.root, at.path, stat);
  if (failed < 0) return failed;
  at.node = context.nodes.byIno(stat.ino);
  at.nlink = stat.nlink;
  return 0;
}

function moveNames(context: Context, from: End, to: End, flags: number): void {
  const { nodes } = context;
  const isExchange = (flags & RENAME_EXCHANGE) !== 0;
  if (to.node !== undefined) {
    const { node, nlink } = to;
    if (isExchange) nodes.removeName(node, to.parent, to.name);
    else nameLost(context, { node, nlink, parent: to.parent, name: to.name });
  }
  if (from.node !== undefined) {
    nodes.removeName(from.node, from.parent, from.name);
    nodes.addName(from.node, to.parent, to.name);
  }
  if (isExchange && to.node !== undefined) nodes.addName(to.node, from.parent, from.name);
}
