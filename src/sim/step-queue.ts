/**
 * The events of one simulated process, one after the other, as in the real one: what a step leads to while
 * its effects are carried out waits until all of them are.
 */
export class StepQueue<E> {
  readonly #step: (event: E) => void;
  #waiting: E[] = [];
  #running = false;

  constructor(step: (event: E) => void) {
    this.#step = step;
  }

  push(event: E): void {
    this.#waiting.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#step(next);
      }
    } finally {
      this.#running = false;
    }
  }

  /** The process is gone, and what it would still have seen with it. */
  clear(): void {
    this.#waiting = [];
  }
}
