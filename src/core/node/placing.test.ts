/** The plan of one node: whose turn it is, and what is told and believed of others. */
import { beforeEach, describe, expect, test } from 'vitest';
import { type Instant, NEVER, instant } from '../../base/time.ts';
import type { Config, PlacementConfig } from '../../protocol/config.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { Standing } from './node-io.ts';
import { Placing } from './placing.ts';
import type { GroupFacts } from './placing-facts.ts';

const [N1, N2, N3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const [DB, LOG] = ['db', 'log'] as [GroupId, GroupId];
const NONE: PlacementConfig = {
  ...{ after: [], together: [], apart: [], apartIfPossible: [], priority: 0, needs: {} },
};

let facts: Map<GroupId, GroupFacts>;
let placing: Placing;
let now: Instant;

beforeEach(() => {
  now = instant(1000);
  facts = new Map();
});

/** As `me` sees it; both groups may run on all three nodes. */
function make(me: NodeId, words: Partial<Record<GroupId, Partial<PlacementConfig>>>): void {
  const groups = [DB, LOG].map((id) => {
    const placement = { ...NONE, ...words[id] };
    return { id, nodes: [N1, N2, N3], failback: { policy: 'never' }, resources: [], placement };
  });
  const nodes = [N1, N2, N3].map((id) => ({ id, addresses: {}, capacity: { memory: 8 } }));
  placing = new Placing({
    me,
    config: { groups, nodes } as unknown as Config,
    factsOf: (group) => facts.get(group),
    instanceOf: () => undefined,
    upSince: () => instant(0),
  });
  placing.heart(true);
}

function owned(group: GroupId, owner: NodeId, over: Partial<GroupFacts> = {}): OwnershipRecord {
  const record = { epoch: 4 as Epoch, owner, inSync: {}, want: 'online', voters: [] } as const;
  const none = { own: undefined, present: false, ownerLost: false, failedOn: [] };
  facts.set(group, { record, ...none, isTime: false, knownEmpty: false, ...over });
  return record;
}

function peers(states: Readonly<Record<string, PeerState>>): void {
  const list = Object.entries(states).map(([node, state]) => ({ node, state, claims: [] }));
  placing.peersReported(list as unknown as PeerReport[]);
}

function after(ms: number): void {
  now = instant(now + ms);
  while (placing.refresh(now)) continue;
}

function told(from: NodeId, group: GroupId, state: Standing['groups'][number]['state']): void {
  const groups = [{ group, epoch: 4 as Epoch, state }];
  placing.heard(from, { type: 'standing', groups });
}

describe('turns', () => {
  test('the chosen node has its turn, then the others, then all again', () => {
    make(N3, {});
    peers({ n1: 'lost', n2: 'up' });
    const record = owned(DB, N1, { ownerLost: true });
    after(0);
    expect(placing.placement(DB)?.target).toBe(N2);
    expect(placing.turnOf(DB, record)).toEqual({ mine: false, why: undefined });
    expect(placing.nextWakeAt()).toBe(now + 200);
    after(199);
    expect(placing.turnOf(DB, record).mine).toBe(false);
    after(1);
    expect(placing.turnOf(DB, record).mine).toBe(true);
    after(5000);
    expect(placing.turnOf(DB, record)).toEqual({ mine: false, why: undefined });
    after(5000);
    expect(placing.placement(DB)?.target).toBe(N2);
  });

  test('a turn is for the record that the plan has seen', () => {
    make(N2, {});
    peers({ n1: 'lost', n3: 'up' });
    const record = owned(DB, N1, { ownerLost: true });
    after(0);
    expect(placing.turnOf(DB, record).mine).toBe(true);
    expect(placing.turnOf(DB, { ...record }).mine).toBe(false);
  });

  test('who comes back has lost nothing', () => {
    make(N3, {});
    peers({ n1: 'lost', n2: 'up' });
    owned(DB, N1, { ownerLost: true });
    after(0);
    after(300);
    peers({ n1: 'up', n2: 'up' });
    owned(DB, N1);
    after(0);
    expect(placing.placement(DB)).toMatchObject({ action: 'stay', target: N1 });
    expect(placing.nextWakeAt()).toBe(NEVER);
  });

  test('what this node owned last and cannot take up again keeps no room for ever', () => {
    const needs = { memory: 5 };
    make(N1, { [DB]: { needs }, [LOG]: { needs } });
    peers({ n2: 'lost', n3: 'lost' });
    owned(DB, N1, { ownerLost: true });
    owned(LOG, N1, { own: { state: 'down' } });
    after(0);
    expect(placing.placement(DB)?.target).toBe(N1);
    expect(placing.placement(LOG)?.target).toBeUndefined();
    after(5000);
    expect(placing.placement(LOG)?.target).toBe(N1);
  });

  test('nobody takes what must be apart from what runs there', () => {
    make(N2, { [LOG]: { apart: [DB], priority: 1 } });
    peers({ n1: 'lost', n3: 'lost' });
    const record = owned(DB, N1, { ownerLost: true });
    owned(LOG, N2, { own: { state: 'online' }, present: true });
    after(0);
    after(10_000);
    const { mine, why } = placing.turnOf(DB, record);
    expect([mine, why]).toEqual([false, expect.stringContaining('n2 has "log"')]);
  });
});

describe('what others tell', () => {
  test('counts for the epoch of the record and from its owner only', () => {
    make(N1, { [DB]: { after: [LOG] } });
    peers({ n2: 'up', n3: 'up' });
    owned(DB, N1, { own: { state: 'down' } });
    owned(LOG, N2);
    after(0);
    expect(placing.awaited(DB)).toBe('it comes after "log", which is not online on n2 yet');
    told(N3, LOG, 'online');
    expect(placing.awaited(DB)).toBeDefined();
    told(N2, LOG, 'up');
    expect(placing.awaited(DB)).toBeDefined();
    told(N2, LOG, 'online');
    expect(placing.awaited(DB)).toBeUndefined();
    peers({ n2: 'suspect', n3: 'up' });
    expect(placing.awaited(DB)).toBeDefined();
  });

  test('own groups are told on every change, and again after a second', () => {
    make(N1, {});
    peers({ n2: 'up', n3: 'up' });
    owned(DB, N1, { own: { state: 'up' }, present: true });
    after(0);
    expect(placing.tellOthers(now).map((effect) => effect.type === 'send' && effect.to)).toEqual([
      N2,
      N3,
    ]);
    expect(placing.tellOthers(now)).toEqual([]);
    now = instant(now + 1000);
    expect(placing.tellOthers(now)).toHaveLength(2);
    owned(DB, N1, { own: { state: 'online' }, present: true });
    after(0);
    expect(placing.tellOthers(now)).toHaveLength(2);
  });
});

test('room is counted by what runs here, and to the thousandth', () => {
  make(N1, { [DB]: { needs: { memory: 7.9 } }, [LOG]: { needs: { memory: 0.2 } } });
  owned(LOG, N1, { own: { state: 'up' }, present: true });
  owned(DB, N1, { own: { state: 'down' } });
  after(0);
  expect(placing.obstacleHere(DB, 'alone')).toBe('has 7.8 memory left of 7.9 wanted');
  owned(LOG, N1, { own: { state: 'down' } });
  after(0);
  expect(placing.obstacleHere(DB, 'alone')).toBeUndefined();
});
