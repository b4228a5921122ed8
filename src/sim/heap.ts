/** The agenda of virtual time: what happens next, by instant and then by order of entry. */
import type { Instant } from '../base/time.ts';

export interface Agenda {
  at(when: Instant, run: () => void): void;
}

interface Entry {
  readonly when: Instant;
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap of entries. */
export class EventHeap implements Agenda {
  readonly #entries: Entry[] = [];
  #order = 0;

  at(when: Instant, run: () => void): void {
    this.#order += 1;
    this.#entries.push({ when, order: this.#order, run });
    let child = this.#entries.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** When the next entry is due; undefined when there is none. */
  next(): Instant | undefined {
    return this.#entries[0]?.when;
  }

  /** Removes and runs the next entry. */
  pop(): (() => void) | undefined {
    const first = this.#entries[0];
    const last = this.#entries.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#entries.length > 0) {
      this.#entries[0] = last;
      this.#sink();
    }
    return first.run;
  }

  #sink(): void {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      if (left >= this.#entries.length) return;
      const right = left + 1;
      const child = right < this.#entries.length && this.#before(right, left) ? right : left;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#entries[a] as Entry, this.#entries[b] as Entry];
    return x.when === y.when ? x.order < y.order : x.when < y.when;
  }

  #swap(a: number, b: number): void {
    const entry = this.#entries[a] as Entry;
    this.#entries[a] = this.#entries[b] as Entry;
    this.#entries[b] = entry;
  }
}
