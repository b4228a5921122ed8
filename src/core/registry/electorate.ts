/**
 * Whose votes count: electorates and their majorities.
 *
 * A record names its own voters. They are changed in two votes: first a *joint* record that names
 * the new voters and the former ones, then, once that is known to be chosen, one that names the new
 * ones alone (joint consensus: Ongaro and Ousterhout, "In Search of an Understandable Consensus
 * Algorithm", 2014, section 6; here for a single register). A reading needs a majority of every
 * electorate that the latest record it finds names, a vote one of every electorate that the record
 * it makes names. So nobody can miss what was chosen (SPEC.md, R11).
 */
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord, Voter } from '../../protocol/record.ts';

/** Who has answered, and with which memory. */
export type Seats = ReadonlyMap<NodeId, SeatId>;

/** Those whose majorities a reading of the record needs. */
export function electoratesOf(
  record: Pick<OwnershipRecord, 'voters' | 'formerVoters'>,
): readonly Electorate[] {
  const { voters, formerVoters } = record;
  return formerVoters === undefined ? [voters] : [voters, formerVoters];
}

export function majorityOf(electorate: Electorate): number {
  return Math.floor(electorate.length / 2) + 1;
}

/** So many are in every majority of it: without them nobody else is one. */
export function blockingOf(electorate: Electorate): number {
  return electorate.length - majorityOf(electorate) + 1;
}

/** The voters of `electorate` among those that answered. */
export function present(electorate: Electorate, seats: Seats): Electorate {
  return electorate.filter(({ node, seat }) => seats.get(node) === seat);
}

export function hasMajority(electorate: Electorate, seats: Seats): boolean {
  return present(electorate, seats).length >= majorityOf(electorate);
}

/** The first electorate without a majority among those that answered. */
export function lacking(electorates: readonly Electorate[], seats: Seats): Electorate | undefined {
  return electorates.find((electorate) => !hasMajority(electorate, seats));
}

export function sameVoters(a: Electorate | undefined, b: Electorate | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((voter, at) => isSame(voter, b[at]));
}

/** The same electorates, each once. */
export function distinct(electorates: readonly Electorate[]): readonly Electorate[] {
  return electorates.filter(
    (electorate, at) => electorates.findIndex((other) => sameVoters(electorate, other)) === at,
  );
}

/** An electorate of these, in its proper order. */
export function electorate(voters: Iterable<Voter>): Electorate {
  return [...voters].sort((a, b) => (a.node < b.node ? -1 : 1));
}

function isSame(a: Voter, b: Voter | undefined): boolean {
  return a.node === b?.node && a.seat === b.seat;
}
