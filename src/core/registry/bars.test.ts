import { describe, expect, test } from 'vitest';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { decodeAcceptorEntry } from './acceptor-entry.ts';
import { type BarChange, barOf, sameBars, withBar } from './bars.ts';
import { type RecordChange, evaluate } from './record-change.ts';

const [a, b, c] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];
const m = 'm' as ResourceId;
const five = 5 as Epoch;
const voters = [a, b, c].map((node) => ({ node, seat: `seat of ${node}` as SeatId }));

function record(over: Partial<OwnershipRecord> = {}): OwnershipRecord {
  return { epoch: five, owner: a, inSync: { [m]: [a, b, c] }, want: 'online', voters, ...over };
}

function bar(kind: BarChange['kind'], node: NodeId, on = true): BarChange {
  return { type: 'bar', kind, node, on };
}

function outcome(change: RecordChange, present: OwnershipRecord): string {
  const result = evaluate(change, present, new Map());
  if (result.type === 'rejected') return result.why;
  return result.type === 'empty' ? 'empty' : `${result.type} ${result.record.owner}`;
}

describe('a bar', () => {
  test('is set and lifted, each by itself, in an order that does not tell who came first', () => {
    const one = withBar(bar('standby', c), withBar(bar('ban', b), record()).record).record;
    const both = withBar(bar('standby', a), one).record;
    expect([both.standby, both.banned]).toEqual([[a, c], [b]]);
    expect([a, b, c].map((node) => barOf(both, node))).toEqual([
      'is in standby',
      'is banned from the group',
      'is in standby',
    ]);
    const lifted = [bar('standby', a, false), bar('standby', c, false), bar('ban', b, false)];
    const none = lifted.reduce((present, change) => withBar(change, present).record, both);
    expect(JSON.stringify(none)).toBe(JSON.stringify(record()));
    expect([sameBars(none, record()), sameBars(none, both)]).toEqual([true, false]);
  });

  test('that is there already, or is not, is settled', () => {
    expect(withBar(bar('ban', b, false), record()).type).toBe('settled');
    expect(withBar(bar('ban', b), record({ banned: [b] })).type).toBe('settled');
    expect(withBar(bar('standby', b), record({ banned: [b] })).type).toBe('write');
  });

  test.each<[string, RecordChange, string]>([
    ['a claim', { type: 'claim', owner: b, epoch: five }, 'b is in standby'],
    ['a hand-over', { type: 'transfer', to: b, epoch: five, byHand: true }, 'b is in standby'],
    ['a claim of another', { type: 'claim', owner: c, epoch: five }, 'write c'],
    ['a claim of the owner', { type: 'claim', owner: a, epoch: five }, 'write a'],
    ['its start', { type: 'transfer', to: a, epoch: five, byHand: false }, 'write a'],
  ])('refuses %s or lets it be', (_, change, expected) => {
    const present = record({ standby: [a, b] });
    expect(outcome(change, present)).toBe(expected);
  });

  test('outlives takeovers, hand-overs and votes on copies and voters', () => {
    const present = record({ standby: [b], banned: [a] });
    const changes: RecordChange[] = [
      { type: 'claim', owner: c, epoch: five },
      { type: 'transfer', to: c, epoch: five, byHand: false },
      { type: 'expel', owner: a, epoch: five, mirror: m, peer: b },
      { type: 'want', want: 'offline' },
      { type: 'joinVoters', owner: a, epoch: five, voters: voters.slice(0, 1) },
    ];
    for (const change of changes) {
      const result = evaluate(change, present, new Map());
      expect(result).toMatchObject({ type: 'write', record: { standby: [b], banned: [a] } });
    }
  });

  test('of another group is there from the first record on', () => {
    const seats = new Map(voters.map(({ node, seat }) => [node, seat]));
    const create = { type: 'create', owner: a, mirrors: [m] } as const;
    const made = evaluate({ ...create, standby: [b] }, undefined, seats);
    expect(made).toMatchObject({ record: { standby: [b] } });
    expect(evaluate(create, undefined, seats)).not.toHaveProperty('record.standby');
  });

  test.each([
    [{}, true],
    [{ standby: ['b'], banned: ['c'] }, true],
    [{ standby: 'b' }, false],
    [{ banned: [1] }, false],
    [{ banned: { b: true } }, false],
  ])('is read back from storage in its form only: %j', (over, good) => {
    const ballot = { counter: 1, node: a, seat: 's' };
    const accepted = { ballot, record: { ...record(), ...over } };
    const entry = decodeAcceptorEntry({ group: 'g' as GroupId, promised: ballot, accepted });
    expect(entry !== undefined).toBe(good);
  });
});
