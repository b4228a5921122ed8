/**
 * Makes one path of the copy be what the source says it is: type, target, device, hard links,
 * attributes; everything but the content of files.
 *
 * Hard links. Writing to a wrongly shared inode would change a file that has been compared. So an
 * inode with several names that is not known to be rightly shared (link-names.ts) is never kept:
 * the name gets an inode of its own, which holds the invariant
 *
 *     no inode has both a name that was looked at and one that was not,
 *     unless the two are one file on the source.
 */
import type { TreeEntry } from '../../../protocol/resync.ts';
import type { FileStat } from '../../../ports/file-system.ts';
import { assert } from '../../../base/assert.ts';
import { LinkNames } from './link-names.ts';
import type { OpenFiles } from './open-files.ts';
import { matchAttributes, sameBytes } from './inode-attributes.ts';
import { type PathKey, ROOT_KEY, parentOf, pathOf } from './paths.ts';
import { removeTree } from './remove-tree.ts';
import {
  type CallFailure,
  ENOENT,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type Store,
  failureOf,
  isPathError,
  newFileStat,
  typeOf,
} from './store.ts';

/** `empty`: nothing of the content is there; `present`: compare; `none`: nothing to compare. */
export type Content = 'none' | 'empty' | 'present';

export type Placed =
  | { readonly result: 'placed'; readonly content: Content }
  /** The tree above is not as the source's: `mark` must be looked at first. */
  | { readonly result: 'misplaced'; readonly mark: PathKey }
  | { readonly result: 'failed'; readonly failure: CallFailure };

const CLOSED_FILE = 0o600;
const CLOSED_DIRECTORY = 0o700;

export class TreeFixer {
  /** Kept by the live changes too. */
  readonly links = new LinkNames();
  readonly #store: Store;
  readonly #files: OpenFiles;

  constructor(store: Store, files: OpenFiles) {
    this.#store = store;
    this.#files = files;
  }

  /** Makes `key` be `entry`. A directory's own attributes are final only with its listing. */
  place(key: PathKey, entry: TreeEntry): Placed {
    const stat = newFileStat();
    const failure =
      this.#makeFit(key, entry) ??
      this.#lookAt(key, stat) ??
      this.#emptyIfWanted(key, entry, stat) ??
      matchAttributes(this.#store, key, entry);
    if (failure === undefined) return { result: 'placed', content: contentToCompare(entry, stat) };
    if (!isPathError(failure.errno)) return { result: 'failed', failure };
    return { result: 'misplaced', mark: parentOf(key) ?? key };
  }

  /** Nothing is at `key` on the source. */
  remove(key: PathKey): CallFailure | undefined {
    this.#files.dropWithin(key);
    const failure = removeTree(this.#store, key, (name) => this.links.remove(name));
    // Without the way to it, it is not there either.
    return failure !== undefined && isPathError(failure.errno) ? undefined : failure;
  }

  /** A live link was made: its inode is rightly shared if it was not wrongly shared before. */
  linked(existing: PathKey, key: PathKey): void {
    const stat = newFileStat();
    if (this.#lookAt(key, stat) !== undefined) return;
    if (!this.links.has(stat.ino)) {
      if (stat.nlink !== 2) return;
      this.links.add(existing, stat.ino);
    }
    this.links.add(key, stat.ino);
  }

  /** Makes the directories above `key`, in place of whatever is no directory there. */
  makeWayTo(key: PathKey, made: (directory: PathKey) => void): CallFailure | undefined {
    const parent = parentOf(key);
    if (parent === undefined || parent === ROOT_KEY) return undefined;
    const above = this.makeWayTo(parent, made);
    if (above !== undefined) return above;
    const stat = newFileStat();
    const missing = this.#lookAt(parent, stat);
    if (missing === undefined && typeOf(stat.mode) === S_IFDIR) return undefined;
    made(parent);
    const { fs, root } = this.#store;
    return (
      this.remove(parent) ?? failureOf('mkdir', fs.mkdir(root, pathOf(parent), CLOSED_DIRECTORY))
    );
  }

  #lookAt(key: PathKey, stat: FileStat): CallFailure | undefined {
    return failureOf('stat', this.#store.fs.stat(this.#store.root, pathOf(key), stat));
  }

  /** Keeps what is at `key` if it can become `entry`, otherwise replaces it. */
  #makeFit(key: PathKey, entry: TreeEntry): CallFailure | undefined {
    const stat = newFileStat();
    const missing = this.#lookAt(key, stat);
    if (missing !== undefined && missing.errno !== ENOENT) return missing;
    const keep = missing === undefined && this.#fits(key, entry, stat);
    const shared = typeOf(entry.mode) !== S_IFDIR && entry.links > 1;
    const counterpart = shared ? this.links.counterpart(entry.ino) : undefined;
    if (keep && (!shared || counterpart === stat.ino)) return undefined;
    if (counterpart !== undefined && this.#isUsable(counterpart, entry)) {
      return this.#join(key, keep ? stat.ino : undefined, counterpart);
    }
    const failure = keep ? undefined : (this.remove(key) ?? this.#create(key, entry));
    if (failure !== undefined || !shared) return failure;
    const unseen = this.#lookAt(key, stat);
    if (unseen !== undefined) return unseen;
    this.links.add(key, stat.ino);
    this.links.setCounterpart(entry.ino, stat.ino);
    return undefined;
  }

  /** Whether a name of `ino` is still what it was entered as, and can be `entry`. */
  #isUsable(ino: number, entry: TreeEntry): boolean {
    const [name] = this.links.namesOf(ino);
    const stat = newFileStat();
    if (name === undefined || this.#lookAt(name, stat) !== undefined) return false;
    return stat.ino === ino && this.#fits(name, entry, stat);
  }

  /**
   * Makes `key` a name of `other`. If `key` has an inode that is rightly shared, its other names
   * are the same file on the source, so they come along.
   */
  #join(key: PathKey, ino: number | undefined, other: number): CallFailure | undefined {
    const [existing] = this.links.namesOf(other);
    assert(existing !== undefined, 'an inode is usable by a name');
    const along = ino === undefined ? [] : this.links.namesOf(ino);
    const { fs, root } = this.#store;
    for (const name of new Set([key, ...along])) {
      const failure =
        this.remove(name) ?? failureOf('link', fs.link(root, pathOf(existing), pathOf(name)));
      if (failure !== undefined) return failure;
      this.links.add(name, other);
    }
    return undefined;
  }

  #fits(key: PathKey, entry: TreeEntry, present: FileStat): boolean {
    const type = typeOf(entry.mode);
    if (type !== typeOf(present.mode)) return false;
    if (type !== S_IFDIR && present.nlink > 1 && !this.links.has(present.ino)) return false;
    if (type === S_IFCHR || type === S_IFBLK) return entry.device === present.device;
    if (type !== S_IFLNK) return true;
    const target = this.#store.fs.readlink(this.#store.root, pathOf(key));
    return typeof target !== 'number' && sameBytes(target, entry.target);
  }

  #create(key: PathKey, entry: TreeEntry): CallFailure | undefined {
    const { fs, root } = this.#store;
    const path = pathOf(key);
    const type = typeOf(entry.mode);
    if (type === S_IFDIR) return failureOf('mkdir', fs.mkdir(root, path, CLOSED_DIRECTORY));
    if (type === S_IFLNK) return failureOf('symlink', fs.symlink(root, path, entry.target));
    return failureOf('mknod', fs.mknod(root, path, type | CLOSED_FILE, entry.device));
  }

  /** An empty file needs no comparing: it is made empty here, at the position of its listing. */
  #emptyIfWanted(key: PathKey, entry: TreeEntry, stat: FileStat): CallFailure | undefined {
    if (typeOf(entry.mode) !== S_IFREG || entry.size > 0 || stat.size === 0) return undefined;
    const file = this.#files.get(key);
    if ('errno' in file) return file;
    return failureOf('ftruncate', this.#store.fs.truncateFd(file.fd, 0));
  }
}

function contentToCompare(entry: TreeEntry, stat: FileStat): Content {
  if (typeOf(entry.mode) !== S_IFREG || entry.size === 0) return 'none';
  return stat.size === 0 ? 'empty' : 'present';
}
