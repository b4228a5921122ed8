/**
 * The asking end of a verification, on a thread of its own in the primary's mirror process: walks the
 * store and enters what is there into the stream, a little under each hold of its lock, at a bounded
 * pace. The copy compares (`verify-check.ts`); nothing is changed on either side.
 */
import { constants as fsc } from 'node:fs';
import type { Fd } from '../../../ports/file-system.ts';
import type { ResyncStream } from '../../../ports/resync.ts';
import {
  VERIFY_BLOCK_BYTES,
  VERIFY_HOLE_BYTES,
  type VerifyFrame,
  decodeVerified,
  encodeVerify,
} from '../../../protocol/verification.ts';
import { entryDigest, namesDigest, namesOf, sha256 } from './entry-digest.ts';
import { openRegular } from './open-files.ts';
import { type PathKey, ROOT_KEY, childOf, pathOf, readable } from './paths.ts';
import { SourceEntries } from './source-entries.ts';
import {
  type CallFailure,
  EIO,
  ENXIO,
  S_IFDIR,
  S_IFREG,
  type Store,
  errnoName,
  isMisfit,
  isPathError,
  newFileStat,
  readFully,
  typeOf,
} from './store.ts';

/** Entries that are read under one hold of the lock. */
const LOCKED_ENTRIES_MAX = 64;
const SEEK_DATA = 3;
const PROGRESS_MS = 250;
/** What looking at a name costs of the pace, in bytes. */
const NAME_BYTES = 4096;
/** So long it works at most before other events of the thread get their turn. */
const TURN_MS = 10;

export interface VerifyProgress {
  readonly files: number;
  readonly bytes: number;
}

export interface VerifySourceOptions {
  readonly store: Store;
  readonly stream: ResyncStream;
  /** Names this run; the copy's answer repeats it. */
  readonly run: number;
  readonly bytesPerSecond: number;
  readonly report: {
    /** A few times a second. */
    progress(progress: VerifyProgress): void;
    /** The copy has found no difference. */
    ended(progress: VerifyProgress): void;
    /** The local store cannot be read. */
    failed(reason: string): void;
  };
}

/** Thrown within the walk, and nowhere else. */
class Broken extends Error {}

export class VerifySource {
  readonly #options: VerifySourceOptions;
  readonly #entries: SourceEntries;
  readonly #block = new Uint8Array(VERIFY_BLOCK_BYTES);
  readonly #stat = newFileStat();
  readonly #progress = { files: 0, bytes: 0 };
  #walk: Generator<number> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #begunAt = 0;
  #spent = 0;
  #reportedAt = 0;

  constructor(options: VerifySourceOptions) {
    this.#options = options;
    this.#entries = new SourceEntries(options.store);
  }

  start(): void {
    this.#walk = this.#tree();
    this.#begunAt = performance.now();
    this.#turn();
  }

  receive(body: Uint8Array): void {
    if (decodeVerified(body)?.run !== this.#options.run) return;
    this.stop();
    this.#options.report.ended({ ...this.#progress });
  }

  stop(): void {
    clearTimeout(this.#timer);
    // Closes what the walk has open.
    this.#walk?.return(0);
    this.#walk = undefined;
  }

  #turn(): void {
    const until = performance.now() + TURN_MS;
    while (this.#walk !== undefined && performance.now() < until) {
      if (this.#aheadMs() > TURN_MS) break;
      if (!this.#step(this.#walk)) return;
    }
    this.#reportProgress();
    if (this.#walk === undefined) return;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, this.#aheadMs()));
  }

  /** How long it has to wait to keep its pace. */
  #aheadMs(): number {
    const dueMs = (this.#spent / this.#options.bytesPerSecond) * 1000;
    return dueMs - (performance.now() - this.#begunAt);
  }

  /** False when the walk is over. */
  #step(walk: Generator<number>): boolean {
    try {
      const { done, value } = walk.next();
      this.#spent += value;
      return done !== true;
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.stop();
      if (error.message !== '') this.#options.report.failed(error.message);
      return false;
    }
  }

  #reportProgress(): void {
    const now = performance.now();
    if (now - this.#reportedAt < PROGRESS_MS) return;
    this.#reportedAt = now;
    this.#options.report.progress({ ...this.#progress });
  }

  // The walk. Each yield tells what was read since the one before.

  *#tree(): Generator<number, number> {
    const self = this.#locked(() => this.#enter(ROOT_KEY, ['']));
    yield self.length * NAME_BYTES;
    const directories: PathKey[] = [ROOT_KEY];
    for (let key = directories.pop(); key !== undefined; key = directories.pop()) {
      for (const child of yield* this.#directory(key)) directories.push(child);
    }
    this.#locked(() => this.#append({ type: 'end', run: this.#options.run }));
    return 0;
  }

  /** The directories in it. */
  *#directory(key: PathKey): Generator<number, readonly PathKey[]> {
    const { store } = this.#options;
    const names = this.#locked(() => {
      const found = namesOf(store, key);
      // Renamed or removed since it was seen: the copy has that from the stream.
      if ('errno' in found) return isPathError(found.errno) ? [] : this.#fail(key, found);
      this.#append({ type: 'names', path: pathOf(key), digest: namesDigest(found) });
      return found;
    });
    yield NAME_BYTES;
    const directories: PathKey[] = [];
    for (let from = 0; from < names.length; from += LOCKED_ENTRIES_MAX) {
      const some = names.slice(from, from + LOCKED_ENTRIES_MAX);
      const entered = this.#locked(() => this.#enter(key, some));
      yield some.length * NAME_BYTES;
      for (const { name, type } of entered) {
        const child = childOf(key, Buffer.from(name, 'latin1'));
        if (type === S_IFDIR) directories.push(child);
        if (type === S_IFREG) yield* this.#file(child);
      }
    }
    return directories;
  }

  /** Under the lock: what these names in a directory are. */
  #enter(key: PathKey, names: readonly PathKey[]): readonly { name: PathKey; type: number }[] {
    const entered: { name: PathKey; type: number }[] = [];
    const entries: { name: Uint8Array; digest: Uint8Array }[] = [];
    for (const text of names) {
      const name = Buffer.from(text, 'latin1');
      const child = text === '' ? key : childOf(key, name);
      const entry = this.#entries.read(child, name);
      if ('errno' in entry) {
        if (isPathError(entry.errno)) continue;
        return this.#fail(child, entry);
      }
      entries.push({ name, digest: entryDigest(entry) });
      entered.push({ name: text, type: typeOf(entry.mode) });
    }
    this.#append({ type: 'entries', path: pathOf(key), entries });
    return entered;
  }

  *#file(key: PathKey): Generator<number, void> {
    const fd = openRegular(this.#options.store, key, fsc.O_RDONLY);
    if (typeof fd !== 'number') {
      if (isMisfit(fd.errno)) return;
      return this.#fail(key, fd);
    }
    try {
      const found = this.#options.store.fs.statFd(fd, this.#stat);
      if (found < 0) this.#fail(key, { call: 'fstat', errno: -found });
      const { ino } = this.#stat;
      for (let offset = 0; ;) {
        const length = this.#locked(() => this.#part({ key, fd, ino }, offset));
        if (length === 0) break;
        offset += length;
        yield length;
      }
    } finally {
      this.#options.store.fs.close(fd);
    }
    this.#progress.files += 1;
  }

  /** Under the lock: enters the block or hole at `offset`; how long it is, 0 at the end of the file. */
  #part(file: { key: PathKey; fd: Fd; ino: number }, offset: number): number {
    const { fs, root } = this.#options.store;
    const { key, fd, ino } = file;
    const path = pathOf(key);
    const found = fs.stat(root, path, this.#stat);
    // It is another file's name now; the copy has that from the stream.
    if (found < 0 || this.#stat.ino !== ino || typeOf(this.#stat.mode) !== S_IFREG) return 0;
    const { size } = this.#stat;
    if (offset >= size) return 0;
    const hole = this.#holeAt(fd, offset, size);
    if (hole > 0) {
      this.#append({ type: 'hole', path, offset, length: hole, size });
      // Nothing was read.
      this.#spent -= hole - NAME_BYTES;
      return hole;
    }
    const length = Math.min(VERIFY_BLOCK_BYTES, size - offset);
    const count = readFully(fs, fd, this.#block.subarray(0, length), offset);
    if (count !== length) {
      this.#fail(key, { call: 'read', errno: count < 0 ? -count : EIO });
    }
    const digest = sha256(this.#block.subarray(0, length));
    this.#append({ type: 'block', path, offset, length, size, digest });
    this.#progress.bytes += length;
    return length;
  }

  /** How much of a hole is there, in whole blocks or up to the end of the file. */
  #holeAt(fd: Fd, offset: number, size: number): number {
    const data = this.#options.store.fs.seek(fd, offset, SEEK_DATA);
    if (data < 0 && data !== -ENXIO) return 0;
    const end = data === -ENXIO ? size : Math.min(data, size);
    const length = Math.min(end - offset, VERIFY_HOLE_BYTES);
    if (offset + length === size) return length;
    return length - (length % VERIFY_BLOCK_BYTES);
  }

  #locked<T>(work: () => T): T {
    const { stream } = this.#options;
    stream.enter();
    try {
      return work();
    } finally {
      stream.leave();
    }
  }

  #append(frame: VerifyFrame): void {
    // The connection is gone, and with it whoever would compare: nothing to tell.
    if (!this.#options.stream.append({ kind: 'resync', body: encodeVerify(frame) })) {
      throw new Broken('');
    }
  }

  #fail(key: PathKey, { call, errno }: CallFailure): never {
    throw new Broken(`Cannot verify ${readable(key)}: ${call}: ${errnoName(errno)}`);
  }
}
