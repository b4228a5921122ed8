/** The directory of one copy, as everything here uses it, and small helpers around its calls. */
import { constants as os } from 'node:os';
import type { Fd, FileStat, FileSystem } from '../../../ports/file-system.ts';

export interface Store {
  readonly fs: FileSystem;
  /** The top directory of the mirror, opened before anything was mounted over it. */
  readonly root: Fd;
}

export const {
  EEXIST,
  EINTR,
  EINVAL,
  EIO,
  EISDIR,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EXDEV,
} = os.errno;

/** Conditions of the machine or its file system, not of the tree: they end a copy in any mode. */
const HARD: ReadonlySet<number> = new Set([
  os.errno.EIO,
  os.errno.ENOSPC,
  os.errno.EROFS,
  os.errno.EDQUOT,
  os.errno.ENOMEM,
  os.errno.EMFILE,
  os.errno.ENFILE,
  os.errno.EBADF,
  os.errno.EFBIG,
  os.errno.ENODEV,
  os.errno.ENOSYS,
  os.errno.ESTALE,
]);

export function isHardError(errno: number): boolean {
  return HARD.has(errno);
}

/** The tree is not as the path says: a component is missing or is not a directory. */
export function isPathError(errno: number): boolean {
  return errno === ENOENT || errno === ENOTDIR || errno === ELOOP;
}

/** As `isPathError`, or what is there is not the regular file that was expected. */
export function isMisfit(errno: number): boolean {
  return isPathError(errno) || errno === ENXIO || errno === EISDIR;
}

export const S_IFMT = 0o170000;
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
const PERMISSIONS = 0o7777;

export function typeOf(mode: number): number {
  return mode & S_IFMT;
}

export function permissionsOf(mode: number): number {
  return mode & PERMISSIONS;
}

export function newFileStat(): FileStat {
  return {
    ino: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    device: 0,
    size: 0,
    blocks: 0,
    blockSize: 0,
    accessed: { seconds: 0, nanoseconds: 0 },
    modified: { seconds: 0, nanoseconds: 0 },
    changed: { seconds: 0, nanoseconds: 0 },
  };
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(os.errno).map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `error ${errno}`;
}

/** A system call that did not succeed: its name and the (positive) error number. */
export interface CallFailure {
  readonly call: string;
  readonly errno: number;
}

/** Undefined when `result` is that of a successful call. */
export function failureOf(call: string, result: number): CallFailure | undefined {
  return result < 0 ? { call, errno: -result } : undefined;
}

/** Writes all of `data`; a failure, or undefined. */
export function writeFully(
  fs: FileSystem,
  fd: Fd,
  at: { readonly data: Uint8Array; readonly offset: number },
): CallFailure | undefined {
  let done = 0;
  while (done < at.data.length) {
    const written = fs.write(fd, at.data.subarray(done), at.offset + done);
    if (written < 0 && -written !== EINTR) return { call: 'pwrite', errno: -written };
    // A regular file never takes nothing; if it does, going on would never end.
    if (written === 0) return { call: 'pwrite', errno: EIO };
    if (written > 0) done += written;
  }
  return undefined;
}

/** Reads until `into` is full or the file ends; the count, or a negated error number. */
export function readFully(fs: FileSystem, fd: Fd, into: Uint8Array, offset: number): number {
  let done = 0;
  while (done < into.length) {
    const count = fs.read(fd, into.subarray(done), offset + done);
    if (count < 0 && -count !== EINTR) return count;
    if (count === 0) break;
    if (count > 0) done += count;
  }
  return done;
}
