/**
 * Which operation serves which opcode. What is not here is answered with ENOSYS, after which the
 * kernel does without and does not ask again:
 *
 * - ACCESS, BMAP, POLL, FLUSH, GETLK, SETLK, SETLKW: permissions, locks and the like stay with the
 *   kernel.
 * - COPY_FILE_RANGE: the kernel copies by READ and WRITE.
 * - TMPFILE: programs get EOPNOTSUPP and use a named file.
 * - STATX: the kernel uses GETATTR. SYNCFS: only asked of other kinds of FUSE mounts.
 */
import { ENOSYS, ENOTTY } from '../wire/errno.ts';
import { OPCODE, OPCODE_MAX } from '../wire/opcode.ts';
import { getattr, setattr } from './attributes.ts';
import { ANSWERED, type RequestHandler } from '../wire/handler.ts';
import { Context, type ContextDeps, type ContextOptions, type Operation } from './context.ts';
import { create, mkdir, mknod, symlink } from './create.ts';
import { fallocate, lseek, read, write } from './data.ts';
import { opendir, readdir, readdirplus, releasedir } from './directory.ts';
import { batchForget, forget, lookup, readlink } from './entries.ts';
import { link, rename, rename2, rmdir, unlink } from './names.ts';
import { open, release } from './open-files.ts';
import { fsync, fsyncdir } from './sync.ts';
import { statfs } from './volume.ts';
import { getxattr, listxattr, removexattr, setxattr } from './xattr.ts';

const unsupported: Operation = () => ENOSYS;
/** Nothing blocks here for long: what is interrupted is soon answered anyway. */
const interrupt: Operation = () => ANSWERED;
const destroy: Operation = () => 0;
const ioctl: Operation = () => ENOTTY;

const OPERATIONS: readonly Operation[] = table({
  lookup,
  forget,
  getattr,
  setattr,
  readlink,
  symlink,
  mknod,
  mkdir,
  unlink,
  rmdir,
  rename,
  link,
  open,
  read,
  write,
  statfs,
  release,
  fsync,
  setxattr,
  getxattr,
  listxattr,
  removexattr,
  flush: unsupported,
  init: unsupported,
  opendir,
  readdir,
  releasedir,
  fsyncdir,
  create,
  interrupt,
  destroy,
  ioctl,
  batchForget,
  fallocate,
  readdirplus,
  rename2,
  lseek,
});

/** Serves the requests of one mounted mirror. */
export function createOperations(options: ContextOptions, deps: ContextDeps): RequestHandler {
  const context = new Context(options, deps);
  return {
    handle: (request) => (OPERATIONS[request.opcode] ?? unsupported)(context, request),
    close: () => context.close(),
  };
}

function table(operations: Readonly<Record<keyof typeof OPCODE, Operation>>): Operation[] {
  const list: Operation[] = Array.from({ length: OPCODE_MAX + 1 }, () => unsupported);
  for (const name of Object.keys(OPCODE) as (keyof typeof OPCODE)[]) {
    list[OPCODE[name]] = operations[name];
  }
  return list;
}
