/**
 * Ballots of a registry whose records are in a store outside: between the revisions that the store
 * gives there is room for the votes that try to replace a record.
 *
 *     revision r:   r * ROUNDS       the record of that revision, told to the voters
 *                   r * ROUNDS + k   round k of asking the voters to let its owner go
 *
 * So a voter that let the owner of revision r go does not take that revision's record any more, and
 * stands by the owner again only after the record was written anew.
 */
import type { Ballot } from '../../protocol/record.ts';

/** More than rivals ever need at one revision, and few enough for 2 * 10^12 revisions. */
export const ROUNDS = 4096;

export function counterOf(revision: number): number {
  return revision * ROUNDS;
}

export function revisionOf(counter: number): number {
  return Math.floor(counter / ROUNDS);
}

/** The counter for the next try at `revision`; undefined when all rounds are used up. */
export function nextCounter(revision: number, highest: Ballot | undefined): number | undefined {
  const first = counterOf(revision) + 1;
  if (highest === undefined || highest.counter < first) return first;
  const next = highest.counter + 1;
  return revisionOf(next) === revision ? next : undefined;
}
