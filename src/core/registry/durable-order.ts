/**
 * Holds back what rests on a write until that write is on stable storage (SPEC.md, R1). Writes become
 * durable in the order of their numbers.
 */
interface Waiting {
  readonly after: number;
  readonly run: () => void;
}

export class DurableOrder {
  #durable = 0;
  #waiting: readonly Waiting[] = [];

  /** Runs it now, or as soon as write number `after` is durable. */
  after(after: number | undefined, run: () => void): void {
    if (after === undefined || after <= this.#durable) run();
    else this.#waiting = [...this.#waiting, { after, run }];
  }

  /** That write and all before it are on stable storage. */
  written(id: number): void {
    this.#durable = Math.max(this.#durable, id);
    const ready = this.#waiting.filter((waiting) => waiting.after <= this.#durable);
    this.#waiting = this.#waiting.filter((waiting) => waiting.after > this.#durable);
    for (const waiting of ready) waiting.run();
  }
}
