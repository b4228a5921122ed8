import { describe, expect, test } from 'vitest';
import type { Epoch, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord } from '../../protocol/record.ts';
import { type RecordChange, evaluate } from './record-change.ts';

const [a, b, c] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];
const m = 'm' as ResourceId;

const voters = (...nodes: readonly NodeId[]): Electorate =>
  nodes.map((node) => ({ node, seat: `seat of ${node}` as SeatId }));
const SEATS = new Map(voters(a, b, c).map(({ node, seat }) => [node, seat]));

function record(over: Partial<OwnershipRecord> = {}): OwnershipRecord {
  const inSync = { [m]: [a, b] };
  return { epoch: 5 as Epoch, owner: a, inSync, want: 'online', voters: voters(a, b, c), ...over };
}

function outcome(change: RecordChange, present: OwnershipRecord | undefined): unknown {
  const result = evaluate(change, present, SEATS);
  if (result.type === 'empty') return 'empty';
  if (result.type === 'rejected') return `rejected: ${result.why}`;
  const { epoch, owner, inSync, want } = result.record;
  return `${result.type} ${epoch} ${owner} [${inSync[m]?.join(' ')}] ${want}`;
}

test('a move by hand is noted until the group is taken over', () => {
  const seats = new Map();
  const after = (change: RecordChange, present: OwnershipRecord): OwnershipRecord => {
    const result = evaluate(change, present, seats);
    if (result.type !== 'write') throw new Error(`not written: ${result.type}`);
    return result.record;
  };
  const moved = after({ type: 'transfer', to: b, epoch: 5 as Epoch, byHand: true }, record());
  expect(moved.byHand).toBe(true);
  const [six, seven] = [6 as Epoch, 7 as Epoch];
  expect(after({ type: 'want', want: 'offline' }, moved).byHand).toBe(true);
  // Started again where it is: by an administrator, and after a restart.
  const again = after({ type: 'transfer', to: b, epoch: six, byHand: false }, moved);
  expect(again.byHand).toBe(true);
  expect(after({ type: 'claim', owner: b, epoch: seven }, again).byHand).toBe(true);
  expect(after({ type: 'claim', owner: a, epoch: seven }, again).byHand).toBeUndefined();
  const handed = after({ type: 'transfer', to: a, epoch: seven, byHand: false }, again);
  expect(handed.byHand).toBeUndefined();
});

describe('changes of a record', () => {
  const five = 5 as Epoch;
  test.each<[string, RecordChange, OwnershipRecord | undefined, string]>([
    ['a reading of nothing', { type: 'read' }, undefined, 'empty'],
    ['a reading', { type: 'read' }, record(), 'settled 5 a [a b] online'],
    [
      'the first record',
      { type: 'create', owner: a, mirrors: [m] },
      undefined,
      'write 1 a [a] online',
    ],
    [
      'a second first record',
      { type: 'create', owner: a, mirrors: [m] },
      record(),
      'rejected: the group has a record already',
    ],
    [
      'a claim by a copy in sync',
      { type: 'claim', owner: b, epoch: five },
      record(),
      'write 6 b [b] online',
    ],
    [
      'a claim by a stale copy',
      { type: 'claim', owner: c, epoch: five },
      record(),
      'rejected: the copy of "m" on c is not in sync',
    ],
    [
      'a claim on old knowledge',
      { type: 'claim', owner: b, epoch: 4 as Epoch },
      record(),
      'rejected: the record moved on to epoch 5',
    ],
    [
      'a claim that was chosen before',
      { type: 'claim', owner: a, epoch: 4 as Epoch },
      record(),
      'settled 5 a [a b] online',
    ],
    [
      'a hand-over',
      { type: 'transfer', to: b, epoch: five, byHand: false },
      record(),
      'write 6 b [a b] online',
    ],
    [
      'a hand-over to a stale copy',
      { type: 'transfer', to: c, epoch: five, byHand: false },
      record(),
      'rejected: the copy of "m" on c is not in sync',
    ],
    [
      'a vote against a copy',
      { type: 'expel', owner: a, epoch: five, mirror: m, peer: b },
      record(),
      'write 5 a [a] online',
    ],
    [
      'a vote for a copy',
      { type: 'admit', owner: a, epoch: five, mirror: m, peer: c },
      record(),
      'write 5 a [a b c] online',
    ],
    [
      'a vote about copies by a former owner',
      { type: 'expel', owner: b, epoch: five, mirror: m, peer: a },
      record(),
      'rejected: a owns the group at epoch 5',
    ],
    ['what is wanted', { type: 'want', want: 'offline' }, record(), 'write 5 a [a b] offline'],
    ['what is so already', { type: 'want', want: 'online' }, record(), 'settled 5 a [a b] online'],
    [
      'a claim on nothing',
      { type: 'claim', owner: a, epoch: five },
      undefined,
      'rejected: the group has no record yet',
    ],
  ])('%s', (_name, change, present, expected) => {
    expect(outcome(change, present)).toBe(expected);
  });
});
