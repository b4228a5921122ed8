/**
 * The comparing end of a verification, on the copy: looks, at the position of the stream where a frame
 * comes, whether this store has what the frame says that the primary has there.
 */
import { constants as fsc } from 'node:fs';
import type { Fd } from '../../../ports/file-system.ts';
import { VERIFY_BLOCK_BYTES, type VerifyFrame } from '../../../protocol/verification.ts';
import { entryDigest, namesDigest, namesOf, sha256 } from './entry-digest.ts';
import { sameBytes } from './inode-attributes.ts';
import { openRegular } from './open-files.ts';
import {
  type PathKey,
  ROOT_KEY,
  childOf,
  isPlainName,
  isPlainPath,
  keyOf,
  readable,
} from './paths.ts';
import { SourceEntries } from './source-entries.ts';
import { type Store, errnoName, newFileStat, readFully } from './store.ts';

const SEEK_DATA = 3;

type Of<T extends VerifyFrame['type']> = Extract<VerifyFrame, { readonly type: T }>;

export class VerifyCheck {
  readonly #store: Store;
  readonly #entries: SourceEntries;
  readonly #block = new Uint8Array(VERIFY_BLOCK_BYTES);
  readonly #stat = newFileStat();

  constructor(store: Store) {
    this.#store = store;
    this.#entries = new SourceEntries(store);
  }

  /** What differs, for people; undefined when nothing does. */
  difference(frame: Exclude<VerifyFrame, { readonly type: 'end' }>): string | undefined {
    const key = keyOf(frame.path);
    if (!isPlainPath(key, true)) return 'the primary named a path that is not one of the mirror';
    switch (frame.type) {
      case 'names':
        return this.#names(key, frame);
      case 'entries':
        return this.#entriesOf(key, frame);
      case 'block':
      case 'hole':
        return this.#part(key, frame);
    }
  }

  #names(key: PathKey, { digest }: Of<'names'>): string | undefined {
    const names = namesOf(this.#store, key);
    if ('errno' in names) return `${readable(key)}: ${names.call}: ${errnoName(names.errno)}`;
    if (sameBytes(namesDigest(names), digest)) return undefined;
    return `other names are in ${readable(key)}`;
  }

  #entriesOf(key: PathKey, { entries }: Of<'entries'>): string | undefined {
    for (const { name, digest } of entries) {
      const text = keyOf(name);
      if (text === '' ? key !== ROOT_KEY : !isPlainName(text)) {
        return 'the primary named a path that is not one of the mirror';
      }
      const child = text === '' ? key : childOf(key, name);
      const entry = this.#entries.read(child, name);
      if ('errno' in entry) return `${readable(child)}: ${entry.call}: ${errnoName(entry.errno)}`;
      if (sameBytes(entryDigest(entry), digest)) continue;
      return `the type, owner, mode, size or extended attributes of ${readable(child)} are others`;
    }
    return undefined;
  }

  #part(key: PathKey, frame: Of<'block'> | Of<'hole'>): string | undefined {
    const fd = openRegular(this.#store, key, fsc.O_RDONLY);
    if (typeof fd !== 'number') return `${readable(key)}: ${fd.call}: ${errnoName(fd.errno)}`;
    try {
      const found = this.#store.fs.statFd(fd, this.#stat);
      if (found < 0) return `${readable(key)}: fstat: ${errnoName(-found)}`;
      if (this.#stat.size !== frame.size) {
        return `${readable(key)} has ${this.#stat.size} bytes instead of ${frame.size}`;
      }
      const same = frame.type === 'block' ? this.#sameBlock(fd, frame) : this.#isZero(fd, frame);
      if (same === true) return undefined;
      if (same !== false) return `${readable(key)}: read: ${errnoName(-same)}`;
      const { offset, length } = frame;
      return `the content of ${readable(key)} is another between byte ${offset} and ${offset + length}`;
    } finally {
      this.#store.fs.close(fd);
    }
  }

  /** Or a negated error number. */
  #sameBlock(fd: Fd, { digest, length, offset }: Of<'block'>): boolean | number {
    const block = this.#block.subarray(0, length);
    const count = readFully(this.#store.fs, fd, block, offset);
    if (count < 0) return count;
    return count === length && sameBytes(sha256(block), digest);
  }

  /** Whether there is nothing but zeros, written or not. */
  #isZero(fd: Fd, { length, offset }: Of<'hole'>): boolean | number {
    const { fs } = this.#store;
    const end = offset + length;
    for (let at = offset; at < end;) {
      const data = fs.seek(fd, at, SEEK_DATA);
      if (data < 0 || data >= end) return true;
      const block = this.#block.subarray(0, Math.min(VERIFY_BLOCK_BYTES, end - data));
      const count = readFully(fs, fd, block, data);
      if (count < 0) return count;
      if (block.some((byte) => byte !== 0)) return false;
      at = data + block.length;
    }
    return true;
  }
}
