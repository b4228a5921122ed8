/**
 * SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR. ACLs are extended attributes too (FUSE_POSIX_ACL: the
 * kernel checks them, the store keeps them); setting one changes the mode.
 */
import type { Path } from '../../protocol/change.ts';
import { EINVAL, ERANGE, ESTALE } from '../wire/errno.ts';
import { PERMISSION_BITS, S_ISGID, SETXATTR_ACL_KILL_SGID } from '../wire/flags.ts';
import { GETXATTR_IN, IN_HEADER_BYTES, SETXATTR_EXT_IN, SETXATTR_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import { sameBytes } from './bytes.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';
import { ACCESS_ACL, DEFAULT_ACL } from './new-object.ts';
import { appendMode, setMode } from './privileges.ts';

const SIZE_OUT_BYTES = 8;

export function setxattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  const layout = context.hasSetxattrExt ? SETXATTR_EXT_IN : SETXATTR_IN;
  const name = request.name(layout.bytes);
  if (node === undefined || name === undefined) return ESTALE;
  const value = request.data(layout.bytes + name.length + 1, request.u32(layout.size));
  if (value === undefined) return EINVAL;
  const flags = request.u32(layout.flags);
  const extra = context.hasSetxattrExt ? request.u32(SETXATTR_EXT_IN.extraFlags) : 0;
  return context.mutate(request, () => {
    const path = context.changePath(node);
    if (typeof path === 'number' && path < 0) return path;
    const refused = context.recordEntry(path);
    if (refused < 0) return refused;
    const [at, where] = [context.at(node), context.where(node)];
    const failed = context.fs.setXattr(at, where, name, value, flags);
    if (failed < 0) return failed;
    // Creation and replacement were decided here; a copy has to end up with the same value.
    context.append(path, (at_) => ({ type: 'setxattr', path: at_, name, value, flags: 0 }));
    return aclChanged(context, { node, path, name, losesSgid: isSgidLost(extra) });
  });
}

export function removexattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  const name = request.name(IN_HEADER_BYTES);
  if (node === undefined || name === undefined) return ESTALE;
  return context.mutate(request, () => {
    const path = context.changePath(node);
    if (typeof path === 'number' && path < 0) return path;
    const refused = context.recordEntry(path);
    if (refused < 0) return refused;
    const failed = context.fs.removeXattr(context.at(node), context.where(node), name);
    if (failed < 0) return failed;
    context.append(path, (at) => ({ type: 'removexattr', path: at, name }));
    return aclChanged(context, { node, path, name, losesSgid: false });
  });
}

export function getxattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  const name = request.name(GETXATTR_IN.bytes);
  if (node === undefined || name === undefined) return ESTALE;
  const value = context.fs.getXattr(context.at(node), context.where(node), name);
  return answerBytes(context, request, value);
}

export function listxattr(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined || !request.has(GETXATTR_IN.bytes)) return ESTALE;
  const names = context.fs.listXattr(context.at(node), context.where(node));
  return answerBytes(context, request, names);
}

/** The bytes, or, when the caller offers no room, how many there are. */
function answerBytes(context: Context, request: Request, value: Uint8Array | number): Outcome {
  if (typeof value === 'number') return value;
  const size = request.u32(GETXATTR_IN.size);
  if (size === 0) {
    context.reply.u32(0, value.length);
    context.reply.u32(4, 0);
    return SIZE_OUT_BYTES;
  }
  if (value.length > size) return ERANGE;
  context.reply.bytes(0, value);
  return value.length;
}

interface AclChange {
  readonly node: FileNode;
  readonly path: Path | number;
  readonly name: Uint8Array;
  readonly losesSgid: boolean;
}

/** Follows up what an ACL changes elsewhere. */
function aclChanged(context: Context, { node, path, name, losesSgid }: AclChange): Outcome {
  if (sameBytes(name, DEFAULT_ACL)) node.hasDefaultAcl = undefined;
  if (!sameBytes(name, ACCESS_ACL)) return 0;
  const before = node.mode;
  const unknown = context.statNode(node);
  if (unknown < 0) return unknown;
  const mode = node.mode & PERMISSION_BITS;
  if (losesSgid && (mode & S_ISGID) !== 0) {
    return setMode(context, { node, path, mode: mode & ~S_ISGID });
  }
  if (node.mode !== before) appendMode(context, { node, path, mode });
  return 0;
}

function isSgidLost(extraFlags: number): boolean {
  return (extraFlags & SETXATTR_ACL_KILL_SGID) !== 0;
}
