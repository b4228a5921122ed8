/**
 * Source side: which names of the walk are one inode. Only names that were entered into the stream
 * are offered as something to link to, and only after a look under the lock that they still are
 * that inode. Takes memory for the names of files with several links, for no others.
 */
import { type PathKey, pathOf } from './paths.ts';
import { type Store, newFileStat } from './store.ts';

export class LinkGroups {
  readonly #store: Store;
  readonly #names = new Map<number, Set<PathKey>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Under the lock. Another name of inode `ino` than `key`, if one was entered; then enters `key`. */
  enter(key: PathKey, ino: number): PathKey | undefined {
    const names = this.#names.get(ino) ?? new Set();
    this.#names.set(ino, names);
    const other = this.#firstStill(names, key, ino);
    names.add(key);
    return other;
  }

  #firstStill(names: Set<PathKey>, except: PathKey, ino: number): PathKey | undefined {
    const stat = newFileStat();
    for (const name of names) {
      if (name === except) continue;
      const found = this.#store.fs.stat(this.#store.root, pathOf(name), stat);
      if (found >= 0 && stat.ino === ino) return name;
      names.delete(name);
    }
    return undefined;
  }
}
