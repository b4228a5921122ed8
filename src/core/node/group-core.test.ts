/**
 * One group's core over real acceptors: what a whole simulated cluster reaches too seldom. Each
 * request is answered, each phase is left, and nothing waits for what cannot come.
 */
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, instant } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig, Timing } from '../../protocol/config.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { Observation } from '../group/engine.ts';
import { Acceptor } from '../registry/acceptor.ts';
import { GroupCore } from './group-core.ts';
import type { CoreEvent, MirrorNews, Effect, MirrorOrder, OperatorRequest } from './node-io.ts';

type Untimed<E> = E extends { readonly now: Instant } ? Omit<E, 'now'> : never;

const GROUP = 'db' as GroupId;
const [N1, N2, W1] = ['n1', 'n2', 'w1'] as [NodeId, NodeId, NodeId];
const SEAT = 'seat' as SeatId;
const [DATA, PROGRAM] = ['data', 'program'] as [ResourceId, ResourceId];

const TIMING: Timing = {
  heartbeatMs: 50,
  leaseMs: 300,
  nodeLostMs: 1000,
  secondaryLostMs: 400,
  clockDrift: 0.01,
  addressLifeSeconds: 3,
  suspendGraceMs: 10_000,
};

function config(): GroupConfig {
  const common = {
    monitorMs: 1e9,
    startTimeoutMs: 1000,
    stopTimeoutMs: 1000,
    restarts: { limit: 1, windowMs: 60_000 },
  };
  const data = { ...common, id: DATA, after: [], agent: 'mirror', path: '/d', mode: 'durable' };
  const program = { ...common, id: PROGRAM, after: [DATA], agent: 'process', command: ['p'] };
  const resources = [{ ...data, index: 0 }, program] as unknown as readonly ResourceConfig[];
  return { id: GROUP, nodes: [N1, N2], failback: { policy: 'never' }, resources };
}

function record(
  owner: NodeId,
  epoch: number,
  given: Partial<OwnershipRecord> = {},
): OwnershipRecord {
  const inSync = { [DATA]: [N1, N2] } as unknown as OwnershipRecord['inSync'];
  const voters = [N1, N2, W1].map((node) => ({ node, seat: SEAT }));
  return { owner, epoch: epoch as Epoch, inSync, want: 'online' as const, voters, ...given };
}

/** The core of n1; n2 and w1 only vote. Everything that is started starts, until told otherwise. */
class Bench {
  readonly core: GroupCore;
  readonly acceptors = new Map<NodeId, Acceptor>();
  readonly replies: string[] = [];
  readonly kinds: string[] = [];
  readonly orders: MirrorOrder[] = [];
  /** Who the heart is told to count, claim by claim. */
  readonly claims: string[] = [];
  readonly unanswered: (() => void)[] = [];
  reachable = new Set([N1, N2, W1]);
  /** Actions and orders whose answers are kept back. */
  keep = new Set<string>();
  failing = new Set<string>();
  leaseFollows = true;
  othersMove = false;
  now = instant(1000);
  #ballots = 0;
  #queue: (() => readonly Effect[])[] = [];

  constructor(present: OwnershipRecord | undefined) {
    const ballot = { counter: 1, node: N1, seat: SEAT };
    for (const voter of [N1, N2, W1]) {
      const entry = { group: GROUP, promised: ballot, accepted: { ballot, record: present } };
      this.acceptors.set(voter, new Acceptor(SEAT, present === undefined ? [] : [entry]));
    }
    const voters = [N1, N2, W1];
    const own = must(this.acceptors.get(N1), 'n1 votes');
    this.core = new GroupCore({
      me: N1,
      group: config(),
      timing: TIMING,
      members: voters,
      outside: false,
      seat: SEAT,
      promised: () => own.entry(GROUP)?.promised,
      accepted: () => own.entry(GROUP)?.accepted?.record,
      inStandby: () => [],
      inMaintenance: () => [],
      quarantined: () => new Set(),
      othersMove: () => this.othersMove,
    });
  }

  start(found: Observation['state'] = 'stopped'): this {
    this.#queue.push(() => this.core.start(this.now));
    this.#run();
    this.peer('up');
    this.step({ type: 'heartConnected' });
    const seen = [DATA, PROGRAM].map((resource) => ({ resource, state: found, detail: '' }));
    this.step({ type: 'probed', group: GROUP, found: seen });
    return this;
  }

  peer(state: PeerState, claims?: number): void {
    const claimed = claims === undefined ? [] : [{ group: GROUP, epoch: claims as Epoch }];
    const report = { state, reason: 'silent', lastHeardAt: this.now, hearsOn: [], links: [] };
    const peers = [{ ...report, node: N2, claims: claimed } as unknown as PeerReport];
    this.step({ type: 'peers', peers });
  }

  lease(held: boolean, epoch = this.core.record?.epoch ?? (0 as Epoch)): void {
    this.step({ type: 'lease', group: GROUP, epoch, held, reason: 'no answers' });
  }

  news(news: MirrorNews): void {
    this.step({ type: 'mirrorNews', group: GROUP, mirror: DATA, news });
  }

  ask(request: OperatorRequest, id = 1): void {
    this.step({ type: 'asked', id, group: GROUP, request });
  }

  decided(decided: OwnershipRecord): void {
    const message = { type: 'decided', group: GROUP, record: decided, reason: 'told' } as const;
    this.step({ type: 'decided', from: N2, decided: { ...message, failedOn: [] } });
  }

  /** Writes a record behind this node's back, as a vote of the others would. */
  others(written: OwnershipRecord): void {
    this.#ballots += 1000;
    const ballot = { counter: this.#ballots, node: N2, seat: SEAT };
    for (const voter of [N2, W1]) {
      const entry = { group: GROUP, promised: ballot, accepted: { ballot, record: written } };
      this.acceptors.set(voter, new Acceptor(SEAT, [entry]));
    }
  }

  answer(): void {
    for (const answer of this.unanswered.splice(0)) answer();
  }

  advance(ms: number): void {
    const end = this.now + ms;
    for (let wakes = 0; ; wakes += 1) {
      expect(wakes, 'it does not spin').toBeLessThan(ms / 10 + 100);
      const due = Math.max(this.core.nextWakeAt(this.now), this.now + 1);
      if (due > end) break;
      this.now = instant(due);
      this.step({ type: 'timePassed' });
    }
    this.now = instant(end);
  }

  step(event: Untimed<CoreEvent>): void {
    this.#queue.push(() => this.core.step({ ...event, now: this.now } as CoreEvent));
    this.#run();
  }

  #running = false;
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for (const effect of next()) this.#perform(effect);
    }
    this.#running = false;
  }

  #perform(effect: Effect): void {
    if (effect.type === 'claim') {
      const names = effect.electorates.map((voters) => voters.map(({ node }) => node).join(' '));
      this.claims.push(names.join(' and '));
    }
    if (effect.type === 'reply') this.replies.push(`${effect.id} ${effect.code ?? 'ok'}`);
    else if (effect.type === 'event') this.kinds.push(effect.draft.kind);
    else if (effect.type === 'send') this.#vote(effect.to, effect.message as RegistryMessage);
    else if (effect.type === 'claim' && this.leaseFollows) {
      this.lease(true, effect.epoch);
      const by = [N1, N2, W1].map((node) => ({ node, seat: SEAT }));
      this.step({ type: 'support', group: GROUP, epoch: effect.epoch, by });
    } else if (effect.type === 'mirrorOrder') {
      const { mirror, order } = effect;
      this.orders.push(order);
      const ok = !this.failing.has(order.type);
      const answered = { group: GROUP, mirror, order, ok, copyGone: false, message: 'it says no' };
      this.#later(order.type, () => this.step({ type: 'mirrorAnswered', ...answered }));
    } else if (effect.type === 'action' && effect.action !== 'monitor') {
      const { id, resource, action } = effect;
      const outcome = this.failing.has(action) ? ('failed' as const) : ('ok' as const);
      const result = { id, resource, outcome, detail: '' };
      this.#later(action, () =>
        this.step({ type: 'actionFinished', group: GROUP, action, result }),
      );
    }
  }

  #later(what: string, answer: () => void): void {
    if (this.keep.has(what)) this.unanswered.push(answer);
    else answer();
  }

  #vote(to: NodeId, message: RegistryMessage): void {
    if (message.type !== 'prepare' && message.type !== 'accept') return;
    if (!this.reachable.has(to)) return;
    const acceptor = must(this.acceptors.get(to), 'every member votes');
    const effects = [...acceptor.step(N1, message)];
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      if (effect.type === 'revoke') {
        effects.push(...acceptor.revoked(effect.id, { ok: true, remainingMs: 0, why: undefined }));
      } else if (effect.type === 'answer') {
        const { message: answer } = effect;
        this.step({ type: 'registryMessage', from: to, message: answer });
      }
    }
  }
}

function owner(): Bench {
  const bench = new Bench(record(N1, 4)).start();
  expect([bench.core.phase, bench.core.record?.epoch]).toEqual(['owning', 5]);
  return bench;
}

describe('what people ask', () => {
  test('a stop while the lease is out is carried out once a majority has recorded it', () => {
    const bench = owner();
    bench.reachable = new Set([N1]);
    bench.lease(false);
    bench.advance(400);
    bench.ask({ type: 'stop' });
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(4000);
    expect([bench.core.phase, bench.replies]).toEqual(['offline', ['1 ok']]);
  });

  test('a wish that finds no majority is refused, and the next one is heard', () => {
    const bench = owner();
    bench.reachable = new Set([N1]);
    bench.ask({ type: 'stop' });
    bench.advance(3500);
    bench.ask({ type: 'start' }, 2);
    expect([bench.core.phase, bench.replies]).toEqual(['owning', ['1 no-quorum', '2 ok']]);
  });

  test('a start that nobody can carry out is answered, and does not keep a stop away', () => {
    const bench = new Bench(record(N1, 4, { want: 'offline' })).start();
    bench.failing.add('start');
    bench.peer('lost');
    bench.ask({ type: 'start' });
    bench.advance(2000);
    bench.ask({ type: 'start' }, 2);
    bench.advance(5000);
    bench.ask({ type: 'stop' }, 3);
    bench.advance(1000);
    expect([bench.core.phase, bench.replies]).toEqual([
      'offline',
      ['1 ok', '2 agent-failed', '3 ok'],
    ]);
  });

  test('a start in the middle of a stop that hangs begins when it has stopped', () => {
    const bench = owner();
    bench.failing.add('stop');
    bench.ask({ type: 'stop' });
    expect([bench.core.phase, bench.replies]).toEqual(['stopping', ['1 agent-failed']]);
    bench.ask({ type: 'start' }, 2);
    bench.failing.clear();
    bench.advance(3000);
    expect([bench.core.phase, bench.replies]).toEqual(['owning', ['1 agent-failed', '2 ok']]);
    expect(bench.core.record?.want).toBe('online');
  });

  test('what another node recorded is carried out by the owner', () => {
    const bench = owner();
    const { epoch } = must(bench.core.record, 'owned');
    const wished = record(N1, epoch, { want: 'offline', inSync: { [DATA]: [N1] } as never });
    bench.others(wished);
    bench.decided(wished);
    bench.advance(500);
    expect(bench.core.phase).toBe('offline');
    bench.others({ ...wished, want: 'online' });
    bench.decided({ ...wished, want: 'online' });
    bench.advance(500);
    expect(bench.core.phase).toBe('owning');
  });
});

describe('no word is final', () => {
  test('a request that nothing ends is answered after a while, and keeps none away', () => {
    const bench = owner();
    bench.keep.add('stop');
    bench.ask({ type: 'stop' });
    bench.advance(60_000);
    expect(bench.replies).toEqual(['1 timed-out']);
    bench.ask({ type: 'start' }, 2);
    expect(bench.replies).toHaveLength(1);
  });

  test('a start of what runs already is answered at once, also when it had to be recorded', () => {
    const bench = owner();
    bench.others({ ...record(N1, 5), inSync: { [DATA]: [N1] } });
    bench.ask({ type: 'start' });
    bench.advance(1000);
    expect(bench.replies).toEqual(['1 ok']);
  });

  test('a copy whose admission was not told is found in sync by a reading', () => {
    const bench = new Bench(record(N2, 4, { inSync: { [DATA]: [N2] } })).start();
    expect(bench.core.record?.inSync[DATA]).toEqual([N2]);
    bench.others(record(N2, 4));
    bench.peer('lost');
    bench.advance(5000);
    expect(bench.core.phase).toBe('owning');
  });

  test('a stopped group starts when that was recorded elsewhere and nobody said so', () => {
    const bench = owner();
    bench.ask({ type: 'stop' });
    expect(bench.core.phase).toBe('offline');
    bench.others({ ...record(N1, 5), inSync: { [DATA]: [N1] }, want: 'online' });
    bench.advance(10_000);
    expect(bench.core.phase).toBe('owning');
  });

  test.each(['sealing', 'claiming'] as const)(
    'an own claim that somebody else completed while %s is not given up',
    (phase) => {
      const bench = new Bench(record(N2, 4)).start();
      if (phase === 'sealing') bench.keep.add('seal');
      else bench.reachable = new Set([N1]);
      bench.peer('lost');
      expect(bench.core.phase).toBe(phase);
      bench.orders.length = 0;
      bench.reachable = new Set([N1, N2, W1]);
      bench.others(record(N1, 5, { inSync: { [DATA]: [N1] } }));
      bench.decided(record(N1, 5, { inSync: { [DATA]: [N1] } }));
      bench.advance(4000);
      expect(bench.core.phase).toBe('owning');
      expect(bench.orders.map(({ type }) => type)).not.toContain('unseal');
    },
  );

  test('a claim that is given up while it waits behind another vote ends', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.reachable = new Set([N1]);
    bench.ask({ type: 'stop' });
    bench.peer('lost');
    expect(bench.core.phase).toBe('claiming');
    bench.peer('up', 4);
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(5000);
    expect(bench.core.phase).toBe('waiting');
    expect(bench.orders.map(({ type }) => type)).toContain('unseal');
  });
});

describe('a record that moved on', () => {
  test('is noticed by whatever vote tells it', () => {
    const bench = owner();
    bench.others(record(N2, 6));
    bench.ask({ type: 'stop' });
    bench.advance(500);
    expect(bench.kinds).toContain('yielding');
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['waiting', N2]);
    expect(bench.replies).toEqual(['1 no-quorum']);
  });

  test('is noticed where the group was stopped by hand, too', () => {
    const bench = owner();
    bench.ask({ type: 'stop' });
    expect(bench.core.phase).toBe('offline');
    bench.others(record(N2, 6));
    bench.peer('up', 6);
    bench.advance(500);
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['waiting', N2]);
    expect(bench.orders.at(-1)).toMatchObject({ type: 'follow', primary: N2 });
  });

  test('ends a claim, also one that still waits for its turn', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.reachable = new Set([N1]);
    bench.peer('lost');
    expect(bench.core.phase).toBe('claiming');
    bench.others(record(N2, 5));
    bench.decided(record(N2, 5));
    bench.peer('up', 5);
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(5000);
    expect(bench.orders.some((order) => order.type === 'unseal')).toBe(true);
    expect([bench.core.phase, bench.core.record?.epoch]).toEqual(['waiting', 5]);
  });

  test('told while probing: what runs is taken up only after a reading of its own', () => {
    const bench = new Bench(record(N2, 6));
    bench.reachable = new Set([N1]);
    bench.decided(record(N1, 5));
    bench.start('online');
    expect(bench.core.phase).toBe('probing');
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(1000);
    expect(bench.kinds).not.toContain('adopted');
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['waiting', N2]);
  });
});

describe('sealing', () => {
  test('the answer to a seal that was overtaken does not count', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.keep.add('seal');
    bench.peer('lost');
    bench.peer('up', 4);
    bench.advance(400);
    bench.peer('lost', 4);
    expect(bench.unanswered.length).toBe(2);
    bench.unanswered.shift()?.();
    expect(bench.core.phase).toBe('sealing');
    bench.answer();
    expect(bench.core.phase).toBe('owning');
  });

  test('a mirror that refuses is told once, and asked again while the owner is lost', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.failing.add('seal');
    bench.peer('lost');
    bench.advance(10_000);
    expect(bench.orders.filter((order) => order.type === 'seal').length).toBeGreaterThan(2);
    expect(bench.kinds.filter((kind) => kind === 'mirror-refused')).toHaveLength(1);
    expect(bench.kinds.filter((kind) => kind === 'claiming')).toHaveLength(1);
    bench.failing.clear();
    bench.advance(3000);
    expect(bench.core.phase).toBe('owning');
  });

  test('a mirror that does not answer is named, and waited for', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.keep.add('seal');
    bench.peer('lost');
    bench.advance(60_000);
    expect(bench.kinds.filter((kind) => kind === 'mirror-stuck')).toHaveLength(1);
    bench.answer();
    expect(bench.core.phase).toBe('owning');
  });

  test('the own mirror of the owner that refuses gives the group to another node, in the end', () => {
    const bench = new Bench(record(N1, 4));
    bench.failing.add('seal');
    bench.start();
    bench.advance(4000);
    bench.peer('up');
    expect(bench.core.record?.owner).toBe(N1);
    bench.advance(2000);
    expect(bench.core.record).toMatchObject({ owner: N2, epoch: 5 });
    expect(bench.core.phase).toBe('waiting');
    expect(bench.kinds.filter((kind) => kind === 'claiming')).toHaveLength(1);
  });

  test('where nobody else has its copy, that is told once, and tried again', () => {
    const bench = new Bench(record(N1, 4));
    bench.failing.add('seal');
    bench.start();
    bench.peer('lost');
    bench.advance(30_000);
    expect(bench.kinds.filter((kind) => kind === 'mirror-refused')).toHaveLength(1);
    expect(bench.kinds.filter((kind) => kind === 'claiming')).toHaveLength(1);
    bench.failing.clear();
    bench.advance(4000);
    expect(bench.core.phase).toBe('owning');
  });

  test('the own mirror of the owner that does not answer is not waited for, either', () => {
    const bench = new Bench(record(N1, 4));
    bench.keep.add('seal');
    bench.start();
    bench.advance(6000);
    expect(bench.core.record?.owner).toBe(N2);
  });
});

describe('what a process before this one left', () => {
  test('a mirror that is still sealed is unsealed, but only after a reading of its own', () => {
    const bench = new Bench(record(N2, 4));
    bench.reachable = new Set([N1]);
    bench.start();
    bench.decided(record(N2, 4));
    expect(bench.orders.map(({ type }) => type)).not.toContain('unseal');
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(4000);
    expect(bench.orders.filter(({ type }) => type === 'unseal')).toHaveLength(1);
  });

  test('a mirror that runs on is told the copies that count', () => {
    const bench = new Bench(record(N1, 4));
    bench.lease(true, 4 as Epoch);
    bench.start('online');
    expect(bench.orders).toContainEqual({ type: 'admit', peer: N2 });
  });

  test('what a mirror tells while it is probed is not forgotten', () => {
    const bench = new Bench(record(N1, 4, { inSync: { [DATA]: [N1] } }));
    bench.lease(true, 4 as Epoch);
    bench.reachable = new Set([N1]);
    bench.step({ type: 'heartConnected' });
    bench.news({ type: 'peerCaughtUp', peer: N2 });
    bench.reachable = new Set([N1, N2, W1]);
    bench.start('online');
    bench.peer('up');
    bench.advance(100);
    expect(bench.core.record?.inSync[DATA]).toEqual([N1, N2]);
  });
});

describe('copies', () => {
  test('one that has caught up and was silent for a moment is voted in all the same', () => {
    const bench = owner();
    expect(bench.core.record?.inSync[DATA]).toEqual([N1]);
    bench.reachable = new Set([N1]);
    bench.news({ type: 'peerCaughtUp', peer: N2 });
    bench.news({ type: 'peerSilent', peer: N2, silentMs: 50, reason: 'slow' });
    bench.news({ type: 'peerAnswers', peer: N2 });
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(4000);
    expect(bench.core.record?.inSync[DATA]).toEqual([N1, N2]);
  });

  test('while its admission is in doubt, a copy is waited for and only voted out', () => {
    const bench = owner();
    // The vote reaches this node alone: it may yet be completed by anybody's reading.
    bench.reachable = new Set([N1]);
    bench.news({ type: 'peerCaughtUp', peer: N2 });
    bench.advance(3200);
    bench.peer('lost');
    bench.news({ type: 'peerFailed', peer: N2, reason: 'its disk is full' });
    bench.advance(500);
    expect(bench.core.countedCopies(DATA)).toEqual([N1, N2]);
    expect(bench.orders.map(({ type }) => type)).not.toContain('expel');
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(8000);
    expect(bench.core.countedCopies(DATA)).toEqual([N1]);
    expect(bench.orders.map(({ type }) => type)).toContain('expel');
  });
});

describe('authority', () => {
  test('a hand-over that this node is told of starts nothing before the lease is held', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.leaseFollows = false;
    bench.decided(record(N1, 5));
    expect(bench.core.phase).toBe('owning');
    expect(bench.core.engine.isStopped()).toBe(true);
    bench.lease(true, 4 as Epoch);
    expect(bench.core.engine.isStopped()).toBe(true);
    bench.lease(true);
    expect(bench.core.engine.isOnline()).toBe(true);
  });

  test('a control that finds no majority goes on only at the epoch of the lease', () => {
    for (const [epoch, phase] of [
      [4, 'owning'],
      [3, 'probing'],
    ] as const) {
      const bench = new Bench(record(N1, 4));
      bench.reachable = new Set([N1]);
      bench.lease(true, epoch as Epoch);
      bench.start('online');
      expect(bench.core.phase).toBe(phase);
    }
  });

  test('what it accepted long ago tells no heart whom to count; what it reads does', () => {
    const bench = new Bench(record(N1, 4));
    bench.reachable = new Set([N1]);
    bench.leaseFollows = false;
    bench.lease(true, 4 as Epoch);
    bench.start('online');
    bench.step({ type: 'heartConnected' });
    bench.lease(true, 4 as Epoch);
    bench.advance(2000);
    expect(bench.core.phase).toBe('owning');
    expect(bench.claims).toEqual([]);
    const present = record(N1, 4);
    bench.others({ ...present, voters: present.voters.filter(({ node }) => node !== N2) });
    bench.reachable = new Set([N1, W1]);
    bench.advance(1100);
    expect(bench.claims).toEqual(['n1 w1']);
  });

  test('a heart that comes back without the lease suspends the group', () => {
    const bench = owner();
    bench.leaseFollows = false;
    bench.step({ type: 'heartLost' });
    bench.advance(200);
    bench.step({ type: 'heartConnected' });
    bench.advance(590);
    expect(bench.core.phase).toBe('owning');
    bench.advance(50);
    expect(bench.core.phase).toBe('suspended');
    bench.lease(true);
    expect(bench.core.phase).toBe('owning');
  });

  test('without a heart the group ends after the grace', () => {
    const bench = owner();
    bench.step({ type: 'heartLost' });
    bench.advance(11_000);
    expect(bench.core.phase).toBe('waiting');
    expect(bench.core.engine.isStopped()).toBe(true);
  });
});

describe('a node that ends', () => {
  test('gives a take-over up before the vote', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.keep.add('seal');
    bench.peer('lost');
    expect(bench.core.phase).toBe('sealing');
    bench.ask({ type: 'leave' });
    bench.answer();
    bench.advance(5000);
    expect([bench.core.phase, bench.replies]).toEqual(['waiting', ['1 ok']]);
    expect(bench.acceptors.get(N2)?.entry(GROUP)?.accepted?.record?.epoch).toBe(4);
  });

  test('does not wait for a majority that it lacks', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.reachable = new Set([N1]);
    bench.peer('lost');
    expect(bench.core.phase).toBe('claiming');
    bench.ask({ type: 'leave' });
    bench.advance(3500);
    expect(bench.replies).toEqual(['1 ok']);
    expect(bench.orders.at(-1)?.type, 'sealed while in doubt').toBe('seal');
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(4000);
    expect([bench.core.phase, bench.core.record?.epoch]).toEqual(['waiting', 4]);
  });

  test('stops what a probe finds first', () => {
    for (const reachable of [[N1], [N1, N2, W1]]) {
      const bench = new Bench(record(N1, 4));
      bench.reachable = new Set(reachable);
      bench.ask({ type: 'leave' });
      expect(bench.replies).toEqual([]);
      bench.start('online');
      bench.advance(1000);
      expect(bench.replies).toEqual(['1 ok']);
      expect(bench.core.engine.isStopped()).toBe(true);
    }
  });

  test('is answered after what is being stopped by force has stopped', () => {
    const bench = owner();
    bench.keep.add('stop');
    bench.decided(record(N2, 6));
    expect(bench.core.phase).toBe('yielding');
    bench.ask({ type: 'leave' });
    expect(bench.replies).toEqual([]);
    bench.keep.clear();
    bench.answer();
    expect([bench.core.phase, bench.replies]).toEqual(['waiting', ['1 ok']]);
  });

  test('is not answered by the end of a vote on something else', () => {
    const bench = owner();
    bench.reachable = new Set([N1]);
    bench.ask({ type: 'stop' });
    bench.keep.add('stop');
    bench.ask({ type: 'leave' }, 2);
    bench.reachable = new Set([N1, N2, W1]);
    bench.advance(100);
    expect(bench.replies).toEqual(['1 busy']);
    bench.keep.clear();
    bench.answer();
    bench.advance(100);
    expect(bench.replies).toEqual(['1 busy', '2 ok']);
    expect(bench.core.engine.isStopped()).toBe(true);
  });

  test('ends also when its hand-over finds no majority', () => {
    const bench = new Bench(record(N1, 4)).start();
    const news = { type: 'peerCaughtUp', peer: N2 } as const;
    bench.step({ type: 'mirrorNews', group: GROUP, mirror: DATA, news });
    bench.reachable = new Set([N1]);
    bench.ask({ type: 'leave' });
    expect(bench.core.phase).toBe('handing');
    bench.advance(3500);
    expect([bench.core.phase, bench.replies]).toEqual(['offline', ['1 ok']]);
  });

  test('sleeps while its owner is lost', () => {
    const bench = new Bench(record(N2, 4)).start();
    bench.keep.add('seal');
    bench.peer('lost');
    bench.ask({ type: 'leave' });
    bench.advance(10_000);
    expect(bench.core.phase).toBe('waiting');
  });
});

describe('standby and bans', () => {
  const standby = (node: NodeId, on = true): OperatorRequest => {
    return { type: 'bar', kind: 'standby', node, on };
  };

  /** The copy of n2 is in sync. */
  const paired = (): Bench => {
    const bench = owner();
    bench.news({ type: 'peerCaughtUp', peer: N2 });
    bench.advance(100);
    expect(bench.core.record?.inSync).toEqual({ [DATA]: [N1, N2] });
    return bench;
  };

  test('the group leaves, and a node in standby does not get it back', () => {
    const bench = paired();
    bench.ask(standby(N1));
    bench.advance(10);
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['waiting', N2]);
    bench.peer('lost');
    bench.advance(5000);
    expect([bench.core.phase, bench.kinds.at(-1)]).toEqual(['waiting', 'nobody-can-take-over']);
    bench.ask(standby(N1, false), 2);
    bench.advance(10);
    expect([bench.core.phase, bench.replies]).toEqual(['owning', ['1 ok', '2 ok']]);
  });

  test('it waits its turn while another group is moved', () => {
    const bench = paired();
    bench.othersMove = true;
    bench.ask(standby(N1));
    bench.advance(3000);
    expect(bench.core.phase).toBe('owning');
    bench.othersMove = false;
    bench.advance(200);
    expect(bench.core.phase).toBe('waiting');
  });

  test('the owner acts on it although nobody told it, for its own voter has it', () => {
    const bench = paired();
    const written = { ...must(bench.core.record, 'owned'), banned: [N1] };
    bench.others(written);
    const ballot = { counter: 1e6, node: N2, seat: SEAT };
    const accept = { type: 'accept', id: 'x', group: GROUP, ballot, previous: N1 } as const;
    must(bench.acceptors.get(N1), 'n1 votes').step(N2, { ...accept, record: written });
    bench.peer('up');
    bench.advance(1000);
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['waiting', N2]);
  });

  test('what cannot be stopped stays, and is tried again only after a while', () => {
    const bench = paired();
    bench.failing.add('stop');
    bench.ask(standby(N1));
    bench.advance(25_000);
    expect([bench.core.phase, bench.core.record?.owner]).toEqual(['owning', N1]);
    expect(bench.kinds.filter((kind) => kind === 'switchover')).toHaveLength(1);
    bench.failing.clear();
    bench.advance(10_000);
    expect(bench.core.record?.owner).toBe(N2);
  });

  test('with nobody to take over it stays, and says so once', () => {
    const bench = paired();
    bench.peer('lost');
    bench.ask(standby(N1));
    bench.advance(5000);
    expect(bench.kinds.filter((kind) => kind === 'cannot-leave')).toHaveLength(1);
    expect(bench.core.cannotLeave).toBe('nobody can take over: n2 does not answer');
    bench.peer('up');
    bench.advance(1100);
    expect([bench.core.phase, bench.core.cannotLeave]).toEqual(['waiting', undefined]);
  });

  test('asked twice, or of a node that is none, or without a majority: each is answered', () => {
    const bench = paired();
    bench.reachable = new Set([N1]);
    bench.ask(standby(N2));
    bench.ask(standby(N2), 2);
    bench.ask(standby(W1), 3);
    bench.advance(3500);
    bench.reachable = new Set([N1, N2, W1]);
    bench.ask(standby(N2), 4);
    bench.advance(100);
    expect(bench.replies).toEqual(['3 no-node', '1 no-quorum', '2 no-quorum', '4 ok']);
    expect(bench.core.record?.standby).toEqual([N2]);
  });

  test('a move to a node in standby is refused', () => {
    const bench = paired();
    bench.ask(standby(N2));
    bench.ask({ type: 'move', to: N2, reason: 'told' }, 2);
    expect([bench.core.phase, bench.replies]).toEqual(['owning', ['1 ok', '2 not-owner']]);
  });
});
