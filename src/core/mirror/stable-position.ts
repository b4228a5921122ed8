/**
 * Secondary: up to where the copy has applied, and up to where it is on stable storage. Many syncs
 * are under way at once and end in any order; the stable position moves over them in order.
 */
import { assert } from '../../base/assert.ts';
import type { Ack } from '../../protocol/mirror-frames.ts';

export class StablePosition {
  #applied: number;
  /** Syncs that were begun and have not been counted, in order; true once ended. */
  readonly #syncs = new Map<number, boolean>();

  constructor(applied: number) {
    this.#applied = applied;
  }

  /** Everything before the first unfinished sync counts as stable: nothing in it asked for more. */
  get ack(): Ack {
    const first = this.#syncs.keys().next();
    const stable = first.done === true ? this.#applied : Math.min(first.value - 1, this.#applied);
    return { applied: this.#applied, stable };
  }

  get syncsUnderWay(): number {
    return this.#syncs.size;
  }

  /** An entry was applied. With `sync`, it counts as stable only after {@link synced}. */
  applied(seq: number, sync: boolean): void {
    assert(seq > this.#applied, 'entries come in order, each once');
    this.#applied = seq;
    if (sync && !this.#syncs.has(seq)) this.#syncs.set(seq, false);
    if (sync) this.#settle();
  }

  /** May come before {@link applied} of the same entry, when the sync ended at once. */
  synced(seq: number): void {
    if (seq <= this.#applied && !this.#syncs.has(seq)) return;
    this.#syncs.set(seq, true);
    if (seq <= this.#applied) this.#settle();
  }

  #settle(): void {
    for (const [seq, ended] of this.#syncs) {
      if (!ended || seq > this.#applied) return;
      this.#syncs.delete(seq);
    }
  }
}
