/** What the sheets of all nodes say together: the state of the one acceptor that a share is. */
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import type { Ballot, VotedRecord } from '../../protocol/record.ts';
import type { Sheet } from '../../protocol/share-sheet.ts';
import { compareBallots } from '../registry/ballot.ts';
import { compareVotes } from '../registry/forced-line.ts';

export type Sheets = ReadonlyMap<NodeId, Sheet>;

export interface Merged {
  readonly promised: Ballot | undefined;
  readonly accepted: VotedRecord | undefined;
}

export function merged(sheets: Iterable<Sheet>, group: GroupId): Merged {
  let promised: Ballot | undefined;
  let accepted: VotedRecord | undefined;
  for (const { votes } of sheets) {
    const vote = votes.find((other) => other.group === group);
    if (vote === undefined) continue;
    if (promised === undefined || compareBallots(vote.promised, promised) > 0) {
      promised = vote.promised;
    }
    if (vote.accepted === undefined) continue;
    if (accepted === undefined || compareVotes(vote.accepted, accepted) > 0) {
      accepted = vote.accepted;
    }
  }
  return { promised, accepted };
}

/** Somebody is about to vote for another owner than this one. */
export function isBarred(
  sheets: Iterable<Sheet>,
  claim: { readonly group: GroupId; readonly epoch: Epoch },
  owner: NodeId,
): boolean {
  for (const { bars } of sheets) {
    const bar = bars.find(({ group }) => group === claim.group);
    if (bar !== undefined && bar.owner !== owner && claim.epoch < bar.below) return true;
  }
  return false;
}

/** One life of a node takes up what an earlier one wrote; bars end with who was about to vote. */
export function takenUp(former: Sheet): Sheet {
  const claims = former.claims.map((claim) => ({ ...claim, held: false }));
  return { renewals: former.renewals, votes: former.votes, bars: [], claims };
}
