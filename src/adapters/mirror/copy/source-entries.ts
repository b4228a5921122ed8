/** Source side: reads what a path is into a `TreeEntry`. Under the lock of the stream. */
import type { TreeEntry } from '../../../protocol/resync.ts';
import { readXattrs } from './inode-attributes.ts';
import { type PathKey, pathOf } from './paths.ts';
import { type CallFailure, EXDEV, S_IFLNK, type Store, newFileStat, typeOf } from './store.ts';

const NOTHING = new Uint8Array(0);

export class SourceEntries {
  readonly #store: Store;
  readonly #volume: number | undefined;

  constructor(store: Store) {
    this.#store = store;
    const stat = newFileStat();
    store.fs.statFd(store.root, stat);
    this.#volume = stat.volume;
  }

  read(key: PathKey, name: Uint8Array): TreeEntry | CallFailure {
    const { fs, root } = this.#store;
    const path = pathOf(key);
    const stat = newFileStat();
    const found = fs.stat(root, path, stat);
    if (found < 0) return { call: 'stat', errno: -found };
    // Something is mounted there: its files are not this mirror's, and leaving them out silently
    // would make a copy that lacks what people see.
    if (stat.volume !== this.#volume) return { call: 'stat', errno: EXDEV };
    const type = typeOf(stat.mode);
    const target = type === S_IFLNK ? fs.readlink(root, path) : NOTHING;
    if (typeof target === 'number') return { call: 'readlink', errno: -target };
    const xattrs = readXattrs(this.#store, key);
    if ('errno' in xattrs) return xattrs;
    return {
      name,
      ino: stat.ino,
      links: stat.nlink,
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      device: stat.device,
      size: stat.size,
      accessed: stat.accessed,
      modified: stat.modified,
      target,
      xattrs,
    };
  }
}
