/** A vote for new voters is asked for only while a majority of them answers. */
import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import { Proposer, type ProposerEffect } from './proposer.ts';

const GROUP = 'g' as GroupId;
const [A, B, C] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];
const TIMEOUT_MS = 1000;

function voter(node: NodeId, seat = `${node}-1`) {
  return { node, seat: seat as SeatId };
}

const ALONE: OwnershipRecord = {
  epoch: 3 as Epoch,
  owner: A,
  inSync: {},
  want: 'online',
  voters: [voter(A)],
};

/** The proposer of the owner, which alone votes and is to share that with the others. */
function joining(): Proposer {
  const members = [A, B, C];
  const voters = members.map((node) => voter(node));
  const options = { me: A, seat: 'a-1' as SeatId, group: GROUP, members, rank: 0 };
  const change = { type: 'joinVoters', owner: A, epoch: ALONE.epoch, voters } as const;
  const start = { now: instant(0), timeoutMs: TIMEOUT_MS, highest: undefined };
  return new Proposer(options, change, start);
}

function asked(effects: readonly ProposerEffect[]): RegistryMessage | undefined {
  return effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []))[0];
}

/** The answer of a voter to the first question; the owner alone has a record. */
function prepared(vote: Proposer, from: NodeId, seat = `${from}-1`): readonly ProposerEffect[] {
  const ballot = { counter: 1, node: A, seat: 'a-1' as SeatId };
  const id = 'a/a-1/1/p';
  const accepted = from === A ? { ballot: { ...ballot, counter: 0 }, record: ALONE } : undefined;
  const message = { type: 'prepared', id, group: GROUP, seat: seat as SeatId, ballot } as const;
  return vote.step(from, { ...message, accepted }, instant(1));
}

test('while none of them answers nobody is asked to accept it, and it ends without harm', () => {
  const vote = joining();
  vote.tick(instant(0));
  expect(asked(prepared(vote, A))).toMatchObject({ type: 'prepare' });
  expect(asked(vote.tick(instant(500)))).toMatchObject({ type: 'prepare' });
  const [effect] = vote.tick(instant(TIMEOUT_MS));
  const why = '1 of 2 needed votes of a, b, c in time (heard: a)';
  const outcome = { type: 'noQuorum', uncertain: false, why };
  expect(effect).toEqual({ type: 'outcome', outcome });
});

test('a majority of them is enough', () => {
  const vote = joining();
  vote.tick(instant(0));
  prepared(vote, A);
  const question = asked(prepared(vote, C));
  expect(question).toMatchObject({ type: 'accept', record: { formerVoters: [voter(A)] } });
});

test('one that lost its memory is none of them', () => {
  const vote = joining();
  vote.tick(instant(0));
  prepared(vote, A);
  expect(asked(prepared(vote, B, 'b-2'))).toBeUndefined();
  expect(asked(prepared(vote, C))).toMatchObject({ type: 'accept' });
});
