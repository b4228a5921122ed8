/** CREATE, MKNOD, MKDIR, SYMLINK. */
import { ENTRY_BYTES, putEntry } from '../wire/encode.ts';
import { EEXIST, ESTALE } from '../wire/errno.ts';
import { O_EXCL, O_TRUNC, PERMISSION_BITS, S_IFMT, S_IFREG } from '../wire/flags.ts';
import { CREATE_IN, IN_HEADER_BYTES, MKDIR_IN, MKNOD_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import { openData } from './data-descriptor.ts';
import type { FileNode } from './file-node.ts';
import { makeObject, putNewEntry } from './new-object.ts';
import { opened } from './open-files.ts';
import { truncateNow } from './truncate.ts';

/** Where something new goes, or an error number. */
function place(
  context: Context,
  request: Request,
  nameAt: number,
): { parent: FileNode; name: Uint8Array; path: Uint8Array } | number {
  const parent = context.nodes.get(request.nodeId);
  const name = request.name(nameAt);
  if (parent === undefined || name === undefined) return ESTALE;
  const path = context.childPath(parent.id, name);
  return typeof path === 'number' ? path : { parent, name, path };
}

interface Special {
  readonly mode: number;
  readonly device: number;
  readonly umask: number;
}

/** A regular file, device, fifo or socket. Called in the stream's order. */
function makeSpecial(
  context: Context,
  request: Request,
  nameAt: number,
  special: Special,
): FileNode | number {
  const where = place(context, request, nameAt);
  if (typeof where === 'number') return where;
  const { fs, root } = context;
  const { path } = where;
  const { mode, device, umask } = special;
  return makeObject(context, request, {
    ...where,
    mode: mode & PERMISSION_BITS,
    umask,
    isDirectory: false,
    make: (permissions) => fs.mknod(root, path, (mode & S_IFMT) | permissions, device),
    undo: () => fs.unlink(root, path),
    change: (stat) => ({
      type: 'create',
      path,
      mode: stat.mode,
      device: stat.device,
      uid: stat.uid,
      gid: stat.gid,
    }),
  });
}

export function mknod(context: Context, request: Request): Outcome {
  if (!request.has(MKNOD_IN.bytes)) return ESTALE;
  const mode = request.u32(MKNOD_IN.mode);
  const device = request.u32(MKNOD_IN.device);
  const umask = request.u32(MKNOD_IN.umask);
  return context.mutate(request, () => {
    const special = { mode: (mode & S_IFMT) === 0 ? mode | S_IFREG : mode, device, umask };
    return putNewEntry(context, makeSpecial(context, request, MKNOD_IN.bytes, special));
  });
}

export function create(context: Context, request: Request): Outcome {
  if (!request.has(CREATE_IN.bytes)) return ESTALE;
  const flags = request.u32(CREATE_IN.flags);
  const mode = (request.u32(CREATE_IN.mode) & PERMISSION_BITS) | S_IFREG;
  const umask = request.u32(CREATE_IN.umask);
  return context.mutate(request, () => {
    let node = makeSpecial(context, request, CREATE_IN.bytes, { mode, device: 0, umask });
    if (node === EEXIST && (flags & O_EXCL) === 0) node = takeExisting(context, request, flags);
    if (typeof node === 'number') return node;
    const failed = openData(context, node, true);
    if (failed < 0) {
      // The answer that would give the kernel its reference is not sent.
      context.nodes.forget(node.id, 1);
      return failed;
    }
    putEntry(context.reply, 0, node.id, context.stat);
    return opened(context, node, ENTRY_BYTES);
  });
}

/** The kernel took the name to be free. */
function takeExisting(context: Context, request: Request, flags: number): FileNode | number {
  const where = place(context, request, CREATE_IN.bytes);
  if (typeof where === 'number') return where;
  const { parent, name, path } = where;
  const unknown = context.fs.stat(context.root, path, context.stat);
  if (unknown < 0) return unknown;
  if ((context.stat.mode & S_IFMT) !== S_IFREG) return EEXIST;
  const node = context.nodes.enter(parent, name, context.stat);
  node.lookups += 1;
  const truncates = (flags & O_TRUNC) !== 0;
  const failed = truncates ? truncateNow(context, { node, size: 0, killsBits: true }) : 0;
  const incomplete = failed < 0 ? failed : context.statNode(node);
  if (incomplete === 0) return node;
  context.nodes.forget(node.id, 1);
  return incomplete;
}

export function mkdir(context: Context, request: Request): Outcome {
  if (!request.has(MKDIR_IN.bytes)) return ESTALE;
  const mode = request.u32(MKDIR_IN.mode) & PERMISSION_BITS;
  const umask = request.u32(MKDIR_IN.umask);
  return context.mutate(request, () => {
    const where = place(context, request, MKDIR_IN.bytes);
    if (typeof where === 'number') return where;
    const { fs, root } = context;
    const { path } = where;
    const made = makeObject(context, request, {
      ...where,
      mode,
      umask,
      isDirectory: true,
      make: (permissions) => fs.mkdir(root, path, permissions),
      undo: () => fs.rmdir(root, path),
      change: ({ mode: given, uid, gid }) => ({
        type: 'mkdir',
        path,
        mode: given & PERMISSION_BITS,
        uid,
        gid,
      }),
    });
    return putNewEntry(context, made);
  });
}

/** The new name, then the target, each ended by a zero. */
export function symlink(context: Context, request: Request): Outcome {
  return context.mutate(request, () => {
    const where = place(context, request, IN_HEADER_BYTES);
    if (typeof where === 'number') return where;
    const target = request.name(IN_HEADER_BYTES + where.name.length + 1);
    if (target === undefined) return ESTALE;
    const { fs, root } = context;
    const { path } = where;
    const made = makeObject(context, request, {
      ...where,
      mode: undefined,
      umask: 0,
      isDirectory: false,
      make: () => fs.symlink(root, path, target),
      undo: () => fs.unlink(root, path),
      change: ({ uid, gid }) => ({ type: 'symlink', path, target, uid, gid }),
    });
    return putNewEntry(context, made);
  });
}
