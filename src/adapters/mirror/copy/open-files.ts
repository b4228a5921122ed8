/**
 * Regular files of the copy that are kept open for writing, by path: writes come in runs. Bounded,
 * least recently used out first. An entry is dropped when its path may name something else from
 * then on (rename, unlink, replaced by a resync). A pinned file (its sync is under way on another
 * thread) is closed when the last pin is gone.
 *
 * What is no regular file is never opened, not even for a moment: opening a fifo would wait,
 * opening a device may act on it.
 */
import { constants as fsc } from 'node:fs';
import { assert } from '../../../base/assert.ts';
import type { Fd } from '../../../ports/file-system.ts';
import { type PathKey, isWithin, pathOf } from './paths.ts';
import {
  type CallFailure,
  EISDIR,
  ENXIO,
  S_IFDIR,
  S_IFREG,
  type Store,
  newFileStat,
  typeOf,
} from './store.ts';

export const OPEN_FILES_MAX = 256;

export interface OpenFile {
  readonly fd: Fd;
  pins: number;
  dropped: boolean;
}

export class OpenFiles {
  readonly #store: Store;
  readonly #limit: number;
  /** Oldest use first. */
  readonly #files = new Map<PathKey, OpenFile>();
  readonly #stat = newFileStat();

  constructor(store: Store, limit = OPEN_FILES_MAX) {
    assert(limit > 0, 'at least one file can be open');
    this.#store = store;
    this.#limit = limit;
  }

  /** The regular file at `key`, opened for writing unless it is. */
  get(key: PathKey): OpenFile | CallFailure {
    const known = this.#files.get(key);
    if (known !== undefined) {
      this.#files.delete(key);
      this.#files.set(key, known);
      return known;
    }
    const fd = openRegular(this.#store, key, fsc.O_WRONLY, this.#stat);
    if (typeof fd !== 'number') return fd;
    this.#makeRoom();
    const file: OpenFile = { fd, pins: 0, dropped: false };
    this.#files.set(key, file);
    return file;
  }

  /** `key` may name something else from now on. */
  drop(key: PathKey): void {
    const file = this.#files.get(key);
    if (file === undefined) return;
    this.#files.delete(key);
    this.#release(file);
  }

  /** As `drop`, for everything at or below `key`. */
  dropWithin(key: PathKey): void {
    for (const open of this.#files.keys()) if (isWithin(open, key)) this.drop(open);
  }

  closeAll(): void {
    for (const key of this.#files.keys()) this.drop(key);
  }

  pin(file: OpenFile): void {
    file.pins += 1;
  }

  unpin(file: OpenFile): void {
    assert(file.pins > 0, 'a file is unpinned as often as pinned');
    file.pins -= 1;
    if (file.dropped && file.pins === 0) this.#store.fs.close(file.fd);
  }

  #makeRoom(): void {
    while (this.#files.size >= this.#limit) {
      const [oldest] = this.#files.keys();
      assert(oldest !== undefined, 'a full cache has an oldest file');
      this.drop(oldest);
    }
  }

  #release(file: OpenFile): void {
    file.dropped = true;
    if (file.pins === 0) this.#store.fs.close(file.fd);
  }
}

/** Opens a regular file; anything else fails as open(2) would if it refused that type. */
export function openRegular(
  store: Store,
  key: PathKey,
  flags: number,
  stat = newFileStat(),
): Fd | CallFailure {
  const path = pathOf(key);
  const found = store.fs.stat(store.root, path, stat);
  if (found < 0) return { call: 'stat', errno: -found };
  const type = typeOf(stat.mode);
  if (type !== S_IFREG) return { call: 'open', errno: type === S_IFDIR ? EISDIR : ENXIO };
  const fd = store.fs.open(store.root, path, flags | fsc.O_NONBLOCK | fsc.O_NOATIME, 0);
  if (fd < 0) return { call: 'open', errno: -fd };
  // Looked at again: on a primary an application may have put something else there.
  const same = store.fs.statFd(fd, stat);
  if (same >= 0 && typeOf(stat.mode) === S_IFREG) return fd;
  store.fs.close(fd);
  return same < 0 ? { call: 'fstat', errno: -same } : { call: 'open', errno: ENXIO };
}
