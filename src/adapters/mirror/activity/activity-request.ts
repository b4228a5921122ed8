/// <reference lib="es2024.sharedmemory" />
/**
 * What the main thread asks of the capture worker, which only serves the kernel, about the activity log, and
 * what it hears of it: one thing at a time.
 *
 *     words  0 asked   1 done   2 what: 1 a new generation, 2 note what is stored
 *            3 the generation that is written now, 0: it could not be done   4 changes are refused
 *     byte  24 f64 the entry behind which the generation begins
 */
import { assert } from '../../../base/assert.ts';

const ASKED = 0;
const DONE = 1;
const WHAT = 2;
const GENERATION = 3;
const REFUSES = 4;
const FIRST_AT = 24;
const BYTES = 32;

const WHATS = ['roll', 'stored'] as const;
/**
 * `roll`: begin a new generation. `stored`: note that everything before the present one is on this node's
 * stable storage.
 */
export type Asked = (typeof WHATS)[number];

export interface Rolled {
  readonly generation: number;
  readonly first: number;
}

export class ActivityRequest {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #first: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.memory = memory;
    this.#words = new Int32Array(memory, 0, FIRST_AT / 4);
    this.#first = new Float64Array(memory, FIRST_AT, 1);
  }

  // The main thread.

  /** Only when nothing is pending. */
  ask(what: Asked): void {
    assert(this.pending === undefined, 'one thing is asked at a time');
    Atomics.store(this.#words, WHAT, WHATS.indexOf(what) + 1);
    Atomics.add(this.#words, ASKED, 1);
  }

  /** Of what was asked last; undefined while it is not done, or could not be. */
  get outcome(): Rolled | undefined {
    if (this.pending !== undefined) return undefined;
    const generation = Atomics.load(this.#words, GENERATION);
    return generation === 0 ? undefined : { generation, first: this.#first[0] ?? 0 };
  }

  /** Whether changes are refused because they cannot be recorded. */
  get refuses(): boolean {
    return Atomics.load(this.#words, REFUSES) === 1;
  }

  // The capture worker.

  get pending(): Asked | undefined {
    const isDone = Atomics.load(this.#words, ASKED) === Atomics.load(this.#words, DONE);
    return isDone ? undefined : WHATS[Atomics.load(this.#words, WHAT) - 1];
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
