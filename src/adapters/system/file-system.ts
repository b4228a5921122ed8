/**
 * The `FileSystem` port on Linux system calls. One instance per thread: it holds buffers that are
 * used again by every call. See `src/ports/file-system.ts` for the terms.
 *
 * A new object's mode passes through the umask of the calling thread; see `own-umask.ts`.
 */
import { arch, constants as os } from 'node:os';
import type { Path, TimeSpec } from '../../protocol/change.ts';
import type {
  DirectoryEntry,
  Fd,
  FileStat,
  FileSystem,
  VolumeStat,
} from '../../ports/file-system.ts';
import { lastError, libc } from './libc.ts';
import { OpenBeneath } from './open-beneath.ts';
import { isEntryName, lastComponent, ZeroEnded } from './paths.ts';
import { readDirents, StatBuffer, VolumeBuffer } from './stat-buffer.ts';
import { readXattr, readXattrNames } from './xattr-buffer.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const UTIME_OMIT = 0x3ffffffe;
const UNCHANGED_ID = 0xffffffff;
const SYS_GETDENTS64 = arch() === 'x64' ? 217 : 61;
const DIRENTS_BYTES = 128 * 1024;
const SYMLINK_BYTES_MAX = 4096;
const EMPTY: Path = new Uint8Array(0);

export class LinuxFileSystem implements FileSystem {
  readonly #beneath = new OpenBeneath();
  readonly #name = new ZeroEnded();
  readonly #otherName = new ZeroEnded();
  readonly #stat = new StatBuffer();
  readonly #volume = new VolumeBuffer();
  readonly #times = new Int32Array(8);
  readonly #timesBytes = new Uint8Array(this.#times.buffer);

  open(at: Fd, path: Path, flags: number, mode: number): number {
    return this.#beneath.open(at, path, flags, mode);
  }

  close(fd: Fd): number {
    return result(libc.close(fd));
  }

  stat(at: Fd, path: Path, out: FileStat): number {
    // One component cannot lead away and needs no descriptor: the way of every lookup in a listing.
    if (lastComponent(path) === 0 && isEntryName(path, 0)) {
      const bad = this.#name.set(path);
      if (bad < 0) return bad;
      return this.#statx(at, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, out);
    }
    return this.#onTarget(at, path, (fd) => this.statFd(fd, out));
  }

  statFd(fd: Fd, out: FileStat): number {
    this.#name.set(EMPTY);
    return this.#statx(fd, AT_EMPTY_PATH, out);
  }

  statVolume(fd: Fd, out: VolumeStat): number {
    if (libc.fstatvfs(fd, this.#volume.bytes) < 0) return -lastError();
    this.#volume.read(out);
    return 0;
  }

  read(fd: Fd, into: Uint8Array, offset: number): number {
    return result(libc.pread(fd, into, into.length, offset));
  }

  write(fd: Fd, data: Uint8Array, offset: number): number {
    return result(libc.pwrite(fd, data, data.length, offset));
  }

  truncateFd(fd: Fd, size: number): number {
    return result(libc.ftruncate(fd, size));
  }

  allocate(fd: Fd, mode: number, offset: number, length: number): number {
    return result(libc.fallocate(fd, mode, offset, length));
  }

  seek(fd: Fd, offset: number, whence: number): number {
    // A position in a directory can be too large for anything but a bigint.
    return result(Number(libc.lseek(fd, offset, whence)));
  }

  sync(fd: Fd, dataOnly: boolean): number {
    return result(dataOnly ? libc.fdatasync(fd) : libc.fsync(fd));
  }

  syncVolume(fd: Fd): number {
    return result(libc.syncfs(fd));
  }

  mknod(at: Fd, path: Path, mode: number, device: number): number {
    return this.#inParent(at, path, (fd, name) => libc.mknodat(fd, name, mode, device));
  }

  mkdir(at: Fd, path: Path, mode: number): number {
    return this.#inParent(at, path, (fd, name) => libc.mkdirat(fd, name, mode));
  }

  symlink(at: Fd, path: Path, target: Uint8Array): number {
    const bad = this.#otherName.set(target);
    if (bad < 0) return bad;
    const text = this.#otherName.bytes;
    return this.#inParent(at, path, (fd, name) => libc.symlinkat(text, fd, name));
  }

  link(at: Fd, existing: Path, path: Path): number {
    return this.#inParents(at, existing, path, (fromFd, from, toFd, to) =>
      libc.linkat(fromFd, from, toFd, to, 0),
    );
  }

  unlink(at: Fd, path: Path): number {
    return this.#inParent(at, path, (fd, name) => libc.unlinkat(fd, name, 0));
  }

  rmdir(at: Fd, path: Path): number {
    return this.#inParent(at, path, (fd, name) => libc.unlinkat(fd, name, AT_REMOVEDIR));
  }

  rename(at: Fd, from: Path, path: Path, flags: number): number {
    return this.#inParents(at, from, path, (fromFd, fromName, toFd, toName) =>
      libc.renameat2(fromFd, fromName, toFd, toName, flags),
    );
  }

  readlink(at: Fd, path: Path): Uint8Array | number {
    const into = new Uint8Array(SYMLINK_BYTES_MAX);
    this.#name.set(EMPTY);
    const { bytes } = this.#name;
    const length = this.#onTarget(at, path, (fd) =>
      result(libc.readlinkat(fd, bytes, into, into.length)),
    );
    return length < 0 ? length : into.subarray(0, length);
  }

  chmod(at: Fd, path: Path, mode: number): number {
    return this.#onTarget(at, path, (fd) => result(libc.chmod(this.#byDescriptor(fd), mode)));
  }

  chown(at: Fd, path: Path, uid: number | undefined, gid: number | undefined): number {
    this.#name.set(EMPTY);
    const { bytes } = this.#name;
    const [owner, group] = [uid ?? UNCHANGED_ID, gid ?? UNCHANGED_ID];
    return this.#onTarget(at, path, (fd) =>
      result(libc.fchownat(fd, bytes, owner, group, AT_EMPTY_PATH)),
    );
  }

  setTimes(
    at: Fd,
    path: Path,
    accessed: TimeSpec | undefined,
    modified: TimeSpec | undefined,
  ): number {
    this.#putTime(0, accessed);
    this.#putTime(4, modified);
    return this.#onTarget(at, path, (fd) =>
      result(libc.utimensat(AT_FDCWD, this.#byDescriptor(fd), this.#timesBytes, 0)),
    );
  }

  list(fd: Fd): readonly DirectoryEntry[] | number {
    const start = this.seek(fd, 0, 0);
    if (start < 0) return start;
    const entries: DirectoryEntry[] = [];
    const bytes = new Uint8Array(DIRENTS_BYTES);
    for (;;) {
      const length = libc.getdents64(SYS_GETDENTS64, fd, bytes, bytes.length);
      if (length < 0) return -lastError();
      if (length === 0) return entries;
      readDirents(bytes, length, entries);
    }
  }

  getXattr(at: Fd, path: Path, name: Uint8Array): Uint8Array | number {
    const bad = this.#otherName.set(name);
    if (bad < 0) return bad;
    return this.#bytesOfTarget(at, path, (of) => readXattr(of, this.#otherName.bytes));
  }

  setXattr(at: Fd, path: Path, name: Uint8Array, value: Uint8Array, flags: number): number {
    const bad = this.#otherName.set(name);
    if (bad < 0) return bad;
    const key = this.#otherName.bytes;
    return this.#onTarget(at, path, (fd) =>
      result(libc.setxattr(this.#byDescriptor(fd), key, value, value.length, flags)),
    );
  }

  removeXattr(at: Fd, path: Path, name: Uint8Array): number {
    const bad = this.#otherName.set(name);
    if (bad < 0) return bad;
    const key = this.#otherName.bytes;
    return this.#onTarget(at, path, (fd) => result(libc.removexattr(this.#byDescriptor(fd), key)));
  }

  listXattr(at: Fd, path: Path): Uint8Array | number {
    return this.#bytesOfTarget(at, path, readXattrNames);
  }

  #statx(at: Fd, flags: number, out: FileStat): number {
    const { bytes } = this.#name;
    if (libc.statx(at, bytes, flags, STATX_BASIC_STATS, this.#stat.bytes) < 0) return -lastError();
    return this.#stat.read(out) ? 0 : -os.errno.EOVERFLOW;
  }

  /** Calls `act` with a descriptor (O_PATH) of what `path` names: `at` itself for the empty path. */
  #onTarget(at: Fd, path: Path, act: (fd: Fd) => number): number {
    if (path.length === 0) return at < 0 ? -os.errno.EBADF : act(at);
    const fd = this.#beneath.target(at, path);
    if (fd < 0) return fd;
    const outcome = act(fd);
    libc.close(fd);
    return outcome;
  }

  #bytesOfTarget(
    at: Fd,
    path: Path,
    read: (path: Uint8Array) => Uint8Array | number,
  ): Uint8Array | number {
    const fd = path.length === 0 ? at : this.#beneath.target(at, path);
    if (fd < 0) return path.length === 0 ? -os.errno.EBADF : fd;
    const outcome = read(this.#byDescriptor(fd));
    if (fd !== at) libc.close(fd);
    return outcome;
  }

  #inParent(at: Fd, path: Path, act: (fd: Fd, name: Uint8Array) => number): number {
    const parent = this.#beneath.parent(at, path);
    if (parent < 0) return parent;
    const bad = this.#name.set(path, lastComponent(path));
    const outcome = bad < 0 ? bad : result(act(parent, this.#name.bytes));
    this.#beneath.done(at, parent);
    return outcome;
  }

  #inParents(
    at: Fd,
    from: Path,
    to: Path,
    act: (fromFd: Fd, from: Uint8Array, toFd: Fd, to: Uint8Array) => number,
  ): number {
    const fromParent = this.#beneath.parent(at, from);
    if (fromParent < 0) return fromParent;
    const bad = this.#otherName.set(from, lastComponent(from));
    const outcome =
      bad < 0
        ? bad
        : this.#inParent(at, to, (fd, name) => act(fromParent, this.#otherName.bytes, fd, name));
    this.#beneath.done(at, fromParent);
    return outcome;
  }

  #byDescriptor(fd: Fd): Uint8Array {
    this.#name.setDescriptor(fd);
    return this.#name.bytes;
  }

  /** Fills one `struct timespec`, `undefined` as UTIME_OMIT. */
  #putTime(word: number, time: TimeSpec | undefined): void {
    const seconds = time?.seconds ?? 0;
    this.#times[word] = seconds | 0;
    this.#times[word + 1] = Math.floor(seconds / 0x1_0000_0000);
    this.#times[word + 2] = time?.nanoseconds ?? UTIME_OMIT;
    this.#times[word + 3] = 0;
  }
}

/** A C result: itself, or the negated error number after -1. */
function result(value: number): number {
  return value < 0 ? -lastError() : value;
}
