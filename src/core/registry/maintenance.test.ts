import { describe, expect, test } from 'vitest';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { Maintenance, OwnershipRecord } from '../../protocol/record.ts';
import { decodeAcceptorEntry } from './acceptor-entry.ts';
import { barOf, sameBars } from './bars.ts';
import { leftAlone, type MaintenanceChange, withMaintenance } from './maintenance.ts';
import { type RecordChange, evaluate } from './record-change.ts';

const [a, b, c] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];
const m = 'm' as ResourceId;
const five = 5 as Epoch;
const voters = [a, b, c].map((node) => ({ node, seat: `seat of ${node}` as SeatId }));
const group: Maintenance = { scope: 'group', sinceMs: 1000, by: 'root' };
const cluster: Maintenance = { scope: 'cluster', sinceMs: 1000, by: 'root' };
const of = (node: NodeId): Maintenance => ({ scope: 'node', node, sinceMs: 1000, by: 'root' });

function record(maintenance?: readonly Maintenance[]): OwnershipRecord {
  const common = { epoch: five, owner: a, want: 'online', voters } as const;
  return { ...common, inSync: { [m]: [a, b, c] }, maintenance };
}

function on(entry: Maintenance): MaintenanceChange {
  return { type: 'maintain', scope: entry.scope, node: entry.node, entry };
}

function off({ scope, node }: Maintenance, dueMs?: number): MaintenanceChange {
  return { type: 'maintain', scope, node, entry: undefined, dueMs };
}

function apply(changes: readonly MaintenanceChange[]): OwnershipRecord {
  return changes.reduce((present, change) => withMaintenance(change, present).record, record());
}

describe('an entry', () => {
  test('is set and ended, each by itself, in an order that does not tell who came first', () => {
    const all = apply([on(of(b)), on(group), on(cluster), on(of(a))]);
    expect(all).toEqual(apply([on(cluster), on(of(a)), on(of(b)), on(group)]));
    const none = [off(group), off(of(a)), off(cluster), off(of(b))].reduce(
      (present, change) => withMaintenance(change, present).record,
      all,
    );
    expect(none).toEqual(record());
    expect([sameBars(none, record()), sameBars(none, all)]).toEqual([true, false]);
  });

  test('that is asked for again goes on since it began, and until what was said last', () => {
    const longer = { ...group, sinceMs: 3000, untilMs: 9000, by: 'other' };
    expect(apply([on(group), on(longer)]).maintenance).toEqual([{ ...longer, sinceMs: 1000 }]);
  });

  test('that is there already, or is not, is settled', () => {
    expect(withMaintenance(on(group), record([group])).type).toBe('settled');
    expect(withMaintenance(off(group), record([cluster])).type).toBe('settled');
  });

  test('whose time is over is not ended when it was prolonged meanwhile', () => {
    const timed = { ...group, untilMs: 5000 };
    expect(withMaintenance(off(group, 5000), record([timed])).type).toBe('write');
    expect(withMaintenance(off(group, 4000), record([timed])).type).toBe('settled');
    expect(withMaintenance(off(group, 4000), record([group])).type).toBe('settled');
    expect(withMaintenance(off(group), record([timed])).type).toBe('write');
  });

  test('outlives takeovers and hand-overs, and being stored', () => {
    const moved = evaluate(
      { type: 'transfer', to: b, epoch: five, byHand: true },
      record([group, { ...of(c), untilMs: 7, reason: 'memory' }]),
      new Map(),
    );
    expect(moved).toMatchObject({ type: 'write', record: { owner: b, maintenance: [group, {}] } });
    const present = record([{ ...of(c), untilMs: 7, reason: 'memory' }]);
    const ballot = { counter: 1, node: a, seat: 'seat' as SeatId };
    const entry = {
      group: 'g' as GroupId,
      promised: ballot,
      accepted: { ballot, record: present },
    };
    const stored: unknown = JSON.parse(JSON.stringify(entry));
    expect(decodeAcceptorEntry(stored)?.accepted?.record).toMatchObject({
      maintenance: present.maintenance,
    });
  });

  test.each<[string, unknown]>([
    ['no list', {}],
    ['no time', [{ scope: 'group', by: 'x' }]],
    ['no one', [{ scope: 'group', sinceMs: 1 }]],
    ['an end that is none', [{ scope: 'group', sinceMs: 1, by: 'x', untilMs: 'noon' }]],
  ])('with %s is refused where it is read', (_, maintenance) => {
    const ballot = { counter: 1, node: a, seat: 'seat' };
    const damaged = { ...record(), maintenance };
    const entry = { group: 'g', promised: ballot, accepted: { ballot, record: damaged } };
    expect(decodeAcceptorEntry(entry)).toBeUndefined();
  });
});

describe('what is left alone', () => {
  test.each<[string, readonly Maintenance[], boolean, string | undefined]>([
    ['a group', [group], true, undefined],
    ['the cluster', [cluster], true, undefined],
    ['the node of its owner', [of(a)], true, undefined],
    ['another node', [of(b)], false, 'is in maintenance'],
  ])('with maintenance of %s', (_, entries, alone, bar) => {
    const present = record(entries);
    expect([leftAlone(present) !== undefined, barOf(present, b)]).toEqual([alone, bar]);
  });

  const claim = (owner: NodeId): RecordChange => ({ type: 'claim', owner, epoch: five });
  const move = (to: NodeId): RecordChange => ({ type: 'transfer', to, epoch: five, byHand: true });

  test.each<[string, RecordChange, readonly Maintenance[], string]>([
    ['a claim of another', claim(b), [group], 'the group is in maintenance'],
    ['a claim in a cluster', claim(b), [cluster], 'the group is in maintenance'],
    ['a claim from a node', claim(b), [of(a)], 'the group is in maintenance'],
    ['a claim for a node', claim(b), [of(b)], 'b is in maintenance'],
    ['a claim beside a node', claim(c), [of(b)], 'write'],
    ['a claim of the owner', claim(a), [group, of(a)], 'write'],
    ['a move', move(b), [group], 'write'],
    ['a move to a node', move(b), [of(b)], 'b is in maintenance'],
  ])('%s', (_, change, entries, expected) => {
    const result = evaluate(change, record(entries), new Map());
    expect(result.type === 'rejected' ? result.why : result.type).toBe(expected);
  });
});
