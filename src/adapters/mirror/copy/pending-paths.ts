/**
 * The paths of a copy that a running resync has yet to look at (again).
 *
 * `working` is what the source walks in this round: at first the root, so everything; later the
 * paths that it was asked for. `queued` is what was found meanwhile and waits for the next round:
 * paths whose live change did not fit, and paths that something not yet compared was renamed or
 * linked to. A path stands for all that is below it. When a round ends with nothing queued, every
 * path of the copy has been compared after it got its name, or came from one that had been.
 */
import { assert } from '../../../base/assert.ts';
import { type PathKey, ROOT_KEY, isWithin, parentOf } from './paths.ts';

export const PENDING_PATHS_MAX = 100_000;

export class PendingPaths {
  readonly #limit: number;
  #queued = new Set<PathKey>();
  #working = new Set<PathKey>([ROOT_KEY]);

  constructor(limit = PENDING_PATHS_MAX) {
    assert(limit >= 2, 'a collapse must be able to get below the bound');
    this.#limit = limit;
  }

  get size(): number {
    return this.#queued.size;
  }

  /** To be compared in the next round. */
  mark(key: PathKey): void {
    if (coveredBy(this.#queued, key)) return;
    this.#queued.add(key);
    if (this.#queued.size > this.#limit) this.#collapse();
  }

  /** Whether `key`, something above it, or (of a directory) something below it is pending. */
  touches(key: PathKey, isDirectory: boolean): boolean {
    if (coveredBy(this.#working, key) || coveredBy(this.#queued, key)) return true;
    if (!isDirectory) return false;
    return contains(this.#working, key) || contains(this.#queued, key);
  }

  /**
   * What has this name now is as on the source: it was made by a live change, or nothing has it.
   * (As part of something pending it stays so.)
   */
  clear(key: PathKey): void {
    if (key === ROOT_KEY) return;
    this.#queued.delete(key);
    this.#working.delete(key);
  }

  /** To be compared in this round, from here on. */
  begin(key: PathKey): void {
    if (!coveredBy(this.#working, key)) this.#working.add(key);
  }

  /** The path itself, not what is below it, was compared in this round. */
  done(key: PathKey): void {
    if (key !== ROOT_KEY) this.#working.delete(key);
  }

  /** A round is over: what is queued becomes the work of the next one. */
  nextRound(): readonly PathKey[] {
    this.#working = this.#queued;
    this.#queued = new Set();
    return [...this.#working];
  }

  /** Makes room: the deepest paths are replaced by their directories until half is free. */
  #collapse(): void {
    while (this.#queued.size > this.#limit / 2) {
      let deepest = 0;
      for (const key of this.#queued) deepest = Math.max(deepest, depthOf(key));
      const kept = new Set<PathKey>();
      for (const key of this.#queued) {
        kept.add(depthOf(key) === deepest ? (parentOf(key) ?? ROOT_KEY) : key);
      }
      this.#queued = new Set([...kept].filter((key) => !coveredAbove(kept, key)));
    }
  }
}

function depthOf(key: PathKey): number {
  return key === ROOT_KEY ? 0 : key.split('/').length;
}

function coveredAbove(set: ReadonlySet<PathKey>, key: PathKey): boolean {
  const parent = parentOf(key);
  return parent !== undefined && coveredBy(set, parent);
}

function coveredBy(set: ReadonlySet<PathKey>, key: PathKey): boolean {
  for (let at: PathKey | undefined = key; at !== undefined; at = parentOf(at)) {
    if (set.has(at)) return true;
  }
  return false;
}

function contains(set: ReadonlySet<PathKey>, ancestor: PathKey): boolean {
  for (const key of set) if (isWithin(key, ancestor)) return true;
  return false;
}
