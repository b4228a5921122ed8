/**
 * Where a history that no order explains goes wrong: the shortest stretch of it that is impossible
 * whatever came before.
 *
 * Its end is the first end of an operation that, with all that ended before, cannot be explained
 * (what had not ended by then may still have any outcome that it had later). Its beginning is the
 * latest from which on even any other state would not help.
 */
import { must } from '../../src/base/assert.ts';
import { type Operation, type Register, check } from './checker.ts';

export interface Window<State> {
  readonly from: number;
  readonly to: number;
  /** What ended in it, and what of unknown outcome began in it; by beginnings. */
  readonly operations: readonly Operation<State>[];
}

/** `states`: all that the register may have had. The history must be one that is violated. */
export function smallestWindow<State>(
  operations: readonly Operation<State>[],
  register: Register<State>,
  states: readonly State[],
): Window<State> {
  const ends = operations.flatMap(({ ended }) => ended ?? []).sort((a, b) => a - b);
  const last = firstWhere(ends, (to) => isViolated(upTo(operations, to), register));
  const to = must(ends[last], 'the whole history is violated');
  const before = upTo(operations, to);
  const begins = ends.slice(0, last + 1);
  // The first end from which on some state explains the rest; the one before it is in the window.
  const free = firstWhere(begins, (from) =>
    states.some((initial) => !isViolated(since(before, from), { ...register, initial })),
  );
  const from = begins[Math.max(0, free - 1)] ?? to;
  const shown = since(before, from).filter(
    ({ began, ended }) => ended !== undefined || began >= from,
  );
  const began = Math.min(...shown.map((each) => each.began));
  return { from: began, to, operations: shown.toSorted((a, b) => a.began - b.began) };
}

/** The first position whose value passes, all later ones passing too; the length when none does. */
function firstWhere<T>(values: readonly T[], passes: (value: T) => boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (passes(must(values[middle], 'between the two ends'))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isViolated<State>(
  operations: readonly Operation<State>[],
  register: Register<State>,
): boolean {
  return check(operations, register).type === 'violated';
}

/** The history as it was known at that moment. */
function upTo<State>(
  operations: readonly Operation<State>[],
  to: number,
): readonly Operation<State>[] {
  return operations
    .filter(({ began }) => began <= to)
    .map((each) =>
      each.ended === undefined || each.ended <= to
        ? each
        : { name: each.name, began: each.began, ended: undefined, apply: each.apply },
    );
}

/** Without what had ended before. */
function since<State>(
  operations: readonly Operation<State>[],
  from: number,
): readonly Operation<State>[] {
  return operations.filter(({ ended }) => ended === undefined || ended >= from);
}
