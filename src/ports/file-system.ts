/**
 * The local file system, one method per system call, synchronous: for threads that do nothing
 * else. Every method returns a number: the call's result, or the negated error number; nothing
 * throws. Names and paths are bytes. A path is relative to the directory `at` and is resolved
 * beneath it without following any symbolic link and without entering another mounted file system
 * (openat2(2) RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV), so that no path of a mirror
 * can lead outside of it. The empty path is `at` itself, which need not be a directory then and may
 * have been opened with O_PATH. No path may be longer than 4095 bytes.
 */
import type { Path, TimeSpec } from '../protocol/change.ts';

/** An open file descriptor. */
export type Fd = number;

/** What statx(2) tells. Filled in by the callee, so that the hot path allocates nothing. */
export interface FileStat {
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** Of a device file, as mknod(2) takes it. */
  device: number;
  /** The file system that it is on; differs below a mount point or a subvolume. */
  volume?: number;
  size: number;
  blocks: number;
  blockSize: number;
  accessed: { seconds: number; nanoseconds: number };
  modified: { seconds: number; nanoseconds: number };
  changed: { seconds: number; nanoseconds: number };
}

export interface VolumeStat {
  blocks: number;
  blocksFree: number;
  blocksAvailable: number;
  files: number;
  filesFree: number;
  blockSize: number;
  nameLengthMax: number;
}

export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly ino: number;
  /** DT_* of readdir(3). */
  readonly type: number;
}

export interface FileSystem {
  /** openat2(2). `flags` as for open(2); O_CLOEXEC and O_NOFOLLOW are always set. */
  open(at: Fd, path: Path, flags: number, mode: number): number;
  close(fd: Fd): number;
  /** Of the thing itself when it is a symbolic link. */
  stat(at: Fd, path: Path, out: FileStat): number;
  statFd(fd: Fd, out: FileStat): number;
  statVolume(fd: Fd, out: VolumeStat): number;
  read(fd: Fd, into: Uint8Array, offset: number): number;
  write(fd: Fd, data: Uint8Array, offset: number): number;
  truncateFd(fd: Fd, size: number): number;
  allocate(fd: Fd, mode: number, offset: number, length: number): number;
  /** lseek(2) with SEEK_DATA, SEEK_HOLE and the like. */
  seek(fd: Fd, offset: number, whence: number): number;
  sync(fd: Fd, dataOnly: boolean): number;
  /** syncfs(2): everything on the file system of `fd`. */
  syncVolume(fd: Fd): number;
  mknod(at: Fd, path: Path, mode: number, device: number): number;
  mkdir(at: Fd, path: Path, mode: number): number;
  symlink(at: Fd, path: Path, target: Uint8Array): number;
  /** Both paths beneath `at`. */
  link(at: Fd, existing: Path, path: Path): number;
  unlink(at: Fd, path: Path): number;
  rmdir(at: Fd, path: Path): number;
  rename(at: Fd, from: Path, path: Path, flags: number): number;
  /** The target's bytes, or a negated error number. */
  readlink(at: Fd, path: Path): Uint8Array | number;
  /** Permission bits; not for symbolic links. */
  chmod(at: Fd, path: Path, mode: number): number;
  /** `undefined` leaves a value as it is. */
  chown(at: Fd, path: Path, uid: number | undefined, gid: number | undefined): number;
  /** Nanoseconds may be UTIME_NOW (0x3fffffff): the present time. */
  setTimes(
    at: Fd,
    path: Path,
    accessed: TimeSpec | undefined,
    modified: TimeSpec | undefined,
  ): number;
  /** All entries of an open directory but `.` and `..`, from its beginning. */
  list(fd: Fd): readonly DirectoryEntry[] | number;
  getXattr(at: Fd, path: Path, name: Uint8Array): Uint8Array | number;
  setXattr(at: Fd, path: Path, name: Uint8Array, value: Uint8Array, flags: number): number;
  removeXattr(at: Fd, path: Path, name: Uint8Array): number;
  /** Names as listxattr(2) gives them: each ended by a zero byte. */
  listXattr(at: Fd, path: Path): Uint8Array | number;
}
