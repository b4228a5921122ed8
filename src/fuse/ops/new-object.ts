/**
 * What every new object has in common, whatever made it: it gets the caller's user and group (or
 * the group of a set-group-id directory), exactly the mode that was asked for, and enters the
 * stream as it then is, with the ACLs that it inherited.
 */
import type { Change, Path } from '../../protocol/change.ts';
import type { FileStat } from '../../ports/file-system.ts';
import { putEntry } from '../wire/encode.ts';
import { PERMISSION_BITS, S_IFLNK, S_IFMT, S_ISGID } from '../wire/flags.ts';
import type { Request } from '../wire/request.ts';
import { asciiBytes } from './bytes.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';

export const DEFAULT_ACL = asciiBytes('system.posix_acl_default');
export const ACCESS_ACL = asciiBytes('system.posix_acl_access');

export interface NewObject {
  readonly parent: FileNode;
  readonly name: Uint8Array;
  readonly path: Path;
  /** The permissions asked for, before the umask; undefined for a symbolic link. */
  readonly mode: number | undefined;
  readonly umask: number;
  readonly isDirectory: boolean;
  /** Makes it on the store, with this mode. */
  readonly make: (mode: number) => number;
  /** Takes it away again, when it cannot be completed. */
  readonly undo: () => number;
  /** What goes into the stream. */
  readonly change: (stat: FileStat) => Change;
}

/**
 * Makes the object and appends it; the kernel then holds one reference to it. The node, or a
 * negated error number. Called in the stream's order; `context.stat` describes it afterwards.
 */
export function makeObject(
  context: Context,
  request: Request,
  object: NewObject,
): FileNode | number {
  const { path } = object;
  const refused = object.isDirectory
    ? context.activity.directory(path)
    : context.activity.entry(path);
  if (refused < 0) return refused;
  const inherits = hasDefaultAcl(context, object.parent);
  // Where an ACL is inherited, it takes the umask's place, and the store applies it.
  const mode = inherits ? object.mode : withUmask(object);
  const failed = object.make(mode ?? 0);
  if (failed < 0) return failed;
  const incomplete = complete(context, request, { object, mode, inherits });
  if (incomplete < 0) {
    const left = object.undo();
    if (left < 0) context.log.error('a new file could not be taken back', { error: left });
    return incomplete;
  }
  context.sink.append(object.change(context.stat));
  if (inherits) appendAcls(context, object.path);
  const node = context.nodes.enter(object.parent, object.name, context.stat);
  node.lookups += 1;
  return node;
}

/** Writes the entry of a new object as the whole payload. */
export function putNewEntry(context: Context, made: FileNode | number): number {
  return typeof made === 'number' ? made : putEntry(context.reply, 0, made.id, context.stat);
}

function withUmask({ mode, umask }: NewObject): number | undefined {
  return mode === undefined ? undefined : mode & ~(umask & PERMISSION_BITS);
}

interface Intended {
  readonly object: NewObject;
  readonly mode: number | undefined;
  readonly inherits: boolean;
}

/** Owner, group, mode. */
function complete(context: Context, request: Request, intended: Intended): number {
  const { object, mode, inherits } = intended;
  const { fs, root, stat } = context;
  let failed = fs.stat(root, object.path, stat);
  if (failed < 0) return failed;
  const made = stat.mode & PERMISSION_BITS;
  const isGroupInherited = (object.parent.mode & S_ISGID) !== 0;
  const gid = isGroupInherited ? stat.gid : request.gid;
  let isChanged = false;
  if (stat.uid !== request.uid || stat.gid !== gid) {
    failed = fs.chown(root, object.path, request.uid, gid);
    if (failed < 0) return failed;
    isChanged = true;
  }
  // A directory inherits the set-group-id bit by itself; a change of owner may have cleared one.
  const wanted = inherits || mode === undefined ? made : mode | (made & S_ISGID);
  if ((stat.mode & S_IFMT) !== S_IFLNK) {
    if (isChanged) failed = fs.stat(root, object.path, stat);
    if (failed < 0) return failed;
    const permissions = wanted & PERMISSION_BITS;
    if ((stat.mode & PERMISSION_BITS) === permissions) return 0;
    failed = fs.chmod(root, object.path, permissions);
    if (failed < 0) return failed;
    isChanged = true;
  }
  return isChanged ? fs.stat(root, object.path, stat) : 0;
}

function hasDefaultAcl(context: Context, directory: FileNode): boolean {
  directory.hasDefaultAcl ??=
    typeof context.fs.getXattr(context.at(directory), context.where(directory), DEFAULT_ACL) !==
    'number';
  return directory.hasDefaultAcl;
}

/** A copy must not depend on how its own file system inherits. */
function appendAcls(context: Context, path: Path): void {
  for (const name of [ACCESS_ACL, DEFAULT_ACL]) {
    const value = context.fs.getXattr(context.root, path, name);
    if (typeof value === 'number') continue;
    context.sink.append({ type: 'setxattr', path, name, value, flags: 0 });
  }
}
