/** Single stories of a change whose record is in a store outside. */
import { describe, expect, test } from 'vitest';
import type { Instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { StoredVote } from '../../protocol/stored-record.ts';
import { Acceptor } from './acceptor.ts';
import { Proposer } from './proposer.ts';
import type { RecordChange } from './record-change.ts';
import { ROUNDS } from './swap-ballot.ts';
import { type SwapEffect, SwapProposer } from './swap-proposer.ts';

const [N1, N2] = ['n1' as NodeId, 'n2' as NodeId];
const GROUP = 'g' as GroupId;
type Accept = Extract<RegistryMessage, { type: 'accept' }>;
const voters = [N1, N2].map((node) => ({ node, seat: `seat-${node}` as SeatId }));
const RECORD: OwnershipRecord = {
  epoch: 4 as Epoch,
  owner: N1,
  inSync: {},
  want: 'online',
  voters,
  registry: 'etcd',
};
const STORED: StoredVote = {
  record: RECORD,
  by: { counter: 1, node: N1, seat: 'seat-n1' as SeatId },
};
const FORCE: RecordChange = {
  ...{ type: 'force', owner: N2, epoch: 4 as Epoch, rank: 1 },
  ...{ off: [N1], nodes: [N1, N2], acceptLoss: true },
};
const CLAIM: RecordChange = { type: 'claim', owner: N2, epoch: 4 as Epoch };

function at(ms: number): Instant {
  return ms as Instant;
}

function proposer(
  change: RecordChange,
  me = N2,
  own: { readonly known?: OwnershipRecord; readonly highest?: Ballot; inDoubt?: boolean } = {},
): SwapProposer {
  const seat = `seat-${me}` as SeatId;
  const known = (): OwnershipRecord | undefined => own.known;
  const { highest, inDoubt } = own;
  const options = { me, seat, group: GROUP, members: [N1, N2], rank: 0, known, inDoubt };
  return new SwapProposer(options, change, { now: at(0), timeoutMs: 1000, highest });
}

function one<T extends SwapEffect['type']>(
  effects: readonly SwapEffect[],
  type: T,
): Extract<SwapEffect, { type: T }> {
  const found = effects.find((effect) => effect.type === type);
  if (found === undefined) throw new Error(`no ${type} among ${JSON.stringify(effects)}`);
  return found as Extract<SwapEffect, { type: T }>;
}

/** Of two voters the other one lets go itself: enough, and it alone votes from then on. */
function takenOver(vote: SwapProposer): Extract<SwapEffect, { type: 'swap' }> {
  const { id } = one(vote.tick(at(0)), 'fetch');
  const asked = vote.fetched(id, { type: 'found', revision: 7, vote: STORED }, at(1));
  const { message } = one(asked, 'send');
  const seat = 'seat-n2' as SeatId;
  if (message.type !== 'accept') throw new Error('an owner is let go by an accept');
  const { ballot } = message;
  const answer = { type: 'accepted', id: message.id, group: GROUP, seat, ballot } as const;
  expect(vote.step(N2, answer, at(2))).toEqual([]);
  return one(vote.tick(at(60)), 'swap');
}

test('of two voters one is enough to take over by, and keeps the votes', () => {
  const swap = takenOver(proposer(CLAIM));
  expect(swap.expected).toBe(7);
  expect(swap.vote.record).toMatchObject({ owner: N2, epoch: 5, voters: [{ node: N2 }] });
});

test('a memory that the record does not name lets nobody go', () => {
  const vote = proposer(CLAIM);
  const { id } = one(vote.tick(at(0)), 'fetch');
  const { message } = one(
    vote.fetched(id, { type: 'found', revision: 7, vote: STORED }, at(1)),
    'send',
  );
  if (message.type !== 'accept') throw new Error('an owner is let go by an accept');
  const seat = 'another' as SeatId;
  const { ballot } = message;
  vote.step(N2, { type: 'accepted', id: message.id, group: GROUP, seat, ballot }, at(2));
  const late = vote.tick(at(1000));
  expect(one(late, 'outcome').outcome).toMatchObject({ type: 'noQuorum', uncertain: false });
});

test('a write whose answer was lost is known again', () => {
  const vote = proposer(CLAIM);
  const swap = takenOver(vote);
  vote.swapped(swap.id, { type: 'unknown', why: 'lost' }, at(70));
  const again = one(vote.tick(at(200)), 'fetch');
  const found = { type: 'found', revision: 9, vote: swap.vote } as const;
  const ended = vote.fetched(again.id, found, at(201));
  expect(one(ended, 'outcome').outcome).toEqual({ type: 'chosen', record: swap.vote.record });
});

test('a write whose answer was lost is uncertain when nothing more is heard', () => {
  const vote = proposer(CLAIM);
  const swap = takenOver(vote);
  vote.swapped(swap.id, { type: 'unknown', why: 'lost' }, at(70));
  const { outcome } = one(vote.tick(at(1000)), 'outcome');
  expect(outcome).toMatchObject({ type: 'noQuorum', uncertain: true });
});

test('a store that is away is named as the reason', () => {
  const vote = proposer({ type: 'want', want: 'offline' });
  const { id } = one(vote.tick(at(0)), 'fetch');
  vote.fetched(id, { type: 'unreachable', why: 'no leader' }, at(1));
  const { outcome } = one(vote.tick(at(1000)), 'outcome');
  const why = 'the store does not answer: no leader';
  expect(outcome).toEqual({ type: 'noQuorum', uncertain: false, why });
});

test('an emptied store is not filled anew while a member knows a record', () => {
  const vote = proposer({ type: 'create', owner: N1, mirrors: [] }, N1);
  const { id } = one(vote.tick(at(0)), 'fetch');
  const { message } = one(vote.fetched(id, { type: 'none' }, at(1)), 'send');
  if (message.type !== 'prepare') throw new Error('seats are asked for by a prepare');
  const accepted = { ballot: STORED.by, record: RECORD };
  const seat = 'seat-n2' as SeatId;
  const { ballot } = message;
  const answer = {
    type: 'prepared',
    id: message.id,
    group: GROUP,
    seat,
    ballot,
    accepted,
  } as const;
  const { outcome } = one(vote.step(N2, answer, at(2)), 'outcome');
  expect(outcome).toMatchObject({ type: 'noQuorum', uncertain: false });
});

test("the owner's reading writes its record anew, so that voters may stand by it again", () => {
  const vote = proposer({ type: 'read' }, N1);
  const { id } = one(vote.tick(at(0)), 'fetch');
  const effects = vote.fetched(id, { type: 'found', revision: 7, vote: STORED }, at(1));
  expect(one(effects, 'swap')).toMatchObject({ expected: 7, vote: { record: RECORD } });
});

test.each([
  ['nothing of its own is under way: it is taken as it is found', false],
  ['a swap of its own may still be carried out: it is written anew', true],
])("another's record is read and %s", (_what, inDoubt) => {
  const vote = proposer({ type: 'read' }, N2, { inDoubt });
  const { id } = one(vote.tick(at(0)), 'fetch');
  const effects = vote.fetched(id, { type: 'found', revision: 7, vote: STORED }, at(1));
  const chosen = { type: 'chosen', record: RECORD };
  if (!inDoubt) return expect(one(effects, 'outcome').outcome).toEqual(chosen);
  const swap = one(effects, 'swap');
  expect(swap).toMatchObject({ expected: 7, vote: { record: RECORD } });
  const done = vote.swapped(swap.id, { type: 'swapped', revision: 8 }, at(2));
  expect(one(done, 'outcome').outcome).toEqual(chosen);
});

/** What the proposer first sends when it finds the record at that revision. */
function firstSent(vote: SwapProposer, revision: number, stored = STORED): Accept {
  const { id } = one(vote.tick(at(0)), 'fetch');
  const effects = vote.fetched(id, { type: 'found', revision, vote: stored }, at(1));
  const { message } = one(effects, 'send');
  if (message.type !== 'accept') throw new Error('a record is told, or asked for, by an accept');
  return message;
}

test('who let the owner of a revision go stands by it again only at a later revision', () => {
  const voter = new Acceptor('seat-n2' as SeatId, []);
  const told = firstSent(proposer({ type: 'read' }), 7);
  expect(voter.step(N1, told)).toContainEqual(expect.objectContaining({ type: 'persist' }));
  const [asked] = voter.step(N2, firstSent(proposer(CLAIM), 7));
  if (asked?.type !== 'revoke') throw new Error('the heart is asked first');
  voter.revoked(asked.id, { ok: true, remainingMs: 0, why: undefined });
  const [refused] = voter.step(N1, told);
  expect(refused).toMatchObject({ message: { type: 'refused', why: 'ballot' } });
  const [anew] = voter.step(N1, firstSent(proposer({ type: 'read' }), 8));
  expect(anew).toMatchObject({ type: 'revoke', owner: N2 });
});

describe('a store that holds less than was voted on', () => {
  const highest = { ...STORED.by, counter: 9 * ROUNDS };

  test.each([
    ['a claim', CLAIM],
    ['a reading', { type: 'read' }],
    ['a change by the owner', { type: 'want', want: 'offline' }],
  ] as const)('was put back from a backup: %s comes to nothing', (_what, change) => {
    const vote = proposer(change, N2, { highest });
    const { id } = one(vote.tick(at(0)), 'fetch');
    expect(vote.fetched(id, { type: 'found', revision: 8, vote: STORED }, at(1))).toEqual([]);
    const { outcome } = one(vote.tick(at(1000)), 'outcome');
    const why = 'members have voted on a later state than the store holds';
    expect(outcome).toEqual({ type: 'noQuorum', uncertain: false, why });
  });

  test('was emptied: a group that a member knows is not taken for a new one', () => {
    const vote = proposer({ type: 'read' }, N2, { known: RECORD });
    const { id } = one(vote.tick(at(0)), 'fetch');
    expect(vote.fetched(id, { type: 'none' }, at(1))).toEqual([]);
    const { outcome } = one(vote.tick(at(1000)), 'outcome');
    expect(outcome).toMatchObject({ type: 'noQuorum', uncertain: false });
  });

  test('gets a forced record, whose ballots are above all that was voted on', () => {
    const vote = proposer(FORCE, N2, { known: RECORD, highest });
    const { id } = one(vote.tick(at(0)), 'fetch');
    const { message } = one(vote.fetched(id, { type: 'none' }, at(1)), 'send');
    if (message.type !== 'prepare') throw new Error('everybody is asked first');
    const { ballot } = message;
    expect(ballot.counter).toBeGreaterThan(highest.counter);
    const accepted = { ballot: highest, record: RECORD };
    const seat = 'seat-n2' as SeatId;
    const answer = { type: 'prepared', id: message.id, group: GROUP, seat, ballot, accepted };
    const swap = one(vote.step(N2, answer as RegistryMessage, at(2)), 'swap');
    expect(swap).toMatchObject({ expected: 0, vote: { record: { owner: N2, registry: 'etcd' } } });
    const told = one(vote.swapped(swap.id, { type: 'swapped', revision: 3 }, at(3)), 'send');
    if (told.message.type !== 'accept') throw new Error('the record is told by an accept');
    expect(told.message.ballot.counter).toBeGreaterThan(ballot.counter);
    const next = firstSent(proposer({ type: 'read' }, N1), 4, swap.vote);
    expect(next.ballot.counter).toBeGreaterThan(told.message.ballot.counter);
  });
});

test('where configurations differ, the members alone do not replace what the store decided', () => {
  const seat = 'seat-n2' as SeatId;
  const options = { me: N2, seat, group: GROUP, members: [N2], rank: 0 };
  const start = { now: at(0), timeoutMs: 1000, highest: undefined };
  const vote = new Proposer(options, CLAIM, start);
  const [asked] = vote.tick(at(0));
  if (asked?.type !== 'send' || asked.message.type !== 'prepare') throw new Error('it asks');
  const { ballot, id } = asked.message;
  const record = { ...RECORD, voters: [{ node: N2, seat }] };
  const accepted = { ballot: STORED.by, record };
  const answer = { type: 'prepared', id, group: GROUP, seat, ballot, accepted } as const;
  const [ended] = vote.step(N2, answer, at(1));
  expect(ended).toMatchObject({ outcome: { type: 'noQuorum' } });
});
