/**
 * The twin of `checker.ts`: the definition of linearizability, spelled out. Tries every order of
 * every choice of operations, so it is for histories of a handful; nothing in it is clever.
 */
import type { Operation } from './checker.ts';

/** Whether all of `left` that have an end can take effect one after the other, from `state` on. */
export function isLinearizable<State>(left: readonly Operation<State>[], state: State): boolean {
  if (left.every(({ ended }) => ended === undefined)) return true;
  return left.some((next) => {
    const others = left.filter((other) => other !== next);
    const late = others.some(({ ended }) => ended !== undefined && ended < next.began);
    if (late) return false;
    const after = next.apply(state) ?? (hasGlimpsed(next, others) ? state : undefined);
    return after !== undefined && isLinearizable(others, after);
  });
}

function hasGlimpsed<State>(
  { glimpsed, ended }: Operation<State>,
  others: readonly Operation<State>[],
): boolean {
  if (glimpsed === undefined || ended === undefined) return false;
  return others.some(
    (other) => other.ended === undefined && other.makes === glimpsed && other.began <= ended,
  );
}
