/** What a plan does to a group that this node owns, whatever the plan says. */
import { beforeEach, expect, test } from 'vitest';
import { type Instant, instant } from '../../base/time.ts';
import type { GroupConfig, Timing } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { Placement, PlacementAction } from '../placement/types.ts';
import { GroupContext, type Moves } from './group-context.ts';
import { Placed } from './placed.ts';
import type { GroupPlacing } from './placing.ts';

const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const GROUP = 'db' as GroupId;
const SEAT = 'seat' as SeatId;
const TIMING: Timing = {
  ...{ heartbeatMs: 50, leaseMs: 300, nodeLostMs: 1000, secondaryLostMs: 400 },
  ...{ clockDrift: 0.01, addressLifeSeconds: 3, suspendGraceMs: 10_000 },
};
const HOUR = 3_600_000;
const RECORD: OwnershipRecord = {
  epoch: 3 as Epoch,
  owner: N1,
  inSync: {},
  want: 'online',
  voters: [{ node: N1, seat: SEAT }],
};

let placement: Placement;
let rival: GroupId | undefined;
let waiting: GroupId | undefined;
let here: string | undefined;
let awaited: string | undefined;
let mate: ReturnType<GroupPlacing['matesGoTo']>;
let context: GroupContext;
let placed: Placed;
let moves: [atMs: number, to: NodeId][];
let now: Instant;

beforeEach(() => {
  now = instant(0);
  moves = [];
  [rival, waiting, here, awaited, mate] = [undefined, undefined, undefined, undefined, undefined];
  plan('stay', N1);
  const placing: GroupPlacing = {
    turn: () => ({ mine: false, why: undefined }),
    placement: () => placement,
    choose: () => undefined,
    against: () => undefined,
    obstacleHere: () => here,
    awaited: () => awaited,
    waitsForRoom: () => waiting,
    rivalHere: () => rival,
    mateOn: () => undefined,
    mateElsewhere: () => undefined,
    matesGoTo: () => mate,
  };
  const group: GroupConfig = {
    id: GROUP,
    nodes: [N1, N2],
    failback: { policy: 'never' },
    resources: [],
  };
  const nothing = { promised: () => undefined, accepted: () => undefined };
  const lone = {
    ...{ inStandby: () => [], othersMove: () => false },
    ...{ quarantined: () => new Set<NodeId>(), inMaintenance: () => [] },
  };
  context = new GroupContext(
    {
      ...{ me: N1, group, timing: TIMING, members: [N1, N2], outside: false, seat: SEAT },
      ...nothing,
      ...lone,
      placing,
    },
    { settled: () => undefined, noticed: () => undefined },
  );
  const up = { node: N2, state: 'up', claims: [], hearsOn: [], links: [], reason: '' };
  context.peers.update([up as unknown as PeerReport], now);
  context.phase = 'owning';
  context.leaseHeld = true;
  context.record = RECORD;
  placed = new Placed(context, {
    place: (to: NodeId, _reason: string, at: Instant) => void moves.push([at, to]),
  } as unknown as Moves);
});

function plan(action: PlacementAction, target: NodeId | undefined): void {
  const none = { instance: undefined, startsAfter: [], roomFrom: [] };
  placement = { group: GROUP, action, target, from: N1, reason: `${action}`, ...none };
}

/** As long as it runs here; whoever gets it gives it back at once. */
function runs(ms: number): void {
  for (const end = now + ms; now < end; now = instant(now + 500)) placed.advance(RECORD, now);
}

test('a plan that changes its mind moves nothing', () => {
  rival = 'log' as GroupId;
  for (let turn = 0; turn < 20; turn += 1) {
    plan('move', N2);
    runs(500);
    plan('stay', N1);
    runs(500);
  }
  expect(moves).toEqual([]);
});

test('two nodes that never agree move it ever less often', () => {
  plan('move', N2);
  rival = 'log' as GroupId;
  runs(HOUR);
  expect(moves.slice(0, 6).map(([at]) => at)).toEqual([1000, 2500, 4000, 34_000, 94_000, 214_000]);
  expect(moves.length).toBeLessThan(11);
  const before = moves.length;
  runs(10 * HOUR);
  expect(moves.length - before).toBeLessThanOrEqual(11);
});

test('what stands beside a rival and has nowhere to go stops', () => {
  plan('stop', undefined);
  rival = 'log' as GroupId;
  runs(2000);
  expect(moves[0]).toEqual([1000, N1]);
});

test('it gives way at once, and not to and fro', () => {
  plan('move', N2);
  waiting = 'log' as GroupId;
  runs(2000);
  expect(moves.slice(0, 4).map(([, to]) => to)).toEqual([N2, N2, N2, N1]);
});

test('what a plan says without other groups being concerned is the matter of others', () => {
  plan('move', N2);
  runs(10_000);
  expect(moves).toEqual([]);
});

test('it goes along with what it runs together with', () => {
  mate = { mate: 'log' as GroupId, to: N2 };
  runs(500);
  expect(moves).toEqual([[0, N2]]);
});

test('it starts when nothing is in the way, and says what is', () => {
  plan('start', N1);
  here = 'has "log", from which it must be apart';
  expect(placed.mayStart(RECORD, now)).toBe(false);
  expect(context.heldBack).toBe('n1 has "log", from which it must be apart');
  here = undefined;
  awaited = 'it comes after "log", which is not online on n2 yet';
  expect(placed.mayStart(RECORD, now)).toBe(false);
  expect(context.reason).toBe(`not started yet: ${awaited}`);
  awaited = undefined;
  context.reason = 'not started yet: ...';
  expect(placed.mayStart(RECORD, now)).toBe(true);
  expect(context.heldBack).toBeUndefined();
  plan('wait', undefined);
  expect(placed.mayStart(RECORD, now)).toBe(false);
});

test('what waits here is handed on to where it belongs, within bounds', () => {
  plan('start', N2);
  for (const end = now + HOUR; now < end; now = instant(now + 500)) placed.mayStart(RECORD, now);
  expect(moves.slice(0, 4).map(([at]) => at)).toEqual([1000, 2500, 4000, 34_000]);
  expect(moves.length).toBeLessThan(65);
});
