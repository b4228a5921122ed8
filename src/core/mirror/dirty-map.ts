/**
 * Which paths of a mirror were changed behind which entry of the stream, so that a copy that was away
 * is compared only where it can differ. Bounded: of what is too old or too much nothing is known, and
 * then the whole copy is compared.
 *
 * Changes are kept in generations, each a set of paths and the entries that it stands for. Old ones are
 * merged two by two, the oldest the coarsest, as a binary counter carries: there are never more than
 * twice the logarithm of all that ever began, and a copy that was away for some time is compared
 * where something changed within about twice that time.
 */
import { assert } from '../../base/assert.ts';
import type { DirtyExtent, DirtyPaths } from '../../protocol/dirty-paths.ts';

/** All paths of all generations; about 10 MB. */
export const DIRTY_PATHS_MAX = 50_000;

interface Generation {
  /** It stands for the entries behind `first`, up to `last`. */
  readonly first: number;
  last: number;
  /** Two of one level make one of the next. */
  level: number;
  readonly paths: Map<string, DirtyExtent>;
}

export class DirtyMap {
  readonly #limit: number;
  /** Paths of all generations, each counted in each. */
  #count = 0;
  /** Oldest first; the last one is being filled. */
  #generations: Generation[];

  /** Knows everything that changes behind the entry `first`. */
  constructor(first: number, limit: number = DIRTY_PATHS_MAX) {
    assert(limit >= 1, 'some path has room');
    this.#limit = limit;
    this.#generations = [newGeneration(first)];
  }

  /** Entry `seq` changed that path. Entries come in order; one may change several. */
  add(seq: number, key: string, extent: DirtyExtent): void {
    const current = this.#current;
    assert(seq >= current.last, 'entries come in order');
    current.last = seq;
    const known = current.paths.get(key);
    if (known === 'tree' || known === extent || isBelowTree(current.paths, key)) return;
    current.paths.set(key, extent);
    if (known !== undefined) return;
    this.#count += 1;
    if (this.#count > this.#limit) this.#forgetTooMany(seq);
  }

  /** What comes now is told apart from what came before. To be called every now and then. */
  beginGeneration(): void {
    const current = this.#current;
    if (current.paths.size === 0) return;
    this.#generations.push(newGeneration(current.last));
    this.#merge();
  }

  /** What was changed behind entry `seq`; undefined when that is not known. */
  since(seq: number): DirtyPaths | undefined {
    const oldest = this.#generations[0];
    if (oldest === undefined || seq < oldest.first) return undefined;
    const all = new Map<string, DirtyExtent>();
    for (const { last, paths } of this.#generations) {
      if (last > seq) addAll(all, paths);
    }
    return all;
  }

  get #current(): Generation {
    const current = this.#generations.at(-1);
    assert(current !== undefined, 'one generation is always being filled');
    return current;
  }

  #merge(): void {
    const generations = this.#generations;
    // The one that is being filled takes no part. Carries ripple from the youngest to the oldest.
    for (let at = generations.length - 2; at > 1; at -= 1) {
      const [older, younger, youngest] = generations.slice(at - 2, at + 1);
      if (older === undefined || younger === undefined || youngest === undefined) return;
      // Three of a level: the older two become one, so that what is recent stays fine.
      if (older.level !== youngest.level) continue;
      this.#count -= older.paths.size + younger.paths.size;
      addAll(older.paths, younger.paths);
      this.#count += older.paths.size;
      older.last = younger.last;
      older.level += 1;
      generations.splice(at - 1, 1);
    }
  }

  #forgetTooMany(seq: number): void {
    while (this.#count > this.#limit) {
      const oldest = this.#generations.shift();
      assert(oldest !== undefined, 'all that is counted is in some generation');
      this.#count -= oldest.paths.size;
    }
    if (this.#generations.length === 0) this.#generations.push(newGeneration(seq));
  }
}

function newGeneration(first: number): Generation {
  return { first, last: first, level: 0, paths: new Map() };
}

function addAll(to: Map<string, DirtyExtent>, from: DirtyPaths): void {
  for (const [key, extent] of from) if (to.get(key) !== 'tree') to.set(key, extent);
}

function isBelowTree(paths: DirtyPaths, key: string): boolean {
  for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
    if (paths.get(key.slice(0, slash)) === 'tree') return true;
  }
  return paths.get('') === 'tree';
}
