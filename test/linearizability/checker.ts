/**
 * Whether a history of operations on one register can be explained by one order of them: every
 * operation takes effect in one instant between its beginning and its end, and the outcomes are
 * those that the operations would have one after the other (Herlihy and Wing, "Linearizability: A
 * Correctness Condition for Concurrent Objects", 1990).
 *
 * The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) with
 * Lowe's memory ("Testing for Linearizability", 2017): take any operation that nothing unfinished
 * precedes, go on from the state that it makes, go back when nothing fits; never try the same set of
 * operations with the same state twice. Pure. The cost is bounded by `TRIES_MAX`.
 */
import { must } from '../../src/base/assert.ts';

export interface Operation<State> {
  /** For people. */
  readonly name: string;
  readonly began: number;
  /**
   * Undefined when the outcome is not known: it may take effect at any time after its beginning, or
   * never.
   */
  readonly ended: number | undefined;
  /** The state that it makes of this one; undefined when it can't have had its outcome there. */
  readonly apply: (state: State) => State | undefined;
  /**
   * Key of a state that it says it saw, when that need not have been in effect: it may be what an
   * operation of unknown outcome, without effect so far, would make (and may yet make, or not).
   */
  readonly glimpsed?: string | undefined;
  /** Key of the state that it makes whenever it has an effect, where that is known. */
  readonly makes?: string | undefined;
  /** Of unknown outcomes with an equal value only the one begun first need be tried. */
  readonly alike?: string | undefined;
}

export interface Register<State> {
  readonly initial: State;
  /** Equal for equal states only. */
  readonly keyOf: (state: State) => string;
}

export type Verdict<State> =
  /** In which order they took effect; those of unknown outcome that did not are left out. */
  | { readonly type: 'linearizable'; readonly order: readonly Operation<State>[] }
  | { readonly type: 'violated' }
  /** The search was given up. */
  | { readonly type: 'undecided' };

/** Steps of a search, forward ones only: beyond, the history is too entangled to be judged. */
const TRIES_MAX = 2_000_000;

export function check<State>(
  operations: readonly Operation<State>[],
  register: Register<State>,
  triesMax: number = TRIES_MAX,
): Verdict<State> {
  return new Search(operations, register).run(triesMax);
}

interface Step<State> {
  readonly state: State;
  /** What could take effect next, and how many of these were tried. */
  readonly options: readonly number[];
  tried: number;
  /** Position of the operation that was taken to get here; undefined at the start. */
  readonly by: number | undefined;
}

class Search<State> {
  /** By their beginnings. */
  readonly #operations: readonly Operation<State>[];
  readonly #register: Register<State>;
  readonly #taken: boolean[];
  readonly #seen = new Set<string>();
  /** Every operation before this position was taken, or has an unknown outcome; this one neither. */
  #settledTo = 0;
  /** Those of unknown outcome. */
  readonly #open: number[];
  #unfinished: number;

  constructor(operations: readonly Operation<State>[], register: Register<State>) {
    this.#operations = operations.toSorted((a, b) => a.began - b.began);
    this.#register = register;
    this.#taken = this.#operations.map(() => false);
    this.#open = this.#operations.flatMap(({ ended }, at) => (ended === undefined ? [at] : []));
    this.#unfinished = operations.length - this.#open.length;
  }

  run(triesMax: number): Verdict<State> {
    const steps: Step<State>[] = [this.#step(this.#register.initial, undefined)];
    for (let tries = 0; ; tries += 1) {
      if (this.#unfinished === 0) return { type: 'linearizable', order: this.#order(steps) };
      if (tries > triesMax) return { type: 'undecided' };
      const next = this.#advance(must(steps.at(-1), 'the start is never taken back'));
      if (next !== undefined) steps.push(next);
      else {
        const { by } = must(steps.pop(), 'a step was there');
        if (by === undefined) return { type: 'violated' };
        this.#take(by, false);
      }
    }
  }

  /** The first untried way on from there that leads to something new. */
  #advance(step: Step<State>): Step<State> | undefined {
    while (step.tried < step.options.length) {
      const at = must(step.options[step.tried], 'an option that was not tried');
      step.tried += 1;
      const state = this.#after(at, step.state);
      if (state === undefined) continue;
      this.#take(at, true);
      const key = `${this.#nameOfSet()} ${this.#register.keyOf(state)}`;
      if (!this.#seen.has(key)) {
        this.#seen.add(key);
        return this.#step(state, at);
      }
      this.#take(at, false);
    }
    return undefined;
  }

  #after(at: number, state: State): State | undefined {
    const operation = this.#at(at);
    const after = operation.apply(state);
    if (after !== undefined) {
      const { keyOf } = this.#register;
      // Without any effect it need not have happened.
      const idle = operation.ended === undefined && keyOf(after) === keyOf(state);
      return idle ? undefined : after;
    }
    return this.#isGlimpse(operation) ? state : undefined;
  }

  #isGlimpse({ glimpsed, ended }: Operation<State>): boolean {
    if (glimpsed === undefined || ended === undefined) return false;
    return this.#open.some((at) => {
      const { began, makes } = this.#at(at);
      return makes === glimpsed && !this.#taken[at] && began <= ended;
    });
  }

  #step(state: State, by: number | undefined): Step<State> {
    return { state, by, options: this.#options(), tried: 0 };
  }

  /** What no unfinished operation precedes: first those that have an end, in its order. */
  #options(): readonly number[] {
    let endsFirst = Number.POSITIVE_INFINITY;
    const options: number[] = [];
    for (let at = this.#settledTo; at < this.#operations.length; at += 1) {
      const { began, ended } = this.#at(at);
      if (began > endsFirst) break;
      if (this.#taken[at] || ended === undefined) continue;
      options.push(at);
      endsFirst = Math.min(endsFirst, ended);
    }
    const able = options.filter((at) => this.#at(at).began <= endsFirst);
    able.sort((a, b) => (this.#at(a).ended ?? 0) - (this.#at(b).ended ?? 0));
    return [...able, ...this.#openOptions(endsFirst)];
  }

  #openOptions(endsFirst: number): readonly number[] {
    const kinds = new Set<string>();
    return this.#open.filter((at) => {
      const { alike, began } = this.#at(at);
      if (this.#taken[at] || began > endsFirst) return false;
      if (alike === undefined) return true;
      if (kinds.has(alike)) return false;
      kinds.add(alike);
      return true;
    });
  }

  #take(at: number, taken: boolean): void {
    this.#taken[at] = taken;
    if (this.#at(at).ended === undefined) return;
    this.#unfinished += taken ? -1 : 1;
    if (!taken) {
      this.#settledTo = Math.min(this.#settledTo, at);
      return;
    }
    const isSettled = (position: number): boolean =>
      this.#taken[position] === true || this.#at(position).ended === undefined;
    while (this.#settledTo < this.#operations.length && isSettled(this.#settledTo)) {
      this.#settledTo += 1;
    }
  }

  /** Which operations were taken, in as few words as it can be told exactly. */
  #nameOfSet(): string {
    const ahead: number[] = [];
    for (let at = this.#settledTo; at < this.#operations.length; at += 1) {
      const { began, ended } = this.#at(at);
      if (this.#taken[at] && ended !== undefined) ahead.push(at);
      // Nothing can be taken before what has not been taken ended.
      if (began > (this.#at(this.#settledTo).ended ?? 0)) break;
    }
    const open = this.#open.filter((at) => this.#taken[at]);
    return `${this.#settledTo}:${ahead.join()}:${open.join()}`;
  }

  #order(steps: readonly Step<State>[]): readonly Operation<State>[] {
    return steps.flatMap(({ by }) => (by === undefined ? [] : [this.#at(by)]));
  }

  #at(position: number): Operation<State> {
    return must(this.#operations[position], 'positions are those of operations');
  }
}
