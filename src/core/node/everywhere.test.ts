/**
 * One group of type `everywhere` over real acceptors, as n1 sees it: what counts as known, when it
 * is read again, and that each request has its answer. Whole clusters are in `test/scenarios`.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { NEVER, instant, plus } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig, Timing } from '../../protocol/config.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage, VotedRecord } from '../../protocol/record.ts';
import type { Observation } from '../group/engine.ts';
import { Acceptor } from '../registry/acceptor.ts';
import { EverywhereCore } from './everywhere.ts';
import type { Effect, OperatorRequest } from './node-io.ts';

const [WEB, NGINX, SEAT] = ['web', 'nginx', 'seat'] as [GroupId, ResourceId, SeatId];
const [N1, N2, N3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const ALL = [N1, N2, N3];

function record(given: Partial<OwnershipRecord> = {}): OwnershipRecord {
  const voters = ALL.map((node) => ({ node, seat: SEAT }));
  return { epoch: 1 as Epoch, owner: N2, inSync: {}, want: 'online', voters, ...given };
}

class Bench {
  readonly core: EverywhereCore;
  readonly acceptors = new Map<NodeId, Acceptor>();
  readonly replies: string[] = [];
  readonly events: string[] = [];
  readonly actions: string[] = [];
  readonly told: NodeId[] = [];
  /** Of members that are asked for their vote, each time. */
  asked = 0;
  reachable = new Set<NodeId>(ALL);
  now = instant(1000);
  #queue: (() => readonly Effect[])[] = [];

  constructor(
    present: OwnershipRecord | undefined,
    { nodes = ALL, seats = {} }: { nodes?: readonly NodeId[]; seats?: Record<string, SeatId> } = {},
  ) {
    const ballot = { counter: 1, node: N2, seat: SEAT };
    for (const voter of ALL) {
      const accepted: VotedRecord = { ballot, record: present };
      const entries = present === undefined ? [] : [{ group: WEB, promised: ballot, accepted }];
      const own = seats[voter];
      this.acceptors.set(voter, new Acceptor(own ?? SEAT, own === undefined ? entries : []));
    }
    const mine = this.acceptor(N1);
    const program = {
      ...{ id: NGINX, after: [], agent: 'process', onFailure: 'retry', monitorMs: 1e9 },
      ...{ startTimeoutMs: 1000, stopTimeoutMs: 1000, restarts: { limit: 0, windowMs: 1 } },
    } as unknown as ResourceConfig;
    const common = { failback: { policy: 'never' }, resources: [program] } as const;
    const group: GroupConfig = { id: WEB, type: 'everywhere', nodes, ...common };
    this.core = new EverywhereCore({
      ...{ me: N1, group, members: ALL, outside: false, seat: SEAT, timing: {} as Timing },
      promised: () => mine.entry(WEB)?.promised,
      accepted: () => mine.entry(WEB)?.accepted?.record,
      inMaintenance: () => [],
      quarantined: () => new Set(),
      inStandby: () => [N3],
      othersMove: () => false,
    });
  }

  acceptor(node: NodeId): Acceptor {
    return must(this.acceptors.get(node), 'every member votes');
  }

  start(found: Observation['state'] = 'stopped'): this {
    this.#do(() => this.core.start(this.now));
    this.found(found);
    return this;
  }

  found(state: Observation['state']): void {
    const seen = [{ resource: NGINX, state, detail: '' }];
    this.#do(() => this.core.step({ type: 'probed', now: this.now, group: WEB, found: seen }));
  }

  peers(states: Partial<Record<string, PeerState>>): void {
    const peers = Object.entries(states).map(([node, state]) => ({ node, state }));
    const given = peers as unknown as readonly PeerReport[];
    this.#do(() => this.core.step({ type: 'peers', now: this.now, peers: given }));
  }

  ask(request: OperatorRequest): void {
    this.#do(() => this.core.step({ type: 'asked', now: this.now, id: 7, group: WEB, request }));
  }

  /** What runs here ends by itself. */
  failed(): void {
    const seen: Observation = { resource: NGINX, state: 'failed', detail: 'it is gone' };
    const event = { type: 'observed', group: WEB, seen, monitorId: undefined } as const;
    this.#do(() => this.core.step({ ...event, now: this.now }));
  }

  /** Somebody else's vote, of which this node hears or not. */
  changed(to: OwnershipRecord, heard: boolean): void {
    const ballot = { counter: 1000, node: N2, seat: SEAT };
    for (const node of [N2, N3]) {
      const entry = { group: WEB, promised: ballot, accepted: { ballot, record: to } };
      this.acceptors.set(node, new Acceptor(SEAT, [entry]));
    }
    if (!heard) return;
    const decided = { type: 'decided', group: WEB, record: to, reason: '', failedOn: [] } as const;
    this.#do(() => this.core.step({ type: 'decided', now: this.now, from: N2, decided }));
  }

  /** Lets time pass, from wake-up to wake-up; returns how many there were. */
  pass(ms: number): number {
    const end = plus(this.now, ms);
    let wakes = 0;
    for (;;) {
      const due = this.core.nextWakeAt();
      if (due > end) break;
      expect(due >= this.now).toBe(true);
      wakes += 1;
      this.now = due > this.now ? due : plus(this.now, 1);
      this.#do(() => this.core.step({ type: 'timePassed', now: this.now }));
    }
    this.now = end;
    return wakes;
  }

  #do(step: () => readonly Effect[]): void {
    this.#queue.push(step);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for (const effect of next()) this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    if (effect.type === 'reply') this.replies.push(`${effect.code ?? 'ok'}: ${effect.text}`);
    if (effect.type === 'event') this.events.push(effect.draft.kind);
    if (effect.type === 'action' && effect.action !== 'monitor') {
      this.actions.push(effect.action);
      const { action } = effect;
      const result = { id: effect.id, resource: NGINX, outcome: 'ok', detail: '' } as const;
      const finished = {
        type: 'actionFinished',
        now: this.now,
        group: WEB,
        action,
        result,
      } as const;
      this.#queue.push(() => this.core.step(finished));
    }
    if (effect.type !== 'send') return;
    const { message, to } = effect;
    if (message.type === 'decided') this.told.push(to);
    else if (message.type !== 'standing' && message.type !== 'flaps' && this.reachable.has(to))
      this.#vote(to, message);
  }

  #vote(to: NodeId, message: RegistryMessage): void {
    if (message.type !== 'prepare' && message.type !== 'accept') return;
    this.asked += 1;
    for (const effect of this.acceptor(to).step(N1, message)) {
      if (effect.type !== 'answer') continue;
      const answer = effect.message;
      this.#queue.push(() =>
        this.core.step({ type: 'registryMessage', now: this.now, from: to, message: answer }),
      );
    }
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench(record());
});

describe('what is known', () => {
  test('nothing starts before a majority was read and the probe has answered', () => {
    bench.reachable = new Set([N1]);
    bench.start();
    bench.pass(5000);
    expect(bench.actions).toEqual([]);
    expect(bench.core.state).toBe('unknown');
    expect(bench.core.reason).toContain('1 of 2 needed votes');
    bench.reachable.add(N2);
    bench.pass(1000);
    expect(bench.core.state).toBe('online');
  });

  test('where no majority answers, what this node knew last counts after ten seconds', () => {
    bench = new Bench(record({ banned: [N1] }));
    bench.reachable = new Set([N1]);
    bench.start('online');
    bench.pass(9000);
    expect(bench.actions).toEqual([]);
    bench.pass(2000);
    expect(bench.actions).toEqual(['stop']);
    expect(bench.core.reason).toBe('n1 is banned from the group');
  });

  test('without any record nothing is done, which is told once', () => {
    bench = new Bench(undefined);
    bench.reachable = new Set([N1]);
    bench.start('online');
    bench.pass(60_000);
    expect(bench.actions).toEqual([]);
    expect(bench.events).toEqual(['no-majority']);
  });

  test('the first of its nodes makes the record, with the standby that others know', () => {
    bench = new Bench(undefined);
    bench.start();
    bench.pass(1000);
    expect(bench.core.record).toMatchObject({ epoch: 1, want: 'online', standby: [N3] });
    expect(bench.core.state).toBe('online');
    expect(bench.told).toEqual([N2, N3]);
  });

  test('another one waits for it', () => {
    bench = new Bench(undefined, { nodes: [N2, N1] });
    bench.start();
    bench.pass(2000);
    expect(bench.core.record).toBeUndefined();
    expect(bench.core.state).toBe('unknown');
  });
});

describe('reading again', () => {
  beforeEach(() => {
    bench.start();
    bench.pass(1000);
    bench.asked = 0;
  });

  test('the word of another member is a reason to read, not the truth', () => {
    bench.changed(record({ want: 'offline' }), true);
    bench.reachable = new Set([N1]);
    expect(bench.core.state).toBe('online');
    bench.reachable = new Set(ALL);
    bench.pass(200);
    expect(bench.core.state).toBe('stopped');
  });

  test('a peer that is back is a reason, one that stays is none', () => {
    bench.peers({ n2: 'up', n3: 'lost' });
    bench.pass(200);
    const before = bench.asked;
    bench.peers({ n2: 'up', n3: 'lost' });
    bench.pass(200);
    expect(bench.asked).toBe(before);
    bench.changed(record({ standby: [N1] }), false);
    bench.peers({ n2: 'up', n3: 'up' });
    bench.pass(200);
    expect(bench.core.state).toBe('stopped');
  });

  test('what nobody told is found within half a minute, and in between nothing wakes it', () => {
    bench.changed(record({ want: 'offline' }), false);
    expect(bench.pass(25_000)).toBe(0);
    bench.pass(10_000);
    expect(bench.core.state).toBe('stopped');
  });
});

describe('requests', () => {
  beforeEach(() => {
    bench.start();
    bench.pass(1000);
  });

  test('each is answered once, when it is done here', () => {
    bench.ask({ type: 'start' });
    bench.ask({ type: 'stop' });
    bench.ask({ type: 'start' });
    bench.pass(100);
    expect(bench.replies).toEqual([
      'ok: "web" is online on n1 already',
      'ok: "web" is stopped on n1',
      'ok: "web" is online on n1',
    ]);
    expect(bench.events.filter((kind) => kind.startsWith('wanted'))).toEqual([
      'wanted-offline',
      'wanted-online',
    ]);
  });

  test('one that finds no majority says so, and changes nothing', () => {
    bench.reachable = new Set([N1]);
    bench.ask({ type: 'stop' });
    bench.ask({ type: 'start' });
    bench.ask({ type: 'bar', kind: 'ban', node: N1, on: true });
    bench.pass(10_000);
    expect(bench.replies.map((text) => text.split(':')[0])).toEqual([
      'busy',
      'no-quorum',
      'no-quorum',
    ]);
    expect(bench.core.state).toBe('online');
  });

  test('a node that is barred says that it does not start it', () => {
    bench.ask({ type: 'bar', kind: 'ban', node: N1, on: true });
    bench.ask({ type: 'start' });
    expect(bench.replies).toEqual([
      'ok: n1 is banned from the group',
      'ok: "web" is wanted online, but not on n1: n1 is banned from the group',
    ]);
    bench.ask({ type: 'bar', kind: 'ban', node: 'n9' as NodeId, on: true });
    expect(bench.replies.at(-1)).toBe('no-node: n9 is not among the nodes of "web"');
  });

  test('a start that finds on the way that this node is barred starts nothing', () => {
    bench.failed();
    const before = bench.actions.filter((action) => action === 'start').length;
    bench.changed(record({ banned: [N1] }), false);
    bench.ask({ type: 'start' });
    bench.pass(500);
    expect(bench.replies.at(-1)).toContain('is wanted online, but not on n1');
    expect(bench.actions.filter((action) => action === 'start')).toHaveLength(before);
  });

  test.each([
    { type: 'move', to: N2, reason: '' },
    { type: 'away', reason: '' },
    { type: 'force', off: [N2], acceptLoss: true },
  ] as const)('$type makes no sense', (request) => {
    bench.ask(request);
    expect(bench.replies[0]).toContain('runs-everywhere: "web" runs on each of its nodes at once');
  });

  test('a node that leaves stops it, and starts nothing more', () => {
    bench.ask({ type: 'leave' });
    expect(bench.replies).toEqual(['ok: "web" is stopped on n1']);
    bench.ask({ type: 'start' });
    expect(bench.replies.at(-1)).toContain('busy');
    expect(bench.core.reason).toBe('n1 is being stopped');
  });
});

test('a node that leaves before anything is known stops what runs', () => {
  bench = new Bench(undefined);
  bench.reachable = new Set([N1]);
  bench.start('online');
  bench.ask({ type: 'leave' });
  expect(bench.actions).toEqual(['stop']);
  expect(bench.replies).toEqual(['ok: "web" is stopped on n1']);
});

test('a node that only votes answers at once, and nothing wakes it without need', () => {
  bench = new Bench(record(), { nodes: [N2, N3] });
  bench.start('online');
  bench.pass(1000);
  expect(bench.pass(25_000)).toBe(0);
  bench.ask({ type: 'stop' });
  bench.ask({ type: 'leave' });
  expect(bench.replies).toEqual([
    'ok: "web" is wanted offline; it never runs on n1',
    'ok: "web" does not run here',
  ]);
  expect(bench.actions).toEqual([]);
});

test('a member with a new memory is voted in anew, in two steps', () => {
  const fresh = 'fresh' as SeatId;
  bench = new Bench(record(), { seats: { [N3]: fresh } });
  bench.start();
  bench.pass(5000);
  const { formerVoters, voters } = must(bench.core.record, 'it was read');
  expect(formerVoters).toBeUndefined();
  expect(voters.map(({ seat }) => seat)).toEqual([SEAT, SEAT, fresh]);
  expect(bench.core.nextWakeAt()).not.toBe(NEVER);
});
