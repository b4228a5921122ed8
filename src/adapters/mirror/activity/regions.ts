/**
 * Which parts of a mirror may have been changed in one generation of the activity log. A part is a
 * directory with what is directly in it, a larger file, or a whole tree (`protocol/dirty-paths.ts`).
 *
 * In what is new everything is new: for something in a directory that was made in this generation, the
 * topmost such directory stands, as a tree. So unpacking an archive costs one part.
 */
import { assert } from '../../../base/assert.ts';
import { type DirtyPaths, SMALL_FILE_BYTES } from '../../../protocol/dirty-paths.ts';
import { type PathKey, ROOT_KEY, parentOf } from '../copy/paths.ts';

/** More parts than this are replaced by everything. */
export const REGIONS_MAX = 20_000;

export interface Region {
  readonly key: PathKey;
  readonly extent: 'tree' | 'region';
}

export interface RegionsOptions {
  readonly limit?: number | undefined;
  /** For tests. */
  readonly smallFileBytes?: number | undefined;
}

export class Regions {
  readonly #limit: number;
  readonly #smallFileBytes: number;
  readonly #extents = new Map<PathKey, Region['extent']>();
  /** Those that something was changed in since they were added or carried over. */
  readonly #used = new Set<PathKey>();
  readonly #made = new Set<PathKey>();

  constructor(carried: DirtyPaths = new Map(), options: RegionsOptions = {}) {
    const { limit = REGIONS_MAX, smallFileBytes = SMALL_FILE_BYTES } = options;
    assert(limit >= 1, 'everything has room');
    this.#limit = limit;
    this.#smallFileBytes = smallFileBytes;
    for (const [key, extent] of carried) if (extent !== 'self') this.#extents.set(key, extent);
  }

  get all(): ReadonlyMap<PathKey, Region['extent']> {
    return this.#extents;
  }

  /** What is to be carried over into the next generation: what is in use, if it is not too much. */
  inUse(limit: number): ReadonlyMap<PathKey, Region['extent']> {
    if (this.#used.size > limit) return new Map();
    const used = new Map<PathKey, Region['extent']>();
    for (const key of this.#used) used.set(key, this.#extents.get(key) ?? 'region');
    return used;
  }

  /** What has to be added before what `key` names, or its attributes, may change. */
  forEntry(key: PathKey): Region | undefined {
    const directory = parentOf(key) ?? ROOT_KEY;
    if (this.#isInTree(key) || this.#uses(directory)) return undefined;
    const made = this.#topmostMade(directory);
    return this.#bounded({
      key: made ?? directory,
      extent: made === undefined ? 'region' : 'tree',
    });
  }

  /** The same for content of a file that has that size before or after the change. */
  forContent(key: PathKey, size: number): Region | undefined {
    return size < this.#smallFileBytes ? this.forEntry(key) : this.forTree(key);
  }

  forTree(key: PathKey): Region | undefined {
    return this.#isInTree(key) ? undefined : this.#bounded({ key, extent: 'tree' });
  }

  /** Whether content of any size may change there: it is in a tree. */
  coversAny(key: PathKey): boolean {
    return this.#isInTree(key);
  }

  add({ key, extent }: Region): void {
    this.#extents.set(key, extent);
    this.#used.add(key);
  }

  /** A directory is made, or at least tried to be. */
  directoryMade(key: PathKey): void {
    if (this.#made.size < this.#limit) this.#made.add(key);
  }

  #bounded(region: Region): Region {
    return this.#extents.size < this.#limit ? region : { key: ROOT_KEY, extent: 'tree' };
  }

  #uses(directory: PathKey): boolean {
    if (!this.#extents.has(directory)) return false;
    this.#used.add(directory);
    return true;
  }

  #isInTree(key: PathKey): boolean {
    for (let at: PathKey | undefined = key; at !== undefined; at = parentOf(at)) {
      if (this.#extents.get(at) === 'tree') return this.#uses(at);
    }
    return false;
  }

  #topmostMade(directory: PathKey): PathKey | undefined {
    let topmost: PathKey | undefined;
    for (let at: PathKey | undefined = directory; at !== undefined; at = parentOf(at)) {
      if (this.#made.has(at)) topmost = at;
    }
    return topmost;
  }
}
