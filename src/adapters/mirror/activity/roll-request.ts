/// <reference lib="es2024.sharedmemory" />
/**
 * How the main thread asks the capture worker, which only serves the kernel, to begin a new generation of the
 * activity log, and hears of it.
 *
 *     words  0 asked   1 done   2 the new generation, 0: could not be made   3 changes are refused
 *     byte  16 f64 the entry behind which it begins
 */
const ASKED = 0;
const DONE = 1;
const GENERATION = 2;
const REFUSES = 3;
const FIRST_AT = 16;
const BYTES = 24;

export interface Rolled {
  readonly generation: number;
  readonly first: number;
}

export class RollRequest {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #first: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, FIRST_AT / 4);
    this.#first = new Float64Array(memory, FIRST_AT, 1);
  }

  // The main thread.

  ask(): void {
    Atomics.add(this.#words, ASKED, 1);
  }

  /** Of the last one that was asked for; undefined while it is not done, or could not be. */
  get rolled(): Rolled | undefined {
    if (this.pending) return undefined;
    const generation = Atomics.load(this.#words, GENERATION);
    return generation === 0 ? undefined : { generation, first: this.#first[0] ?? 0 };
  }

  /** Whether changes are refused because they cannot be recorded. */
  get refuses(): boolean {
    return Atomics.load(this.#words, REFUSES) === 1;
  }

  // The capture worker.

  get pending(): boolean {
    return Atomics.load(this.#words, ASKED) !== Atomics.load(this.#words, DONE);
  }

  done(generation: number | undefined, first: number): void {
    this.#first[0] = first;
    Atomics.store(this.#words, GENERATION, generation ?? 0);
    Atomics.store(this.#words, DONE, Atomics.load(this.#words, ASKED));
  }

  setRefuses(refuses: boolean): void {
    Atomics.store(this.#words, REFUSES, refuses ? 1 : 0);
  }
}
