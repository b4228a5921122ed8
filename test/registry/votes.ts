/** Votes as the tests of record stores write them. */
import type { Epoch, NodeId, SeatId } from '../../src/protocol/ids.ts';
import type { StoredVote } from '../../src/protocol/stored-record.ts';

export function voteOf(writer: string, epoch: number): StoredVote {
  const node = writer as NodeId;
  const seat = `seat-${writer}` as SeatId;
  const voters = [{ node, seat }];
  const record = {
    epoch: epoch as Epoch,
    owner: node,
    inSync: {},
    want: 'online',
    voters,
  } as const;
  return { record, by: { counter: epoch, node, seat } };
}
