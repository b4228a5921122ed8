/**
 * What the activity log has to have before a change of a tree, worked out from the change and the tree
 * as it is: a second way to what the operations on a mount ask for (`src/fuse/ops`).
 */
import { type Region, Regions } from '../../src/adapters/mirror/activity/regions.ts';
import { RENAME_EXCHANGE } from '../../src/adapters/mirror/copy/change-applier.ts';
import { ROOT_KEY, keyOf } from '../../src/adapters/mirror/copy/paths.ts';
import { S_IFDIR, newFileStat, typeOf } from '../../src/adapters/mirror/copy/store.ts';
import type { FileStat, FileSystem } from '../../src/ports/file-system.ts';
import type { Change, Path } from '../../src/protocol/change.ts';

export interface RecorderOptions {
  readonly fs: FileSystem;
  readonly root: number;
  readonly smallFileBytes: number;
}

export class RegionRecorder {
  readonly regions: Regions;
  readonly #options: RecorderOptions;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.regions = new Regions(new Map(), options);
  }

  /** Before the change is made. */
  record(change: Change): void {
    for (const region of this.missing(change)) this.regions.add(region);
    if (change.type === 'mkdir') this.regions.directoryMade(keyOf(change.path));
  }

  /** What is not recorded yet. Some of it may cover the rest. */
  missing(change: Change): readonly Region[] {
    const { regions } = this;
    const key = keyOf(change.path);
    switch (change.type) {
      case 'sync':
        return [];
      case 'write':
        return this.#content(change.path, change.offset + change.data.length);
      case 'truncate':
        return this.#content(change.path, change.size);
      case 'allocate':
        return this.#content(change.path, change.offset + change.length);
      case 'link':
        return both(regions.forEntry(keyOf(change.existing)), regions.forEntry(key));
      case 'unlink':
        return this.#removal(change.path);
      case 'rename':
        return this.#rename(change);
      default:
        return both(regions.forEntry(key));
    }
  }

  #removal(path: Path): readonly Region[] {
    const { regions } = this;
    if (this.#losesName(path)) return both(regions.forTree(ROOT_KEY));
    const isLarge = (this.#stat(path)?.size ?? 0) >= this.#options.smallFileBytes;
    return both(isLarge ? regions.forTree(keyOf(path)) : regions.forEntry(keyOf(path)));
  }

  #content(path: Path, end: number): readonly Region[] {
    const size = Math.max(this.#stat(path)?.size ?? 0, end);
    return both(this.regions.forContent(keyOf(path), size));
  }

  #rename({ from, path, flags }: Extract<Change, { type: 'rename' }>): readonly Region[] {
    const { regions } = this;
    const replaces = (flags & RENAME_EXCHANGE) === 0;
    if (replaces && this.#losesName(path)) return both(regions.forTree(ROOT_KEY));
    const keys = [keyOf(from), keyOf(path)];
    const entries = keys.map((key) => regions.forEntry(key));
    const isMuch = [from, path].some((end) => this.#isMuch(this.#stat(end)));
    const trees = isMuch ? keys.map((key) => regions.forTree(key)) : [];
    return both(...entries, ...trees);
  }

  #isMuch(stat: FileStat | undefined): boolean {
    if (stat === undefined) return false;
    return typeOf(stat.mode) === S_IFDIR || stat.size >= this.#options.smallFileBytes;
  }

  #losesName(path: Path): boolean {
    const stat = this.#stat(path);
    return stat !== undefined && typeOf(stat.mode) !== S_IFDIR && stat.nlink > 1;
  }

  #stat(path: Path): FileStat | undefined {
    const stat = newFileStat();
    const { fs, root } = this.#options;
    return fs.stat(root, path, stat) < 0 ? undefined : stat;
  }
}

function both(...regions: readonly (Region | undefined)[]): readonly Region[] {
  return regions.filter((region) => region !== undefined);
}
