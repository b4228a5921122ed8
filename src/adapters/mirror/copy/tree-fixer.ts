/**
 * Makes one path of the copy be what the source says it is: type, target, device, hard links,
 * attributes; everything but the content of files.
 *
 * Hard links. The copy may have two names on one inode that are two files on the source, left from
 * a time before this resync. Writing to one would then change the other, even one that has been
 * compared. So a *suspect* inode (several names, and not known to be rightly so) is never kept: the
 * name gets an inode of its own, which holds the invariant
 *
 *     no inode has both a name that was looked at and one that was not.
 *
 * An inode is known to be rightly shared (`shared`) when its second name was made by a live link
 * while it had one name, or by this class. Inodes that are made during the resync, also those that
 * reuse a number, have one name at first, so only inodes from before it can be suspect.
 */
import type { TreeEntry } from '../../../protocol/resync.ts';
import type { FileStat } from '../../../ports/file-system.ts';
import type { OpenFiles } from './open-files.ts';
import { matchAttributes, sameBytes } from './inode-attributes.ts';
import { type PathKey, keyOf, parentOf, pathOf } from './paths.ts';
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
  readonly #store: Store;
  readonly #files: OpenFiles;
  readonly #mark: (key: PathKey) => void;
  readonly #shared = new Set<number>();

  constructor(store: Store, files: OpenFiles, mark: (key: PathKey) => void) {
    this.#store = store;
    this.#files = files;
    this.#mark = mark;
  }

  /** Makes `key` be `entry`. A directory's own attributes are final only with its listing. */
  place(key: PathKey, entry: TreeEntry): Placed {
    const made = this.#makeFit(key, entry);
    if (made !== undefined) return this.#misfit(key, made);
    const stat = newFileStat();
    const found = failureOf('stat', this.#store.fs.stat(this.#store.root, pathOf(key), stat));
    if (found !== undefined) return this.#misfit(key, found);
    const emptied = this.#emptyIfWanted(key, entry, stat);
    if (emptied !== undefined) return this.#misfit(key, emptied);
    const failure = matchAttributes(this.#store, key, entry);
    if (failure !== undefined) return this.#misfit(key, failure);
    return { result: 'placed', content: contentToCompare(entry, stat) };
  }

  /** Nothing is at `key` on the source. */
  remove(key: PathKey): CallFailure | undefined {
    this.#files.dropWithin(key);
    const failure = removeTree(this.#store, key);
    // Without the way to it, it is not there either.
    return failure !== undefined && isPathError(failure.errno) ? undefined : failure;
  }

  /** A live link was made: its inode is rightly shared if it was not shared before. */
  linked(key: PathKey): void {
    const stat = newFileStat();
    const { fs, root } = this.#store;
    if (fs.stat(root, pathOf(key), stat) >= 0 && stat.nlink === 2) this.#shared.add(stat.ino);
  }

  #misfit(key: PathKey, failure: CallFailure): Placed {
    if (!isPathError(failure.errno)) return { result: 'failed', failure };
    return { result: 'misplaced', mark: parentOf(key) ?? key };
  }

  /** Keeps what is at `key` if it can become `entry`, otherwise replaces it. */
  #makeFit(key: PathKey, entry: TreeEntry): CallFailure | undefined {
    const stat = newFileStat();
    const found = this.#store.fs.stat(this.#store.root, pathOf(key), stat);
    if (found < 0 && found !== -ENOENT) return { call: 'stat', errno: -found };
    const present = found < 0 ? undefined : stat;
    if (entry.linkTo !== undefined) {
      const other = this.#usableLink(keyOf(entry.linkTo), entry);
      if (other !== undefined) return this.#join(key, { present, other, path: entry.linkTo });
      // It will be once it has been looked at itself; until then this name stands alone.
      this.#mark(key);
    }
    if (present !== undefined) {
      if (this.#fits(key, entry, present)) return undefined;
      const failure = this.remove(key);
      if (failure !== undefined) return failure;
    }
    return this.#create(key, entry);
  }

  #usableLink(key: PathKey, entry: TreeEntry): FileStat | undefined {
    const stat = newFileStat();
    const found = this.#store.fs.stat(this.#store.root, pathOf(key), stat);
    if (found < 0 || typeOf(stat.mode) !== typeOf(entry.mode)) return undefined;
    return this.#isSuspect(stat) ? undefined : stat;
  }

  /** Makes `key` another name of the inode `other`, which `path` names. */
  #join(
    key: PathKey,
    to: { present: FileStat | undefined; other: FileStat; path: Uint8Array },
  ): CallFailure | undefined {
    if (to.present?.ino === to.other.ino) return undefined;
    if (to.present !== undefined) {
      const failure = this.remove(key);
      if (failure !== undefined) return failure;
    }
    const { fs, root } = this.#store;
    const failure = failureOf('link', fs.link(root, to.path, pathOf(key)));
    if (failure === undefined) this.#shared.add(to.other.ino);
    return failure;
  }

  #isSuspect(stat: FileStat): boolean {
    return typeOf(stat.mode) !== S_IFDIR && stat.nlink > 1 && !this.#shared.has(stat.ino);
  }

  #fits(key: PathKey, entry: TreeEntry, present: FileStat): boolean {
    const type = typeOf(entry.mode);
    if (type !== typeOf(present.mode) || this.#isSuspect(present)) return false;
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
