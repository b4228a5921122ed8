/** Ballots are ordered by counter, then by the proposer's name and seat; no two proposers share one. */
import type { Ballot } from '../../protocol/record.ts';

/** Negative, zero or positive, as `a` is below, the same as, or above `b`. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.counter !== b.counter) return a.counter - b.counter;
  if (a.node !== b.node) return a.node < b.node ? -1 : 1;
  if (a.seat === b.seat) return 0;
  return a.seat < b.seat ? -1 : 1;
}

/** True when a voter that promised `promised` must turn `ballot` down. */
export function isBelow(ballot: Ballot, promised: Ballot | undefined): boolean {
  return promised !== undefined && compareBallots(ballot, promised) < 0;
}
