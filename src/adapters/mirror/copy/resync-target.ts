/**
 * The receiving end of a resync. Frames come in the order of the stream, between the live changes;
 * each is carried out at once. Files to compare go to the digest queue, paths to look at again to
 * the pending paths. Everything is docs/internals/mirror-resync.md.
 *
 * Once a round ends with nothing queued the copy equals the source at that position of the stream:
 * `settled`. From there on nothing is tolerated any more.
 */
import {
  RESYNC_VERSION,
  type ResyncAnswer,
  type ResyncFrame,
  type TreeEntry,
  decodeFrame,
  encodeAnswer,
} from '../../../protocol/resync.ts';
import type { DirtyPaths } from '../../../protocol/dirty-paths.ts';
import { unreachable } from '../../../base/assert.ts';
import type { Background } from './background.ts';
import { RENAME_EXCHANGE, type TreeChange, otherPath } from './change-applier.ts';
import { DigestQueue } from './digest-queue.ts';
import { matchAttributes } from './inode-attributes.ts';
import type { OpenFiles } from './open-files.ts';
import {
  LOST_AND_FOUND,
  type PathKey,
  ROOT_KEY,
  childOf,
  isPlainName,
  isPlainPath,
  isWithin,
  keyOf,
  pathOf,
  readable,
} from './paths.ts';
import { PendingPaths } from './pending-paths.ts';
import { listDirectory } from './remove-tree.ts';
import {
  type CallFailure,
  EOPNOTSUPP,
  S_IFDIR,
  S_IFREG,
  type Store,
  errnoName,
  failureOf,
  isMisfit,
  isPathError,
  newFileStat,
  typeOf,
  writeFully,
} from './store.ts';
import { TreeFixer } from './tree-fixer.ts';

const BLOCK_BYTES_MAX = 1024 * 1024;
/** Names of changed files that are remembered. */
const CHANGED_MAX = 100_000;
/** Bytes of paths in one answer. */
const ANSWER_BYTES = 64 * 1024;
const PUNCH_HOLE_KEEP_SIZE = 3;
const RENAME_NOREPLACE = 1;
/** FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE. */
const COLLAPSE_OR_INSERT = 0x08 | 0x20;

type Rename = Extract<TreeChange, { type: 'rename' }>;
type Of<T extends ResyncFrame['type']> = Extract<ResyncFrame, { type: T }>;

export interface ResyncTargetDeps {
  readonly store: Store;
  readonly files: OpenFiles;
  readonly background: Background;
  readonly answer: (body: Uint8Array) => void;
  /** Where it was changed as the primary; undefined when the source does not ask. */
  readonly own?: DirtyPaths | undefined;
  /** The copy cannot go on. */
  readonly failed: (reason: string) => void;
  /** For tests. */
  readonly itemDigests?: number | undefined;
  readonly pendingMax?: number | undefined;
}

interface Listing {
  readonly key: PathKey;
  readonly names: Set<PathKey>;
  /** False when the copy has no such directory: it comes again once its parent was looked at. */
  readonly usable: boolean;
}

export class ResyncTarget {
  readonly #deps: ResyncTargetDeps;
  readonly #pending: PendingPaths;
  readonly #fixer: TreeFixer;
  #digests: DigestQueue | undefined;
  #listing: Listing | undefined;
  #settled = false;
  /** Names through which a file was changed that was not compared; see `#noteDoubt`. */
  #changed = new Set<PathKey>();
  #linksDoubtful = false;
  /** Those that are over. */
  #rounds = 0;

  constructor(deps: ResyncTargetDeps) {
    this.#deps = deps;
    this.#pending = new PendingPaths(deps.pendingMax);
    this.#fixer = new TreeFixer(deps.store, deps.files);
  }

  /** The copy equals the source at this position. */
  get settled(): boolean {
    return this.#settled;
  }

  async stop(): Promise<void> {
    await this.#digests?.stop();
  }

  /** Carries out one frame. */
  frame(body: Uint8Array): void {
    const frame = decodeFrame(body);
    if (frame === undefined) return this.#refuse('a malformed message');
    if (frame.type === 'begin') return this.#begin(frame);
    if (this.#settled) return this.#refuse(`"${frame.type}" after the end of the resync`);
    const digests = this.#digests;
    if (digests === undefined) return this.#refuse(`"${frame.type}" before the beginning`);
    if (frame.type === 'processed') return this.#processed(digests, frame.id);
    if (frame.type === 'round') return this.#round(frame.number);
    const key = keyOf(frame.path);
    const rootAllowed = frame.type === 'directory' || frame.type === 'settle';
    if (!isPlainPath(key, rootAllowed)) return this.#refusePath(key);
    return this.#tree(digests, key, frame);
  }

  /** A live change was tried on the copy as it is; `failure` when it did not fit. */
  live(change: TreeChange, failure: CallFailure | undefined): void {
    const key = keyOf(change.path);
    const other = otherPath(change);
    this.#noteDoubt(change, key);
    if (failure !== undefined) {
      if (change.type === 'rename') this.#forceRename(change);
      this.#pending.mark(key);
      if (other !== undefined) this.#pending.mark(other);
      return;
    }
    switch (change.type) {
      case 'create':
      case 'mkdir':
      case 'symlink':
        return this.#pending.clear(key);
      case 'unlink':
      case 'rmdir':
        this.#fixer.links.remove(key);
        return this.#pending.clear(key);
      case 'link':
        return this.#linked(keyOf(change.existing), key);
      case 'rename':
        return this.#renamed(change);
      case 'allocate':
        // What moves bytes makes wrong what was compared of them, and what is being compared.
        if ((change.mode & COLLAPSE_OR_INSERT) !== 0 && this.#pending.touches(key, false)) {
          this.#pending.mark(key);
        }
        return;
      default:
    }
  }

  #linked(existing: PathKey, key: PathKey): void {
    this.#fixer.linked(existing, key);
    if (this.#pending.touches(existing, false)) this.#pending.mark(key);
    else this.#pending.clear(key);
  }

  /**
   * Two names that are one file on the source may be two here until both were looked at. A change
   * through the one that was not then misses the other. Comparing the first sets that right, unless
   * the name goes away before; then all files with several names are to be compared once more.
   */
  #noteDoubt(change: TreeChange, key: PathKey): void {
    switch (change.type) {
      case 'create':
        this.#changed.delete(key);
        return;
      case 'write':
      case 'truncate':
      case 'allocate':
      case 'attributes':
      case 'setxattr':
      case 'removexattr':
        if (this.#changed.has(key) || !this.#pending.touches(key, false)) return;
        if (this.#changed.size >= CHANGED_MAX) this.#linksDoubtful = true;
        else this.#changed.add(key);
        return;
      case 'rename':
        this.#moveDoubt(keyOf(change.from), key);
        return;
      case 'unlink':
        if (this.#changed.delete(key)) this.#linksDoubtful = true;
        return;
      default:
    }
  }

  #moveDoubt(from: PathKey, to: PathKey): void {
    if (this.#changed.delete(to)) this.#linksDoubtful = true;
    const moved = [...this.#changed].filter((key) => isWithin(key, from));
    for (const key of moved) {
      this.#changed.delete(key);
      this.#changed.add(to + key.slice(from.length));
    }
  }

  /**
   * A rename did not fit. What the copy has under the new name is nobody's there any more, but its
   * inodes may have other names that were compared; a write to what the source has there now must
   * not reach those. And what the old name has may be linked elsewhere, so it must not get lost.
   * So the way is made free, and it is tried again; then it can only fail for want of the old name.
   */
  #forceRename(change: Rename): void {
    const [from, to] = [keyOf(change.from), keyOf(change.path)];
    const exchange = (change.flags & RENAME_EXCHANGE) !== 0;
    const made = (key: PathKey): void => this.#pending.mark(key);
    const blocked =
      this.#fixer.makeWayTo(to, made) ??
      (exchange ? this.#fixer.makeWayTo(from, made) : this.#fixer.remove(to));
    if (blocked !== undefined) return this.#fail(to, 'rename', blocked);
    const { fs, root } = this.#deps.store;
    const flags = RENAME_NOREPLACE;
    let result = fs.rename(root, change.from, change.path, flags);
    if (result >= 0) this.#fixer.links.move(from, to, this.#isDirectory(to));
    if (result < 0 && exchange) {
      // The other one is missing.
      result = fs.rename(root, change.path, change.from, flags);
      if (result >= 0) this.#fixer.links.move(to, from, this.#isDirectory(from));
    }
    const failure = failureOf('rename', result);
    if (failure !== undefined && !isPathError(failure.errno)) this.#fail(to, 'rename', failure);
  }

  #removed(key: PathKey): boolean {
    const failure = this.#fixer.remove(key);
    if (failure !== undefined) this.#fail(key, 'remove', failure);
    return failure === undefined;
  }

  /**
   * A name that was not (wholly) compared keeps that with its new name. The old name too: between
   * two names of one inode rename(2) does nothing, and they may be one here and two there.
   */
  #renamed(change: Rename): void {
    const [from, to] = [keyOf(change.from), keyOf(change.path)];
    const isDirectory = this.#isDirectory(to);
    const fromTouched = this.#pending.touches(from, isDirectory);
    let toTouched = false;
    if ((change.flags & RENAME_EXCHANGE) !== 0) {
      toTouched = this.#pending.touches(to, this.#isDirectory(from));
      this.#fixer.links.exchange(from, to);
    } else if (!this.#exists(from)) {
      this.#fixer.links.move(from, to, isDirectory);
    }
    if (fromTouched) this.#pending.mark(to);
    else this.#pending.clear(to);
    if (fromTouched || toTouched) this.#pending.mark(from);
  }

  #exists(key: PathKey): boolean {
    const { fs, root } = this.#deps.store;
    return fs.stat(root, pathOf(key), newFileStat()) >= 0;
  }

  #isDirectory(key: PathKey): boolean {
    const stat = newFileStat();
    const { fs, root } = this.#deps.store;
    return fs.stat(root, pathOf(key), stat) >= 0 && typeOf(stat.mode) === S_IFDIR;
  }

  #begin(frame: Of<'begin'>): void {
    if (frame.version !== RESYNC_VERSION) {
      return this.#refuse(`version ${frame.version} of the resync, known is ${RESYNC_VERSION}`);
    }
    if (this.#digests !== undefined) return this.#refuse('a second beginning');
    if (frame.blockBytes < 1 || frame.blockBytes > BLOCK_BYTES_MAX) {
      return this.#refuse(`blocks of ${frame.blockBytes} bytes`);
    }
    const { store, background, failed, itemDigests } = this.#deps;
    this.#digests = new DigestQueue(frame.blockBytes, {
      store,
      background,
      failed,
      itemDigests,
      send: (id, items) => this.#answer({ type: 'compare', id, items }),
    });
    if (this.#deps.own !== undefined) this.#tellOwn(this.#deps.own);
  }

  #tellOwn(own: DirtyPaths): void {
    const parts = [...own].map(([key, extent]) => ({ path: pathOf(key), extent }));
    for (const [batch, last] of batches(parts, ({ path }) => path.length)) {
      this.#answer({ type: 'own', parts: batch, last });
    }
  }

  #tree(
    digests: DigestQueue,
    key: PathKey,
    frame: Exclude<ResyncFrame, { type: 'begin' | 'processed' | 'round' }>,
  ): void {
    switch (frame.type) {
      case 'directory':
        return this.#directory(digests, key, frame);
      case 'path':
        return this.#path(digests, key, frame.entry);
      case 'resize':
      case 'data':
      case 'zeros':
        return this.#check(key, frame.type, this.#content(key, frame));
      case 'settle':
        return this.#settle(key, frame.entry);
      default:
        return unreachable(frame);
    }
  }

  /** Attributes are for what the source has there; something else may have that name here as yet. */
  #settle(key: PathKey, entry: TreeEntry): void {
    const { fs, root } = this.#deps.store;
    const stat = newFileStat();
    const missing = failureOf('stat', fs.stat(root, pathOf(key), stat));
    if (missing !== undefined) return this.#check(key, 'settle', missing);
    if (typeOf(stat.mode) !== typeOf(entry.mode)) return this.#pending.mark(key);
    if (typeOf(entry.mode) === S_IFREG && this.#mayHaveGrown(key)) this.#pending.mark(key);
    this.#check(key, 'settle', matchAttributes(this.#deps.store, key, entry));
  }

  /**
   * Of a large file in a region the source tells no content, because a small one would have been changed
   * there. This one may have been small when the resync began.
   */
  #mayHaveGrown(key: PathKey): boolean {
    if (this.#deps.own === undefined || this.#rounds > 0) return false;
    return this.#changed.has(key) || this.#changed.size >= CHANGED_MAX;
  }

  #directory(digests: DigestQueue, key: PathKey, frame: Of<'directory'>): void {
    if (frame.first) {
      const usable = this.#isDirectory(key);
      if (!usable) this.#pending.mark(key);
      this.#listing = { key, names: new Set(), usable };
    }
    const listing = this.#listing;
    if (listing === undefined || listing.key !== key) return this.#refuse('a listing out of order');
    for (const entry of frame.entries) {
      const name = keyOf(entry.name);
      if (!isPlainName(name)) return this.#refusePath(childOf(key, entry.name));
      listing.names.add(name);
      this.#entry(digests, { key: childOf(key, entry.name), entry, usable: listing.usable });
    }
    for (const name of frame.names) listing.names.add(keyOf(name));
    if (frame.self === undefined) return;
    this.#listing = undefined;
    if (!listing.usable) return;
    if (this.#removeExtras(listing)) {
      this.#check(key, 'directory', matchAttributes(this.#deps.store, key, frame.self));
    }
  }

  #removeExtras(listing: Listing): boolean {
    const present = listDirectory(this.#deps.store, listing.key);
    if ('errno' in present) {
      this.#check(listing.key, 'list', present);
      return false;
    }
    for (const { name } of present) {
      const extra = keyOf(name);
      if (listing.names.has(extra)) continue;
      if (listing.key === ROOT_KEY && extra === LOST_AND_FOUND) continue;
      if (!this.#removed(childOf(listing.key, name))) return false;
    }
    return true;
  }

  #path(digests: DigestQueue, key: PathKey, entry: TreeEntry | undefined): void {
    if (entry !== undefined) {
      this.#pending.begin(key);
      this.#entry(digests, { key, entry, usable: true });
      return;
    }
    if (this.#removed(key)) this.#pending.clear(key);
  }

  /** Brings one entry into its place; each file with content leads to exactly one last item. */
  #entry(digests: DigestQueue, at: { key: PathKey; entry: TreeEntry; usable: boolean }): void {
    const { key, entry } = at;
    const hasContent = typeOf(entry.mode) === S_IFREG && entry.size > 0;
    if (!at.usable) {
      if (hasContent) digests.want(key, 'gone');
      return;
    }
    const placed = this.#fixer.place(key, entry);
    switch (placed.result) {
      case 'failed':
        return this.#fail(key, 'place', placed.failure);
      case 'misplaced':
        this.#pending.mark(placed.mark);
        if (hasContent) digests.want(key, 'gone');
        return;
      case 'placed':
        if (placed.content !== 'none') digests.want(key, placed.content);
        else if (typeOf(entry.mode) !== S_IFDIR) this.#pending.done(key);
        return;
      default:
        return unreachable(placed);
    }
  }

  #content(key: PathKey, frame: Of<'resize' | 'data' | 'zeros'>): CallFailure | undefined {
    const file = this.#deps.files.get(key);
    if ('errno' in file) return file;
    const { fs } = this.#deps.store;
    if (frame.type === 'data') return writeFully(fs, file.fd, frame);
    if (frame.type === 'resize') {
      const result = fs.truncateFd(file.fd, frame.size);
      return result < 0 ? { call: 'ftruncate', errno: -result } : undefined;
    }
    const { offset, length } = frame;
    const punched = fs.allocate(file.fd, PUNCH_HOLE_KEEP_SIZE, offset, length);
    if (punched >= 0) return undefined;
    if (punched !== -EOPNOTSUPP) return { call: 'fallocate', errno: -punched };
    return writeFully(fs, file.fd, { data: new Uint8Array(length), offset });
  }

  #processed(digests: DigestQueue, id: number): void {
    const finished = digests.processed(id);
    if (finished === undefined)
      return this.#refuse(`an end of batch ${id}, which is not under way`);
    for (const key of finished) this.#pending.done(key);
  }

  #round(number: number): void {
    if (this.#linksDoubtful) {
      for (const key of this.#fixer.links.oneOfEach()) this.#pending.mark(key);
    }
    this.#linksDoubtful = false;
    this.#rounds += 1;
    const paths = this.#pending.nextRound();
    const pending = [...this.#changed].filter((key) => this.#pending.touches(key, false));
    this.#changed = new Set(pending);
    if (paths.length === 0) {
      this.#settled = true;
      this.#answer({ type: 'settled', round: number });
      return;
    }
    for (const [batch, last] of batches(paths, (key) => key.length)) {
      this.#answer({ type: 'again', round: number, paths: batch.map(pathOf), last });
    }
  }

  /** What the source sends fits unless the path is not as it was when the source looked. */
  #check(key: PathKey, what: string, failure: CallFailure | undefined): void {
    if (failure === undefined) return;
    if (isMisfit(failure.errno)) this.#pending.mark(key);
    else this.#fail(key, what, failure);
  }

  #fail(key: PathKey, what: string, failure: CallFailure): void {
    const cause = `${failure.call}: ${errnoName(failure.errno)}`;
    this.#deps.failed(`Cannot bring the copy of ${readable(key)} up to date (${what}): ${cause}`);
  }

  #refuse(what: string): void {
    this.#deps.failed(`Cannot go on with the resync: the primary sent ${what}`);
  }

  #refusePath(key: PathKey): void {
    this.#refuse(`a path that is not one of the mirror: ${JSON.stringify(key)}`);
  }

  #answer(answer: ResyncAnswer): void {
    this.#deps.answer(encodeAnswer(answer));
  }
}

/** Parts of a list that fit into one answer each, and whether it is the last; one when it is empty. */
function* batches<T>(
  all: readonly T[],
  bytesOf: (item: T) => number,
): Generator<readonly [batch: readonly T[], last: boolean]> {
  let from = 0;
  let bytes = 0;
  for (const [index, item] of all.entries()) {
    bytes += bytesOf(item) + 5;
    if (bytes < ANSWER_BYTES || index === all.length - 1) continue;
    yield [all.slice(from, index + 1), false];
    from = index + 1;
    bytes = 0;
  }
  yield [all.slice(from), true];
}
