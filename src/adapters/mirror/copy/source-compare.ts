/**
 * Source side: brings one file of the copy to the content of this store, given the digests of the
 * copy's blocks. Looking needs no lock; whatever is sent is read again under the lock, at the very
 * position of the stream where it is entered. Why this suffices: docs/internals/mirror-resync.md.
 */
import { constants as fsc } from 'node:fs';
import type { Fd } from '../../../ports/file-system.ts';
import {
  type CompareItem,
  DIGEST_BYTES,
  type ResyncFrame,
  type TreeEntry,
} from '../../../protocol/resync.ts';
import { sha256 } from './entry-digest.ts';
import { sameBytes } from './inode-attributes.ts';
import { openRegular } from './open-files.ts';
import { type PathKey, keyOf, pathOf } from './paths.ts';
import {
  type CallFailure,
  ENXIO,
  S_IFREG,
  type Store,
  isMisfit,
  newFileStat,
  readFully,
  typeOf,
} from './store.ts';

const SEEK_DATA = 3;

export interface SourceCompareDeps {
  readonly store: Store;
  readonly blockBytes: number;
  /** Calls `work` under the stream's lock; false: the resync is over. */
  readonly locked: (work: () => boolean) => boolean;
  /** Under the lock. False: the resync is over. */
  readonly append: (frame: ResyncFrame) => boolean;
  /** Under the lock. */
  readonly readEntry: (key: PathKey) => TreeEntry | CallFailure;
}

/**
 * `over`: the resync is. `moved`: the path is another file's now, or nobody's; the stream has what
 * brought that about, and the copy asks again if it must.
 */
export type Compared =
  | { readonly result: 'done'; readonly bytes: number }
  | { readonly result: 'moved' | 'over' }
  | { readonly result: 'failed'; readonly failure: CallFailure };

interface Open {
  readonly key: PathKey;
  readonly fd: Fd;
  readonly ino: number;
  readonly item: CompareItem;
  /** Up to where this item's blocks go. */
  end: number;
  sent: boolean;
  /** No data from where it was looked for up to here, as far as known. */
  holeUntil: number;
}

export class SourceCompare {
  readonly #deps: SourceCompareDeps;
  readonly #block: Uint8Array;
  readonly #zeros: Uint8Array;
  readonly #stat = newFileStat();

  constructor(deps: SourceCompareDeps) {
    this.#deps = deps;
    this.#block = new Uint8Array(deps.blockBytes);
    this.#zeros = new Uint8Array(deps.blockBytes);
  }

  compare(item: CompareItem): Compared {
    const { store } = this.#deps;
    const key = keyOf(item.path);
    const fd = openRegular(store, key, fsc.O_RDONLY);
    if (typeof fd !== 'number') {
      return isMisfit(fd.errno) ? { result: 'moved' } : { result: 'failed', failure: fd };
    }
    try {
      const found = store.fs.statFd(fd, this.#stat);
      if (found < 0) return failed('fstat', found);
      const { ino, size } = this.#stat;
      const end = item.last ? size : Math.min(size, this.#endOf(item));
      return this.#compareOpen({ key, fd, ino, item, end, sent: item.offset > 0, holeUntil: 0 });
    } finally {
      store.fs.close(fd);
    }
  }

  #endOf(item: CompareItem): number {
    return item.offset + (item.digests.length / DIGEST_BYTES) * this.#deps.blockBytes;
  }

  #compareOpen(open: Open): Compared {
    const { item } = open;
    // The copy has bytes beyond the end, or lacks some: make its size that of this moment.
    const sameSize = item.last ? open.end === item.size : open.end === this.#endOf(item);
    if (!sameSize) {
      const resized = this.#resize(open);
      if (resized !== undefined) return resized;
    }
    const { blockBytes } = this.#deps;
    for (let offset = item.offset; offset < open.end; offset += blockBytes) {
      const outcome = this.#compareBlock(open, offset);
      if (outcome !== undefined) return outcome;
    }
    const settled = item.last && open.sent ? this.#settle(open) : undefined;
    return settled ?? { result: 'done', bytes: Math.max(0, open.end - item.offset) };
  }

  /** Undefined to go on. */
  #compareBlock(open: Open, offset: number): Compared | undefined {
    const length = Math.min(this.#deps.blockBytes, open.end - offset);
    const at = ((offset - open.item.offset) / this.#deps.blockBytes) * DIGEST_BYTES;
    const digest = open.item.digests.subarray(at, at + DIGEST_BYTES);
    const block = this.#read(open, offset, length);
    if (typeof block === 'number') return failed('read', block);
    // It has become shorter since, by a change that the copy gets too.
    if (block.length === 0) return undefined;
    // Where the copy had nothing, the new size has made zeros.
    if (digest.length === 0 && this.#isZero(block)) return undefined;
    if (digest.length > 0 && sameBytes(sha256(block), digest)) return undefined;
    return this.#send(open, offset, length);
  }

  #resize(open: Open): Compared | undefined {
    return this.#onSameFile(open, () => {
      const found = this.#deps.store.fs.statFd(open.fd, this.#stat);
      if (found < 0) return failed('fstat', found);
      const { size } = this.#stat;
      open.end = open.item.last ? size : Math.min(size, this.#endOf(open.item));
      if (!open.item.last && size >= this.#endOf(open.item)) return undefined;
      open.sent = true;
      return this.#append({ type: 'resize', path: pathOf(open.key), size });
    });
  }

  #send(open: Open, offset: number, length: number): Compared | undefined {
    return this.#onSameFile(open, () => {
      open.holeUntil = 0;
      const block = this.#read(open, offset, length);
      if (typeof block === 'number') return failed('read', block);
      if (block.length === 0) return undefined;
      open.sent = true;
      const path = pathOf(open.key);
      return this.#isZero(block)
        ? this.#append({ type: 'zeros', path, offset, length: block.length })
        : this.#append({ type: 'data', path, offset, data: block });
    });
  }

  #settle(open: Open): Compared | undefined {
    return this.#onSameFile(open, () => {
      const entry = this.#deps.readEntry(open.key);
      if ('errno' in entry) return { result: 'failed', failure: entry };
      return this.#append({ type: 'settle', path: pathOf(open.key), entry });
    });
  }

  /** Under the lock, while the path is still the file that was opened. Undefined to go on. */
  #onSameFile(open: Open, work: () => Compared | undefined): Compared | undefined {
    const { fs, root } = this.#deps.store;
    let outcome: Compared | undefined = { result: 'over' };
    this.#deps.locked(() => {
      const found = fs.stat(root, pathOf(open.key), this.#stat);
      const { ino, mode } = this.#stat;
      const same = found >= 0 && ino === open.ino && typeOf(mode) === S_IFREG;
      outcome = same ? work() : { result: 'moved' };
      return outcome?.result !== 'over';
    });
    return outcome;
  }

  #append(frame: ResyncFrame): Compared | undefined {
    return this.#deps.append(frame) ? undefined : { result: 'over' };
  }

  /** A view that is valid until the next read, or a negated error number. */
  #read(open: Open, offset: number, length: number): Uint8Array | number {
    const { fs } = this.#deps.store;
    if (offset >= open.holeUntil) {
      const data = fs.seek(open.fd, offset, SEEK_DATA);
      // No data behind `offset`: a hole up to the end of the file.
      if (data === -ENXIO) open.holeUntil = Number.MAX_SAFE_INTEGER;
      else if (data > offset) open.holeUntil = data;
    }
    if (offset + length <= open.holeUntil) return this.#readHole(open, offset, length);
    const count = readFully(fs, open.fd, this.#block.subarray(0, length), offset);
    return count < 0 ? count : this.#block.subarray(0, count);
  }

  #readHole(open: Open, offset: number, length: number): Uint8Array | number {
    const found = this.#deps.store.fs.statFd(open.fd, this.#stat);
    if (found < 0) return found;
    return this.#zeros.subarray(0, Math.max(0, Math.min(length, this.#stat.size - offset)));
  }

  #isZero(block: Uint8Array): boolean {
    return sameBytes(block, this.#zeros.subarray(0, block.length));
  }
}

function failed(call: string, result: number): Compared {
  return { result: 'failed', failure: { call, errno: -result } };
}
