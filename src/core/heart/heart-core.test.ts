/** The heart's core step by step: leases, promises, marks, addresses, and in which order. */
import { beforeEach, describe, expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { FromHeart, WantedAddress } from '../../protocol/heart-ipc.ts';
import type {
  BootId,
  Epoch,
  GroupId,
  LinkId,
  NodeId,
  ResourceId,
  SeatId,
} from '../../protocol/ids.ts';
import type { AnswerBody, HeartbeatBody } from '../../protocol/packet.ts';
import type { Electorate } from '../../protocol/record.ts';
import { HeartCore } from './heart-core.ts';
import type { HeartEffect, HeartEvent, HeartOptions } from './heart-types.ts';
import { VOID } from './leases.ts';

const [A, B, W] = ['a', 'b', 'w'] as NodeId[] as [NodeId, NodeId, NodeId];
const SEAT = 'seat' as SeatId;
const ALL: Electorate = [A, B, W].map((node) => ({ node, seat: SEAT }));
const [LAN, CABLE] = ['lan', 'cable'] as LinkId[] as [LinkId, LinkId];
const G = 'g' as GroupId;
const E1 = 1 as Epoch;
const E2 = 2 as Epoch;
const BOOT = '01'.repeat(16) as BootId;
const START = 1000;
const timing = {
  heartbeatMs: 50,
  leaseMs: 300,
  nodeLostMs: 1000,
  secondaryLostMs: 400,
  clockDrift: 0.01,
  addressLifeSeconds: 3,
  suspendGraceMs: 10_000,
};
const VIP: WantedAddress = {
  resource: 'vip' as ResourceId,
  address: '192.0.2.9',
  prefixLength: 24,
  family: 4,
  link: LAN,
};

type Untimed = HeartEvent extends infer E ? (E extends HeartEvent ? Omit<E, 'now'> : never) : never;

let core: HeartCore;

function make(self: NodeId, over: Partial<HeartOptions> = {}): HeartCore {
  return new HeartCore({
    self,
    boot: BOOT,
    startedAt: instant(START),
    timing,
    links: [
      { id: CABLE, direct: true },
      { id: LAN, direct: false },
    ],
    members: [
      { id: A, links: [CABLE, LAN] },
      { id: B, links: [CABLE, LAN] },
      { id: W, links: [LAN] },
    ],
    leftovers: [],
    ...over,
  });
}

function at(now: number, event: Untimed): readonly HeartEffect[] {
  return core.step({ ...event, now: instant(now) } as HeartEvent);
}

const pass = (now: number): readonly HeartEffect[] => at(now, { type: 'timePassed' });
const records = (now: number, owner: NodeId, epoch: Epoch, after?: number) =>
  at(now, { type: 'recordsReported', seat: SEAT, records: [{ group: G, owner, epoch }], after });
const claim = (now: number, epoch: Epoch, electorates: readonly Electorate[] = [ALL]) =>
  at(now, { type: 'claimed', group: G, epoch, electorates });
const hear = (now: number, from: NodeId, body: HeartbeatBody | AnswerBody, boot = BOOT) =>
  at(now, { type: 'heard', from, boot, link: LAN, body });

/** The number of the last round of heartbeats among some effects. */
function roundOf(effects: readonly HeartEffect[]): number {
  const rounds = effects.flatMap((effect) =>
    effect.type === 'send' && effect.body.kind === 'heartbeat' ? [effect.body.round] : [],
  );
  return Math.max(...rounds);
}

const upheld = (round: number, epoch = E1, seat = SEAT): AnswerBody => ({
  kind: 'answer',
  round,
  seat,
  promises: [{ group: G, epoch }],
  behind: [],
  ahead: [],
});
const beat = (round: number, ...epochs: readonly Epoch[]): HeartbeatBody => ({
  kind: 'heartbeat',
  round,
  claims: epochs.map((epoch) => ({ group: G, epoch })),
  hearsOn: [],
});
const types = (effects: readonly HeartEffect[]): string[] => effects.map((effect) => effect.type);
const reports = <T extends FromHeart['type']>(effects: readonly HeartEffect[], type: T) =>
  effects.flatMap((effect) =>
    effect.type === 'report' && effect.message.type === type
      ? [effect.message as Extract<FromHeart, { type: T }>]
      : [],
  );
const marks = (effects: readonly HeartEffect[]) =>
  effects.flatMap((effect) => (effect.type === 'mark' ? [effect.validUntil] : []));
const answers = (effects: readonly HeartEffect[]) =>
  effects.flatMap((effect) =>
    effect.type === 'send' && effect.body.kind === 'answer' ? [effect.body] : [],
  );

beforeEach(() => {
  core = make(A);
});

describe('heartbeats', () => {
  test('one round at the start, then one every heartbeat, on each link of each peer', () => {
    const first = pass(START);
    const sent = first.filter((effect) => effect.type === 'send');
    expect(sent.map(({ to, link }) => `${to} ${link}`)).toEqual(['b cable', 'b lan', 'w lan']);
    expect(core.nextWakeAt()).toBe(START + 50);
    expect(types(pass(START + 49))).toEqual([]);
    expect(roundOf(pass(START + 50))).toBe(2);
  });

  test('after a delay no round is made up for', () => {
    pass(START);
    expect(pass(START + 500).filter((effect) => effect.type === 'send')).toHaveLength(3);
    expect(types(pass(START + 501))).not.toContain('send');
  });

  test('they say on which links somebody is heard', () => {
    pass(START);
    hear(START + 10, W, beat(1));
    const sent = pass(START + 50).find((effect) => effect.type === 'send');
    expect(sent).toMatchObject({ body: { hearsOn: [LAN] } });
  });

  test('they say which leases are not held, and how long promises must bind', () => {
    records(START, A, E1);
    const claimed = claim(START + 310, E1).find((effect) => effect.type === 'send');
    expect(claimed).toMatchObject({ body: { without: [G], termMs: 303 } });
    hear(START + 316, B, upheld(roundOf(pass(START + 315))));
    const sent = pass(START + 400).find((effect) => effect.type === 'send');
    expect(sent).toMatchObject({ body: { without: [] } });
  });

  test('an answer goes back on the link that the heartbeat came from', () => {
    const effects = at(START, {
      type: 'heard',
      from: B,
      boot: BOOT,
      link: CABLE,
      body: beat(7),
    });
    expect(effects).toContainEqual({
      type: 'send',
      to: B,
      link: CABLE,
      body: { kind: 'answer', round: 7, promises: [], behind: [], ahead: [] },
    });
  });

  test('what a peer claims is reported when it changes, and not with every heartbeat', () => {
    expect(reports(hear(START + 10, B, beat(1)), 'peers')).toHaveLength(1);
    const [claimed] = reports(hear(START + 60, B, beat(2, E2)), 'peers');
    const told = claimed?.peers.find(({ node }) => node === B)?.claims;
    expect(told).toEqual([{ group: G, epoch: E2, withoutSince: undefined }]);
    expect(reports(hear(START + 110, B, beat(3, E2)), 'peers')).toEqual([]);
    expect(reports(hear(START + 160, B, beat(4)), 'peers')).toHaveLength(1);
  });

  test('a heart that stood still calls nobody lost before it has listened', () => {
    hear(START + 10, B, beat(1));
    const state = (now: number): string | undefined => {
      pass(now);
      const [report] = reports(at(now, { type: 'reportAsked' }), 'peers');
      return report?.peers.find(({ node }) => node === B)?.state;
    };
    expect(state(START + 60)).toBe('up');
    const woken = START + 20_000;
    expect(state(woken)).toBe('up');
    for (let ms = 50; ms < timing.nodeLostMs; ms += 50) expect(state(woken + ms)).not.toBe('lost');
    expect(state(woken + timing.nodeLostMs)).toBe('lost');
  });

  test('answers measure the round trip', () => {
    const round = roundOf(pass(START));
    const effects = [...hear(START + 3, B, upheld(round)), ...pass(START + 1100)];
    const peer = reports(effects, 'peers')
      .at(-1)
      ?.peers.find(({ node }) => node === B);
    expect(peer?.links.map((link) => link.roundTripMs)).toEqual([undefined, 3]);
  });
});

describe('owner', () => {
  /** Past the quiet time, so that the own vote counts. */
  const LATER = START + 400;

  beforeEach(() => {
    pass(START);
    records(START, A, E1);
  });

  test('a majority of voters makes a lease, measured from the sending', () => {
    const round = roundOf(claim(LATER, E1));
    const effects = hear(LATER + 80, B, upheld(round));
    expect(marks(effects)).toEqual([LATER + 300]);
    expect(reports(effects, 'lease')).toMatchObject([{ held: true, epoch: E1 }]);
  });

  test('during the quiet time of its own heart it needs both others', () => {
    const round = roundOf(claim(START + 100, E1));
    expect(marks(hear(START + 105, B, upheld(round)))).toEqual([]);
    expect(marks(hear(START + 106, W, upheld(round)))).toEqual([START + 400]);
  });

  test.each([
    ['another epoch', (round: number) => upheld(round, E2)],
    ['an earlier round than the claim', (round: number) => upheld(round - 1)],
    ['a round that never was', (round: number) => upheld(round + 5)],
    ['no promise', (round: number) => ({ ...upheld(round), promises: [] })],
  ])('%s makes no lease', (_, answer) => {
    const round = roundOf(claim(LATER, E1));
    expect(marks(hear(LATER + 5, B, answer(round)))).toEqual([]);
  });

  test('the same voter twice is no majority', () => {
    core = make(A);
    const round = roundOf(claim(START + 10, E1));
    hear(START + 11, B, upheld(round));
    expect(marks(hear(START + 12, B, upheld(round)))).toEqual([]);
  });

  test('an answer to a round that was sent a lease ago is worth nothing', () => {
    const round = roundOf(claim(LATER, E1));
    expect(marks(hear(LATER + 300, B, upheld(round)))).toEqual([]);
  });

  test('each answered round renews the mark; the slowest needed voter decides', () => {
    const first = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(first));
    const second = roundOf(pass(LATER + 50));
    expect(marks(hear(LATER + 55, B, upheld(second)))).toEqual([LATER + 350]);
    expect(marks(hear(LATER + 56, W, upheld(first)))).toEqual([]);
  });

  test('the lease ends by itself, and says without whom', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    expect(core.nextWakeAt()).toBeLessThanOrEqual(LATER + 300);
    for (let now = LATER + 50; now < LATER + 300; now += 50) pass(now);
    const effects = pass(LATER + 300);
    expect(marks(effects)).toEqual([VOID]);
    expect(reports(effects, 'lease')).toMatchObject([
      { held: false, reason: '1 of 3 voters uphold it: a (2 needed; without b, w)' },
    ]);
  });

  test('whatever wakes a frozen heart: it gives up first, then speaks', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    at(LATER + 6, { type: 'addressesWanted', group: G, epoch: E1, addresses: [VIP] });
    const effects = hear(LATER + 20_000, B, beat(1));
    const order = types(effects).filter((type) => type !== 'report');
    expect(order.slice(0, 2)).toEqual(['mark', 'drop']);
    expect(order.indexOf('send')).toBeGreaterThan(order.indexOf('drop'));
    expect(marks(effects)).toEqual([VOID]);
  });

  test('all that was lost is told before anything that control may act on', () => {
    const other = 'h' as GroupId;
    const claims = { type: 'claimed', epoch: E1, electorates: [ALL] } as const;
    const owned = [G, other].map((group) => ({ group, owner: A, epoch: E1 }));
    at(LATER, { type: 'recordsReported', seat: SEAT, records: owned, after: undefined });
    claim(LATER, E1);
    const round = roundOf(at(LATER + 1, { ...claims, group: other }));
    const promises = [G, other].map((group) => ({ group, epoch: E1 }));
    hear(LATER + 5, B, { ...upheld(round), promises });
    const told = pass(LATER + 20_000).flatMap((effect) =>
      effect.type === 'report' ? [effect.message.type] : [],
    );
    const ends = told.filter((type) => type === 'lease' || type === 'support');
    expect(ends.slice(0, 2)).toEqual(['lease', 'lease']);
    expect(ends.slice(2)).not.toContain('lease');
    expect(ends).toContain('support');
  });

  test('a sleep of the machine costs the lease, though the clock shows nothing', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    expect(marks(at(LATER + 10, { type: 'timeLost' }))).toEqual([VOID]);
    expect(marks(hear(LATER + 11, B, upheld(round)))).toEqual([]);
  });

  test('a new epoch of the same owner starts without a lease', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    expect(marks(claim(LATER + 10, E2))).toEqual([VOID]);
    expect(core.claims(instant(LATER + 10))).toEqual([{ group: G, epoch: E2, held: false }]);
  });

  test('a claim that is repeated changes nothing', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    expect(claim(LATER + 10, E1)).toEqual([]);
  });

  test('a release voids the mark and tells the voters at once', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    const effects = at(LATER + 10, { type: 'released', group: G });
    expect(types(effects)).toEqual(['mark', 'report', 'send', 'send', 'send']);
    expect(effects.at(-1)).toMatchObject({ body: { claims: [] } });
    // What is answered later to an earlier round does not bring the lease back.
    claim(LATER + 11, E1);
    expect(marks(hear(LATER + 12, B, upheld(round)))).toEqual([]);
  });

  test('voters that are behind or ahead are reported, not with every heartbeat', () => {
    const behind: AnswerBody = { ...upheld(0), promises: [], behind: [G] };
    const ahead: AnswerBody = { ...upheld(0), promises: [], ahead: [{ group: G, epoch: E2 }] };
    const round = roundOf(claim(LATER, E1));
    expect(reports(hear(LATER + 5, B, { ...behind, round }), 'behind')).toHaveLength(1);
    expect(reports(hear(LATER + 55, B, { ...behind, round }), 'behind')).toHaveLength(0);
    expect(reports(hear(LATER + 505, B, { ...behind, round }), 'behind')).toHaveLength(1);
    expect(reports(hear(LATER + 6 + 500, W, { ...ahead, round }), 'ahead')).toEqual([
      { type: 'ahead', node: W, group: G, epoch: E2 },
    ]);
  });

  test('its own acceptor can be behind too', () => {
    expect(reports(claim(LATER, E2), 'behind')).toEqual([{ type: 'behind', node: A, group: G }]);
  });
});

test.each([
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 3],
  [5, 3],
])('of %d voters %d are a majority', (count, majority) => {
  const ids = Array.from({ length: count }, (_, i) => `n${i}` as NodeId);
  core = make(ids[0] as NodeId, { members: ids.map((id) => ({ id, links: [LAN] })) });
  records(START, ids[0] as NodeId, E1);
  const voters = ids.map((node) => ({ node, seat: SEAT }));
  const effects = [...claim(START + 400, E1, [voters])];
  const round = count === 1 ? 1 : roundOf(effects);
  let needed = 1;
  for (const id of ids.slice(1)) {
    if (marks(effects).some((until) => until > START)) break;
    needed += 1;
    effects.push(...hear(START + 401, id, upheld(round)));
  }
  expect(needed).toBe(majority);
  expect(marks(effects).at(-1)).toBe(START + 700);
});

describe('electorates', () => {
  const LATER = START + 400;
  beforeEach(() => void records(START, A, E1));
  const only = (...nodes: readonly NodeId[]): Electorate =>
    ALL.filter((v) => nodes.includes(v.node));

  test('a lease needs a majority of each', () => {
    const round = roundOf(claim(LATER, E1, [ALL, only(W)]));
    expect(marks(hear(LATER + 5, B, upheld(round)))).toEqual([]);
    expect(marks(hear(LATER + 6, W, upheld(round)))).toEqual([LATER + 300]);
  });

  test('a promise of another memory than the one that was voted in counts for nothing', () => {
    const round = roundOf(claim(LATER, E1, [only(B)]));
    const stranger = 'new' as SeatId;
    expect(marks(hear(LATER + 5, B, upheld(round, E1, stranger)))).toEqual([]);
    const renamed = [{ node: B, seat: stranger }];
    expect(marks(claim(LATER + 10, E1, [renamed]))).toEqual([LATER + 300]);
  });

  test('other electorates count from the moment on that they are named', () => {
    const round = roundOf(claim(LATER, E1));
    hear(LATER + 5, B, upheld(round));
    const effects = claim(LATER + 10, E1, [ALL, only(W)]);
    expect(marks(effects)).toEqual([-1]);
    expect(reports(effects, 'lease')[0]).toMatchObject({ held: false });
    expect(reports(effects, 'lease')[0]?.reason).toContain('0 of 1 voters uphold it');
    expect(marks(claim(LATER + 20, E1, [only(A)]))).toEqual([LATER + 310]);
  });

  test('who upholds the claim is told on every change, voter or not', () => {
    const effects = claim(LATER, E1, [only(A)]);
    expect(reports(effects, 'support').map(({ by }) => by)).toEqual([only(A)]);
    const heard = hear(LATER + 5, W, upheld(roundOf(effects)));
    expect(reports(heard, 'support').map(({ by }) => by)).toEqual([only(A, W)]);
    for (let now = LATER + 50; now < LATER + 300; now += 50) pass(now);
    expect(reports(pass(LATER + 301), 'support').map(({ by }) => by)).toEqual([only(A)]);
  });
});

describe('voter', () => {
  const QUIET = START + 303;
  const revoke = (now: number, id: number) => {
    const effects = at(now, { type: 'revokeAsked', id, group: G });
    return reports(effects, 'revoked')[0];
  };

  test('promises what its own acceptor says, after the quiet time', () => {
    records(START, B, E1);
    expect(answers(hear(QUIET - 1, B, beat(1, E1)))[0]?.promises).toEqual([]);
    expect(answers(hear(QUIET, B, beat(2, E1)))[0]?.promises).toEqual([{ group: G, epoch: E1 }]);
  });

  test.each<[string, NodeId, Epoch, Partial<AnswerBody>]>([
    ['an older record', B, 1 as Epoch, { promises: [], behind: [G] }],
    ['a newer record', A, 3 as Epoch, { ahead: [{ group: G, epoch: 3 as Epoch }], behind: [] }],
    ['another owner at that epoch', W, E2, { promises: [], behind: [G], ahead: [] }],
  ])('%s', (_, owner, epoch, expected) => {
    records(START, owner, epoch);
    expect(answers(hear(QUIET, B, beat(1, E2)))[0]).toMatchObject(expected);
  });

  test('says nothing of groups before control told the table; then those that it lacks', () => {
    const silent = { promises: [], behind: [], ahead: [] };
    expect(answers(hear(QUIET, B, beat(1, E1)))[0]).toMatchObject(silent);
    at(QUIET, { type: 'recordsReported', seat: SEAT, records: [], after: undefined });
    expect(answers(hear(QUIET, B, beat(2, E1)))[0]).toMatchObject({ behind: [G] });
  });

  test('refuses a vote while bound, and while starting', () => {
    records(START, B, E1);
    expect(revoke(START + 3, 1)).toMatchObject({ ok: false, why: 'starting', remainingMs: 300 });
    hear(QUIET, B, beat(1, E1));
    expect(revoke(QUIET + 3, 2)).toMatchObject({ ok: false, why: 'promise', remainingMs: 300 });
    expect(revoke(QUIET + 303, 3)).toMatchObject({ ok: true });
  });

  test('promises nothing between the allowed vote and its outcome', () => {
    records(START, B, E1);
    expect(revoke(QUIET, 5)?.ok).toBe(true);
    const promises = (now: number, round: number) =>
      answers(hear(now, B, beat(round, E1)))[0]?.promises.length;
    expect(promises(QUIET + 1, 1)).toBe(0);
    // A table that was sent before the answer arrived ends nothing.
    records(QUIET + 2, B, E1, 4);
    expect(promises(QUIET + 3, 2)).toBe(0);
    records(QUIET + 4, B, E1);
    expect(promises(QUIET + 5, 3)).toBe(0);
    records(QUIET + 6, B, E1, 5);
    expect(promises(QUIET + 7, 4)).toBe(1);
  });

  test('the table of a new control ends what the old one had asked for', () => {
    records(START, B, E1);
    revoke(QUIET, 5);
    at(QUIET + 1, { type: 'controlConnected' });
    expect(answers(hear(QUIET + 2, B, beat(1, E1)))[0]?.promises).toEqual([]);
    records(QUIET + 3, B, E1);
    expect(answers(hear(QUIET + 4, B, beat(2, E1)))[0]?.promises).toHaveLength(1);
  });

  test('the owner itself frees the voter; another boot of it does not', () => {
    records(START, B, E1);
    hear(QUIET, B, beat(1, E1));
    hear(QUIET + 1, B, beat(1), '02'.repeat(16) as BootId);
    expect(revoke(QUIET + 2, 1)?.ok).toBe(false);
    hear(QUIET + 3, B, beat(2, E1), '02'.repeat(16) as BootId);
    hear(QUIET + 4, B, beat(3), '02'.repeat(16) as BootId);
    expect(revoke(QUIET + 5, 2)?.ok).toBe(true);
  });

  test('a longer lease of the owner binds for longer, once that would survive a restart', () => {
    core = make(A, { formerTermMs: 303 });
    records(START, B, E1);
    const long = (round: number): HeartbeatBody => ({ ...beat(round, E1), termMs: 909 });
    const effects = hear(QUIET, B, long(1));
    expect(effects).toContainEqual({ type: 'rememberTerm', termMs: 909 });
    expect(answers(effects)[0]?.promises).toEqual([]);
    expect(types(hear(QUIET + 1, B, long(2)))).not.toContain('rememberTerm');
    at(QUIET + 2, { type: 'termRemembered', termMs: 909 });
    expect(answers(hear(QUIET + 3, B, long(3)))[0]?.promises).toHaveLength(1);
    // The next boot of the owner has a shorter one, but the mark of the former may still be good.
    hear(QUIET + 4, B, { ...beat(1, E1), termMs: 303 }, '02'.repeat(16) as BootId);
    expect(revoke(QUIET + 911, 1)).toMatchObject({ ok: false, why: 'promise', remainingMs: 1 });
    expect(revoke(QUIET + 912, 2)).toMatchObject({ ok: true });
  });

  test('after a start with a shorter lease it is quiet for what may have been promised before', () => {
    core = make(A, { formerTermMs: 909 });
    records(START, B, E1);
    expect(revoke(START + 908, 1)).toMatchObject({ ok: false, why: 'starting' });
    expect(answers(hear(START + 908, B, beat(1, E1)))[0]?.promises).toEqual([]);
    const effects = hear(START + 909, B, beat(2, E1));
    // From here on the own term is enough for the next start.
    expect(effects).toContainEqual({ type: 'rememberTerm', termMs: 303 });
    expect(answers(effects)[0]?.promises).toHaveLength(1);
    expect(revoke(START + 1212, 2)).toMatchObject({ ok: true });
  });

  test('at the very first start its own term is remembered before anything is promised', () => {
    core = make(A, { formerTermMs: 0 });
    records(START, B, E1);
    const effects = hear(QUIET, B, beat(1, E1));
    expect(effects).toContainEqual({ type: 'rememberTerm', termMs: 303 });
    expect(answers(effects)[0]?.promises).toEqual([]);
    at(QUIET + 1, { type: 'termRemembered', termMs: 303 });
    expect(answers(hear(QUIET + 2, B, beat(2, E1)))[0]?.promises).toHaveLength(1);
  });

  test('an owner that has long had no lease is not promised anew once somebody wants the group', () => {
    records(START, B, E1);
    const without = (round: number): HeartbeatBody => ({ ...beat(round, E1), without: [G] });
    const beats = (from: number, to: number, body: (round: number) => HeartbeatBody): number => {
      let promised = 0;
      for (let now = from; now < to; now += 50) {
        promised += answers(hear(now, B, body(now)))[0]?.promises.length ?? 0;
      }
      return promised;
    };
    expect(beats(QUIET, QUIET + 950, without)).toBe(19);
    // Not so long that silence would have been a loss: it is bound anew.
    expect(revoke(QUIET + 950, 1)?.ok).toBe(false);
    expect(beats(QUIET + 951, QUIET + 1000, without)).toBe(1);
    expect(beats(QUIET + 1000, QUIET + 1300, without)).toBe(6);
    // It keeps what it promised, but no longer.
    expect(revoke(QUIET + 1300, 2)).toMatchObject({ ok: false, why: 'promise' });
    expect(beats(QUIET + 1301, QUIET + 1551, without)).toBe(0);
    expect(revoke(QUIET + 1553, 3)).toMatchObject({ ok: true });
  });

  test('an owner that has its lease again in between is promised anew at once', () => {
    records(START, B, E1);
    for (let now = QUIET; now <= QUIET + 1100; now += 50) {
      hear(now, B, { ...beat(now, E1), without: [G] });
    }
    expect(revoke(QUIET + 1110, 1)?.ok).toBe(false);
    const effects = hear(QUIET + 1150, B, beat(QUIET + 1150, E1));
    expect(answers(effects)[0]?.promises).toHaveLength(1);
  });

  test('a heartbeat that was overtaken changes nothing', () => {
    records(START, B, E1);
    hear(QUIET, B, beat(9));
    expect(answers(hear(QUIET + 1, B, beat(8, E1)))).toEqual([]);
    expect(revoke(QUIET + 2, 1)?.ok).toBe(true);
  });

  test('is bound to itself while it claims', () => {
    records(START, A, E1);
    claim(QUIET, E1);
    expect(revoke(QUIET + 1, 1)).toMatchObject({ ok: false, why: 'promise' });
    at(QUIET + 2, { type: 'released', group: G });
    expect(revoke(QUIET + 3, 2)?.ok).toBe(true);
  });

  test('keeps its word to the former owner when the record moves without a vote of its own', () => {
    records(START, B, E1);
    hear(QUIET, B, beat(1, E1));
    records(QUIET + 1, W, E2);
    const promised = (now: number, round: number) =>
      answers(hear(now, W, beat(round, E2)))[0]?.promises.length;
    expect(promised(QUIET + 2, 1)).toBe(0);
    expect(promised(QUIET + 303, 2)).toBe(1);
  });
});

describe('addresses', () => {
  const LATER = START + 400;
  const want = (now: number, epoch: Epoch, ...addresses: readonly WantedAddress[]) =>
    at(now, { type: 'addressesWanted', group: G, epoch, addresses });
  const done = (now: number, outcome: 'ok' | 'missing') =>
    at(now, { type: 'addressDone', group: G, resource: VIP.resource, result: { outcome } });
  const fail = (now: number, detail: string) =>
    at(now, {
      type: 'addressDone',
      group: G,
      resource: VIP.resource,
      result: { outcome: 'failed', detail },
    });

  /** Runs until `to` with a lease that is renewed all the time; what happened, with its time. */
  function run(from: number, to: number): [number, string][] {
    const seen: [number, string][] = [];
    for (let now = from; now <= to; now += 10) {
      const effects = [...pass(now)];
      const round = roundOf(effects);
      if (round > 0) effects.push(...hear(now, B, upheld(round)));
      for (const effect of effects) {
        if (effect.type === 'hold') done(now, 'ok');
        if (['hold', 'drop', 'announce'].includes(effect.type)) seen.push([now, effect.type]);
      }
    }
    return seen;
  }

  beforeEach(() => {
    pass(START);
    records(START, A, E1);
    hear(LATER + 5, B, upheld(roundOf(claim(LATER, E1))));
  });

  test('reported as withdrawn when asked, also when never held, and only once dropped', () => {
    const gone = (now: number) =>
      at(now, {
        type: 'addressesWanted',
        group: G,
        epoch: E1,
        addresses: [],
        gone: [VIP.resource],
      });
    const told = (effects: readonly HeartEffect[]) =>
      types(effects).filter((type) => type === 'drop' || type === 'report');
    expect(told(gone(LATER + 6))).toEqual(['report']);
    want(LATER + 7, E1, VIP);
    done(LATER + 7, 'ok');
    expect(told(gone(LATER + 8)).slice(0, 2)).toEqual(['drop', 'report']);
  });

  test('reported again to a control that asks for what is held', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    expect(want(LATER + 7, E1, VIP)).toContainEqual(
      expect.objectContaining({
        type: 'report',
        message: expect.objectContaining({ type: 'address', state: 'held' }) as unknown,
      }),
    );
  });

  test('held only under a lease at the epoch that was named', () => {
    expect(types(want(LATER + 6, E2, VIP))).toEqual([]);
    expect(want(LATER + 7, E1, VIP)).toContainEqual({
      type: 'hold',
      group: G,
      address: VIP,
      until: LATER + 300,
      renewal: false,
    });
    const effects = done(LATER + 7, 'ok');
    expect(types(effects)).toEqual(['report', 'announce']);
    expect(reports(effects, 'address')).toMatchObject([
      { state: 'held', detail: '192.0.2.9/24 on lan' },
    ]);
  });

  test('renewed three times a life, announced often at first', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    const seen = run(LATER + 10, LATER + 40_000);
    const times = (what: string) =>
      seen.filter(([, type]) => type === what).map(([now]) => now - LATER);
    expect(times('announce')).toEqual([60, 210, 1010, 2010, 32_010]);
    expect(times('hold').slice(0, 3)).toEqual([1010, 2010, 3010]);
    expect(times('drop')).toEqual([]);
  });

  test('withdrawn when the lease ends, held and announced again when it is back', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    for (let now = LATER + 50; now < LATER + 300; now += 50) pass(now);
    const lost = pass(LATER + 300);
    expect(types(lost).slice(0, 2)).toEqual(['mark', 'drop']);
    expect(reports(lost, 'address')[0]?.detail).toContain('no lease for group "g"');
    const back = hear(LATER + 400, B, upheld(roundOf(pass(LATER + 390))));
    expect(types(back)).toContain('hold');
    expect(types(done(LATER + 400, 'ok'))).toContain('announce');
  });

  test('no longer wanted: dropped', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    const effects = want(LATER + 20, E1);
    expect(types(effects)).toEqual(['drop', 'report']);
  });

  test('changed: the old one goes before the new one comes', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    const effects = want(LATER + 20, E1, { ...VIP, address: '192.0.2.10' });
    expect(types(effects)).toEqual(['drop', 'report', 'hold']);
  });

  test('removed by a stranger: reported and announced anew', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    run(LATER + 10, LATER + 1000);
    const effects = done(LATER + 1010, 'missing');
    expect(types(effects)).toContain('announce');
    expect(reports(effects, 'address')[0]?.detail).toBe(
      '192.0.2.9/24 on lan had been removed by somebody else and was put back',
    );
  });

  test('a refusal is reported once and tried again soon, without announcements', () => {
    want(LATER + 6, E1, VIP);
    expect(reports(fail(LATER + 6, 'ENODEV'), 'address')).toMatchObject([
      { state: 'failed', detail: 'ENODEV' },
    ]);
    const round = roundOf(pass(LATER + 250));
    hear(LATER + 251, B, upheld(round));
    expect(types(pass(LATER + 256))).toContain('hold');
    expect(reports(fail(LATER + 256, 'ENODEV'), 'address')).toEqual([]);
    expect(core.nextWakeAt()).toBeGreaterThan(LATER + 256);
  });

  test('what a former run left is removed when its life is over, unless it is held again', () => {
    const other = { ...VIP, resource: 'other' as ResourceId, address: '192.0.2.11' };
    core = make(A, {
      leftovers: [VIP, other].map((address) => ({ group: G, address })),
    });
    records(START, A, E1);
    hear(LATER + 5, B, upheld(roundOf(claim(LATER, E1))));
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    expect(run(LATER + 10, START + 2990).some(([, type]) => type === 'drop')).toBe(false);
    const effects = pass(START + 3000);
    const drops = effects.flatMap((e) => (e.type === 'drop' ? [e.address.address] : []));
    expect(drops).toEqual(['192.0.2.11']);
  });

  test('stopping gives everything up; no claim is taken any more', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    const effects = at(LATER + 20, { type: 'stopAsked' });
    expect(types(effects).slice(0, 2)).toEqual(['mark', 'drop']);
    expect(types(claim(LATER + 30, E1))).toEqual([]);
  });

  test('a client that comes hears all of it', () => {
    want(LATER + 6, E1, VIP);
    done(LATER + 6, 'ok');
    const effects = at(LATER + 10, { type: 'reportAsked' });
    expect(reports(effects, 'peers')).toHaveLength(1);
    expect(reports(effects, 'lease')).toMatchObject([{ group: G, epoch: E1, held: true }]);
    expect(reports(effects, 'address')).toMatchObject([{ state: 'held' }]);
  });
});

test('time never runs backwards', () => {
  pass(START + 10);
  expect(() => pass(START + 9)).toThrow('time never runs backwards');
});
