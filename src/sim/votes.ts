/**
 * Whose votes decide, as the onlooker sees it: worked out anew, so that a defect of the production
 * rules (`src/core/registry/electorate.ts`) does not blind whoever looks for it.
 */
import type { NodeId, SeatId } from '../protocol/ids.ts';
import type { Electorate, OwnershipRecord, Voter } from '../protocol/record.ts';

export function electoratesNamed(record: OwnershipRecord): readonly Electorate[] {
  const { voters, formerVoters } = record;
  return formerVoters === undefined ? [voters] : [voters, formerVoters];
}

export function isMajority(electorate: Electorate, counts: (voter: Voter) => boolean): boolean {
  return electorate.filter(counts).length * 2 > electorate.length;
}

/** These members, each with that memory, are a majority of each electorate that the record names. */
export function decide(record: OwnershipRecord, seats: ReadonlyMap<NodeId, SeatId>): boolean {
  return electoratesNamed(record).every((electorate) =>
    isMajority(electorate, ({ node, seat }) => seats.get(node) === seat),
  );
}
