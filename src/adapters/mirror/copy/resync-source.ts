/**
 * The sending end of a resync, on a thread of its own in the primary's mirror process.
 *
 *     walk    a stack of paths, the root at first, or those that alone can differ; each directory is
 *             listed, each path looked at, under the lock
 *     compare the copy answers with digests, a batch of files at a time; what differs is sent
 *     round   nothing left: the copy says which paths to look at again; none: the barrier
 *
 * The walk stops while the copy has many files to answer for, so memory is bounded by the pending
 * directories and one listing.
 */
import type {
  ResyncProgress,
  ResyncReport,
  ResyncSource,
  ResyncStream,
} from '../../../ports/resync.ts';
import { RESYNC_BODY_BYTES_MAX } from '../../../ports/resync.ts';
import {
  type DirtyExtent,
  type DirtyPaths,
  SMALL_FILE_BYTES,
} from '../../../protocol/dirty-paths.ts';
import { unreachable } from '../../../base/assert.ts';
import {
  RESYNC_VERSION,
  type ResyncAnswer,
  type ResyncFrame,
  type TreeEntry,
  decodeAnswer,
  encodeFrame,
  treeEntryBytes,
} from '../../../protocol/resync.ts';
import { type PathKey, ROOT_KEY, childOf, isPlainPath, keyOf, pathOf, readable } from './paths.ts';
import { listDirectory } from './remove-tree.ts';
import { SourceCompare } from './source-compare.ts';
import { SourceEntries } from './source-entries.ts';
import {
  type CallFailure,
  EXDEV,
  S_IFDIR,
  S_IFREG,
  type Store,
  errnoName,
  isPathError,
  typeOf,
} from './store.ts';

export const BLOCK_BYTES = 128 * 1024;
/** Bytes of a listing in one message. */
const LISTING_BYTES = 256 * 1024;
/** Entries that are read under one hold of the lock. */
const LOCKED_ENTRIES_MAX = 128;
/** Files that the copy may have to answer for at a time. */
const WINDOW_FILES = 4096;
/** Answers that wait to be dealt with; the copy sends no more than a few batches ahead. */
const ANSWERS_MAX = 4096;
/** Rounds before a copy counts as one that cannot be brought up to date. */
const ROUNDS_MAX = 10_000;
/** Steps before other events of the thread get their turn. */
const STEPS_PER_TURN = 16;
const PROGRESS_MS = 250;

export interface ResyncSourceOptions {
  readonly store: Store;
  readonly stream: ResyncStream;
  readonly report: ResyncReport;
  /** Undefined: anything can differ. */
  readonly dirty?: SourceDirty | undefined;
  /** The following are for tests. */
  readonly schedule?: ((work: () => void) => void) | undefined;
  readonly blockBytes?: number | undefined;
  readonly lockedEntriesMax?: number | undefined;
  readonly windowFiles?: number | undefined;
  readonly smallFileBytes?: number | undefined;
}

/** All that can differ, as long as no file with several names is concerned. */
export interface SourceDirty {
  readonly paths: DirtyPaths;
  /** Under the lock: whether a file has lost one of several names since. */
  readonly linkLost: () => boolean;
  /** The copy was the primary: what it changed then can differ, too, and it is to tell what that is. */
  readonly asksOwn: boolean;
}

interface Visit {
  readonly key: PathKey;
  /** `self`: no content, nothing below it. `region`: what `protocol/dirty-paths.ts` says. */
  readonly what: 'path' | 'directory' | 'self' | 'region';
}

export class StoreResyncSource implements ResyncSource {
  readonly #options: ResyncSourceOptions;
  readonly #entries: SourceEntries;
  readonly #compare: SourceCompare;
  readonly #visits: Visit[] = [];
  readonly #answers: ResyncAnswer[] = [];
  readonly #progress = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };
  #reportedAt = 0;
  /** Files whose last item the copy has not sent. */
  #awaited = 0;
  #round = 0;
  #phase: 'walking' | 'asked' | 'over' = 'walking';
  #scheduled = false;
  /** Everything is or was walked. */
  #whole = false;
  /** The copy is still to say where it was changed as the primary. */
  #awaitsOwn = false;

  constructor(options: ResyncSourceOptions) {
    this.#options = options;
    this.#entries = new SourceEntries(options.store);
    this.#compare = new SourceCompare({
      store: options.store,
      blockBytes: options.blockBytes ?? BLOCK_BYTES,
      locked: (work) => this.#locked(work),
      append: (frame) => this.#append(frame),
      readEntry: (key) => this.#entries.read(key, pathOf(ROOT_KEY)),
    });
  }

  start(): void {
    const blockBytes = this.#options.blockBytes ?? BLOCK_BYTES;
    const begun = this.#locked(() =>
      this.#append({ type: 'begin', version: RESYNC_VERSION, blockBytes }),
    );
    if (!begun) return;
    if (this.#options.dirty === undefined) this.#walkAll();
    else this.#walkDirty(this.#options.dirty.paths);
    this.#awaitsOwn = this.#options.dirty?.asksOwn === true;
    this.#wake();
  }

  #walkAll(): void {
    this.#whole = true;
    this.#visits.length = 0;
    this.#visits.push({ key: ROOT_KEY, what: 'directory' });
  }

  /** What is above comes first. */
  #walkDirty(paths: DirtyPaths): void {
    for (const key of [...paths.keys()].toSorted().toReversed()) {
      if (key === ROOT_KEY && paths.get(key) === 'tree') return this.#walkAll();
      const extent = paths.get(key);
      this.#visits.push({ key, what: extent === undefined || extent === 'tree' ? 'path' : extent });
    }
  }

  receive(body: Uint8Array): void {
    if (this.#phase === 'over') return;
    const answer = decodeAnswer(body);
    if (answer === undefined) return this.#fail('Cannot go on: the copy sent a malformed message');
    if (this.#answers.length >= ANSWERS_MAX) {
      return this.#fail(`Cannot go on: the copy sent more than ${ANSWERS_MAX} messages ahead`);
    }
    this.#answers.push(answer);
    this.#wake();
  }

  stop(): void {
    this.#phase = 'over';
    this.#visits.length = 0;
    this.#answers.length = 0;
  }

  #wake(): void {
    if (this.#scheduled || this.#phase === 'over') return;
    this.#scheduled = true;
    const schedule = this.#options.schedule ?? setImmediate;
    schedule(() => {
      this.#scheduled = false;
      for (let i = 0; i < STEPS_PER_TURN; i += 1) if (!this.#step()) return;
      this.#wake();
    });
  }

  /** True when something was done, and there may be more to do. */
  #step(): boolean {
    if (this.#phase === 'over') return false;
    const answer = this.#answers.shift();
    if (answer !== undefined) {
      this.#handle(answer);
      return true;
    }
    if (this.#awaited < (this.#options.windowFiles ?? WINDOW_FILES)) {
      const visit = this.#visits.pop();
      if (visit !== undefined) {
        this.#visit(visit);
        this.#reportProgress(false);
        return true;
      }
    }
    const hasMore = this.#awaited > 0 || this.#visits.length > 0 || this.#awaitsOwn;
    if (this.#phase !== 'walking' || hasMore) return false;
    this.#endRound();
    return false;
  }

  #endRound(): void {
    this.#round += 1;
    if (this.#round > ROUNDS_MAX) {
      return this.#fail(`Cannot bring the copy up to date: not done after ${ROUNDS_MAX} rounds`);
    }
    this.#locked(() => {
      if (!this.#whole && this.#options.dirty?.linkLost() === true) {
        this.#walkAll();
        this.#wake();
        return true;
      }
      this.#phase = 'asked';
      return this.#append({ type: 'round', number: this.#round });
    });
  }

  #handle(answer: ResyncAnswer): void {
    switch (answer.type) {
      case 'compare':
        return this.#compareBatch(answer);
      case 'again':
        return this.#again(answer);
      case 'own':
        return this.#own(answer);
      case 'settled':
        if (!this.#isAsked(answer.round)) return;
        this.#phase = 'over';
        this.#reportProgress(true);
        this.#options.stream.finish();
        return;
      default:
        return unreachable(answer);
    }
  }

  #compareBatch(batch: Extract<ResyncAnswer, { type: 'compare' }>): void {
    for (const item of batch.items) {
      if (!isPlainPath(keyOf(item.path), false)) {
        return this.#fail('Cannot go on: the copy sent a path that is not one of the mirror');
      }
      if (!item.gone) {
        const compared = this.#compare.compare(item);
        if (compared.result === 'over') return this.stop();
        if (compared.result === 'failed') {
          this.#failCall(keyOf(item.path), compared.failure);
          return;
        }
        if (compared.result === 'done') this.#progress.bytesDone += compared.bytes;
      }
      if (!item.last) continue;
      if (this.#awaited === 0) {
        return this.#fail('Cannot go on: the copy answers for more files than it was told of');
      }
      this.#awaited -= 1;
      this.#progress.filesDone += 1;
    }
    this.#reportProgress(false);
    this.#locked(() => this.#append({ type: 'processed', id: batch.id }));
  }

  #again(answer: Extract<ResyncAnswer, { type: 'again' }>): void {
    if (!this.#isAsked(answer.round)) return;
    for (const path of answer.paths) {
      const key = keyOf(path);
      if (!isPlainPath(key, true)) {
        return this.#fail('Cannot go on: the copy sent a path that is not one of the mirror');
      }
      this.#visits.push({ key, what: key === ROOT_KEY ? 'directory' : 'path' });
    }
    if (answer.last) this.#phase = 'walking';
  }

  #own(answer: Extract<ResyncAnswer, { type: 'own' }>): void {
    if (!this.#awaitsOwn) return this.#fail('Cannot go on: the copy told what was not asked for');
    this.#awaitsOwn = !answer.last;
    const parts = new Map<PathKey, DirtyExtent>();
    for (const { path, extent } of answer.parts) {
      const key = keyOf(path);
      if (!isPlainPath(key, true)) {
        return this.#fail('Cannot go on: the copy sent a path that is not one of the mirror');
      }
      parts.set(key, extent);
    }
    if (!this.#whole) this.#walkDirty(parts);
  }

  #isAsked(round: number): boolean {
    if (this.#phase === 'asked' && round === this.#round) return true;
    this.#fail(`Cannot go on: the copy answers to round ${round}, which was not asked`);
    return false;
  }

  #visit(visit: Visit): void {
    if (visit.what === 'directory') this.#visitDirectory(visit.key);
    else if (visit.what === 'region') this.#visitRegion(visit.key);
    else if (visit.what === 'path') this.#locked(() => this.#enterPath(visit.key));
    else this.#locked(() => this.#enterSelf(visit.key));
  }

  /** Under the lock: the attributes of `key`. */
  #enterSelf(key: PathKey): boolean {
    const entry = this.#entries.read(key, pathOf(ROOT_KEY));
    if (!('errno' in entry)) return this.#append({ type: 'settle', path: pathOf(key), entry });
    // Renamed or removed since: the stream has that.
    return isPathError(entry.errno) || this.#failCall(key, entry);
  }

  /** Under the lock: what is at `key` now. */
  #enterPath(key: PathKey): boolean {
    const entry = this.#entries.read(key, pathOf(ROOT_KEY));
    if (!('errno' in entry)) {
      this.#note(key, entry);
      return this.#append({ type: 'path', path: pathOf(key), entry });
    }
    if (!isPathError(entry.errno)) return this.#failCall(key, entry);
    return this.#append({ type: 'path', path: pathOf(key), entry: undefined });
  }

  /** The directory and what is directly in it; of what has much in it only what it is. */
  #visitRegion(key: PathKey): void {
    const limit = this.#options.lockedEntriesMax ?? LOCKED_ENTRIES_MAX;
    let names: readonly { readonly name: Uint8Array }[] = [];
    const goOn = this.#locked(() => {
      const listing = listDirectory(this.#options.store, key);
      // No directory has that name now: what has it is told as a path.
      if ('errno' in listing) {
        if (key === ROOT_KEY || !isPathError(listing.errno)) return this.#failCall(key, listing);
        return this.#enterPath(key);
      }
      names = listing;
      const self = this.#entries.read(key, pathOf(ROOT_KEY));
      if ('errno' in self) return this.#failCall(key, self);
      return this.#append({ type: 'settle', path: pathOf(key), entry: self });
    });
    if (goOn) this.#visitEntries(key, names, limit, (child) => this.#enterSmall(child));
  }

  /** Under the lock: what is at `key` now, with its content if that is small. */
  #enterSmall(key: PathKey): boolean {
    const entry = this.#entries.read(key, pathOf(ROOT_KEY));
    const small = this.#options.smallFileBytes ?? SMALL_FILE_BYTES;
    const isSmall = 'errno' in entry || (typeOf(entry.mode) !== S_IFDIR && entry.size < small);
    if (isSmall) return this.#enterPath(key);
    if (typeOf(entry.mode) !== S_IFDIR && entry.links > 1 && !this.#whole) this.#walkAll();
    return this.#append({ type: 'settle', path: pathOf(key), entry });
  }

  #visitDirectory(key: PathKey): void {
    const limit = this.#options.lockedEntriesMax ?? LOCKED_ENTRIES_MAX;
    let large: readonly { readonly name: Uint8Array }[] = [];
    const goOn = this.#locked(() => {
      const listing = listDirectory(this.#options.store, key);
      // Renamed or removed since it was queued: the stream has that, and the copy asks if it must.
      if ('errno' in listing) return isPathError(listing.errno) || this.#failCall(key, listing);
      if (listing.length <= limit) return this.#enterListing(key, listing, true);
      large = listing;
      // What is made in it meanwhile inherits from its attributes, so they come first.
      const self = this.#entries.read(key, pathOf(ROOT_KEY));
      if ('errno' in self) return this.#failCall(key, self);
      return this.#append({ type: 'settle', path: pathOf(key), entry: self });
    });
    if (goOn && large.length > 0) {
      this.#visitEntries(key, large, limit, (child) => this.#enterPath(child));
    }
  }

  /** Entries of a directory, a few at a time, each at a position of its own; then the names alone. */
  #visitEntries(
    key: PathKey,
    entries: readonly { readonly name: Uint8Array }[],
    limit: number,
    enter: (child: PathKey) => boolean,
  ): void {
    for (let from = 0; from < entries.length; from += limit) {
      const some = entries.slice(from, from + limit);
      const children = some.map(({ name }) => childOf(key, name));
      if (!this.#locked(() => children.every((child) => enter(child)))) return;
    }
    this.#locked(() => {
      const listing = listDirectory(this.#options.store, key);
      if ('errno' in listing) return isPathError(listing.errno) || this.#failCall(key, listing);
      return this.#enterListing(key, listing, false);
    });
  }

  /** Under the lock: all parts of a listing, with the entries or with their names only. */
  #enterListing(
    key: PathKey,
    listing: readonly { readonly name: Uint8Array }[],
    withEntries: boolean,
  ): boolean {
    const path = pathOf(key);
    const self = this.#entries.read(key, pathOf(ROOT_KEY));
    if ('errno' in self) return this.#failCall(key, self);
    let part = { entries: [] as TreeEntry[], names: [] as Uint8Array[], bytes: 0, first: true };
    for (const { name } of listing) {
      const child = childOf(key, name);
      const entry = withEntries ? this.#entries.read(child, name) : undefined;
      if (entry !== undefined && 'errno' in entry) return this.#failCall(child, entry);
      const bytes = entry === undefined ? name.length + 4 : treeEntryBytes(entry);
      if (part.bytes > 0 && part.bytes + bytes > LISTING_BYTES) {
        const { first, entries, names } = part;
        const frame = { type: 'directory', path, first, self: undefined, entries, names } as const;
        if (!this.#append(frame)) return false;
        part = { entries: [], names: [], bytes: 0, first: false };
      }
      part.bytes += bytes;
      if (entry === undefined) part.names.push(name);
      else part.entries.push(entry);
      if (entry !== undefined) this.#note(child, entry);
    }
    const { first, entries, names } = part;
    return this.#append({ type: 'directory', path, first, self, entries, names });
  }

  /** An entry goes into the stream: walk it, or await the copy's answer. */
  #note(key: PathKey, entry: TreeEntry): void {
    const type = typeOf(entry.mode);
    // Which other names it has is not known, and the copy must place all of them.
    if (type !== S_IFDIR && entry.links > 1 && !this.#whole) this.#walkAll();
    if (type === S_IFDIR) this.#visits.push({ key, what: 'directory' });
    if (type !== S_IFREG) return;
    this.#progress.filesTotal += 1;
    this.#progress.bytesTotal += entry.size;
    if (entry.size > 0) this.#awaited += 1;
    else this.#progress.filesDone += 1;
  }

  /** False when the resync is over. */
  #locked(work: () => boolean): boolean {
    if (this.#phase === 'over') return false;
    const { stream } = this.#options;
    stream.enter();
    try {
      if (work()) return true;
    } finally {
      stream.leave();
    }
    this.stop();
    return false;
  }

  #append(frame: ResyncFrame): boolean {
    const body = encodeFrame(frame);
    if (body.length <= RESYNC_BODY_BYTES_MAX) {
      return this.#options.stream.append({ kind: 'resync', body });
    }
    const key = 'path' in frame ? keyOf(frame.path) : ROOT_KEY;
    const what = `what is known of ${readable(key)} takes ${body.length} bytes`;
    this.#fail(`Cannot mirror: ${what}, more than ${RESYNC_BODY_BYTES_MAX}`);
    return false;
  }

  #reportProgress(end: boolean): void {
    const now = performance.now();
    if (!end && now - this.#reportedAt < PROGRESS_MS) return;
    this.#reportedAt = now;
    const { filesTotal, bytesTotal, filesDone, bytesDone } = this.#progress;
    const progress: ResyncProgress = end
      ? { filesDone: filesTotal, filesTotal, bytesDone: bytesTotal, bytesTotal }
      : { filesDone, filesTotal, bytesDone: Math.min(bytesDone, bytesTotal), bytesTotal };
    this.#options.report.progress(progress);
  }

  #failCall(key: PathKey, failure: CallFailure): false {
    const mounted = 'another file system is mounted there; unmount it, or mirror it by itself';
    const cause =
      failure.errno === EXDEV ? mounted : `${failure.call}: ${errnoName(failure.errno)}`;
    this.#fail(`Cannot read ${readable(key)}: ${cause}`);
    return false;
  }

  #fail(reason: string): void {
    if (this.#phase === 'over') return;
    this.stop();
    this.#options.report.failed(reason);
  }
}
