/**
 * Which counters of one sender were seen: a sliding window, so that packets may overtake each other
 * on different links, but none counts twice. What is older than the window counts as seen.
 */
const WINDOW_BITS = 1024;

export class ReplayWindow {
  readonly #seen = new Uint8Array(WINDOW_BITS);
  #highest: number;

  /** Everything up to `floor` counts as seen. */
  constructor(floor: number) {
    this.#highest = floor;
    this.#seen.fill(1);
  }

  /** Marks the counter; false when it was seen before, or might have been. */
  take(counter: number): boolean {
    if (counter <= this.#highest - WINDOW_BITS) return false;
    if (counter > this.#highest) this.#advance(counter);
    const slot = counter % WINDOW_BITS;
    if (this.#seen[slot] === 1) return false;
    this.#seen[slot] = 1;
    return true;
  }

  #advance(to: number): void {
    const from = Math.max(this.#highest + 1, to - WINDOW_BITS + 1);
    for (let counter = from; counter <= to; counter += 1) this.#seen[counter % WINDOW_BITS] = 0;
    this.#highest = to;
  }
}
