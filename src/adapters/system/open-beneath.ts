/**
 * openat2(2) and the helpers around it: how a path of a mirror becomes a descriptor without any
 * chance to leave the mirror. See the terms in `src/ports/file-system.ts`.
 */
import { constants as fs } from 'node:fs';
import { constants as os } from 'node:os';
import type { Path } from '../../protocol/change.ts';
import { lastError, libc } from './libc.ts';
import { isEntryName, lastComponent, ZeroEnded } from './paths.ts';

/** The same on every architecture that Node.js runs on. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
const SYS_OPENAT2 = 437;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH;
const HOW_BYTES = 24;
const MODE_BITS = 0o7777;

/** Opens paths beneath a directory. One per thread: it holds buffers that are used again. */
export class OpenBeneath {
  readonly #path = new ZeroEnded();
  readonly #how = new Uint32Array(HOW_BYTES / 4);
  readonly #howBytes = new Uint8Array(this.#how.buffer);

  /** As `FileSystem.open`. */
  open(at: number, path: Path, flags: number, mode: number): number {
    if (path.length === 0) return this.#reopen(at, flags);
    return this.#openTo(at, path, path.length, { flags: flags | fs.O_NOFOLLOW, mode });
  }

  /** A descriptor of the thing itself, whatever it is; to be closed. */
  target(at: number, path: Path): number {
    return this.open(at, path, O_PATH, 0);
  }

  /**
   * The directory that holds the last component of `path`: `at` itself, or a new descriptor, which
   * {@link done} closes. Negative when there is none or the last component cannot be a name.
   */
  parent(at: number, path: Path): number {
    const start = lastComponent(path);
    if (!isEntryName(path, start)) return -os.errno.EINVAL;
    if (start === 0) return at;
    return this.#openTo(at, path, start - 1, { flags: O_PATH | fs.O_DIRECTORY, mode: 0 });
  }

  /** Closes what {@link parent} gave for `at`. */
  done(at: number, parent: number): void {
    if (parent !== at) libc.close(parent);
  }

  #openTo(at: number, path: Path, end: number, how: { flags: number; mode: number }): number {
    const bad = this.#path.set(path, 0, end);
    if (bad < 0) return bad;
    this.#how[0] = how.flags | O_CLOEXEC;
    this.#how[2] = (how.flags & fs.O_CREAT) === 0 ? 0 : how.mode & MODE_BITS;
    this.#how[4] = RESOLVE;
    const fd = libc.openat2(SYS_OPENAT2, at, this.#path.bytes, this.#howBytes, HOW_BYTES);
    return fd < 0 ? -lastError() : fd;
  }

  /** Opens anew what `fd` refers to. The magic link leads nowhere else, so it may be followed. */
  #reopen(fd: number, flags: number): number {
    if (fd < 0) return -os.errno.EBADF;
    this.#path.setDescriptor(fd);
    const opened = libc.open(this.#path.bytes, (flags & ~fs.O_NOFOLLOW) | O_CLOEXEC, 0);
    return opened < 0 ? -lastError() : opened;
  }
}
