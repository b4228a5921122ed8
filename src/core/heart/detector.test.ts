/** The detector's whole table: silence, carrier, and what was known before. */
import { beforeEach, describe, expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { PeerState } from '../../protocol/heart-ipc.ts';
import type { BootId, Epoch, GroupId, LinkId, NodeId } from '../../protocol/ids.ts';
import { Detector, judge } from './detector.ts';
import type { HeartOptions } from './heart-types.ts';

const timing = {
  heartbeatMs: 50,
  leaseMs: 300,
  nodeLostMs: 1000,
  secondaryLostMs: 400,
  clockDrift: 0.01,
  addressLifeSeconds: 3,
  suspendGraceMs: 10_000,
};
const SINCE = 10_000;

describe('judge', () => {
  test.each<[silentMs: number, carrierLostMs: number | undefined, PeerState]>([
    [0, undefined, 'up'],
    [299, undefined, 'up'],
    [300, undefined, 'suspect'],
    [303, undefined, 'suspect'],
    [999, undefined, 'suspect'],
    [1000, undefined, 'lost'],
    [60_000, undefined, 'lost'],
    // The carrier goes as the silence begins, a little before, or later.
    [0, 0, 'up'],
    [299, 0, 'up'],
    [302, 0, 'suspect'],
    [303, 0, 'lost'],
    [303, -100, 'lost'],
    [303, 250, 'lost'],
    [500, 500, 'lost'],
    [302, 302, 'suspect'],
    // It was gone long before: no sign of anything.
    [303, -101, 'suspect'],
    [999, -5000, 'suspect'],
    [1000, -5000, 'lost'],
  ])('silent for %d ms, carrier gone at %s ms: %s', (silentMs, carrierLostMs, state) => {
    const judgement = judge({
      now: instant(SINCE + silentMs),
      since: instant(SINCE),
      carrierLostAt: carrierLostMs === undefined ? undefined : instant(SINCE + carrierLostMs),
      timing,
    });
    expect(judgement.state).toBe(state);
    expect(judgement.worseAt).toBeGreaterThan(SINCE + silentMs);
  });

  test('a sign of death never makes a loss later than silence alone', () => {
    const slow = { ...timing, leaseMs: 1000, clockDrift: 0.5 };
    const input = { now: instant(1000), since: instant(0), carrierLostAt: instant(0) };
    expect(judge({ ...input, timing: slow }).state).toBe('lost');
  });
});

const [A, B, W] = ['a', 'b', 'w'] as NodeId[] as [NodeId, NodeId, NodeId];
const [LAN, CABLE] = ['lan', 'cable'] as LinkId[] as [LinkId, LinkId];
const BOOT = '01'.repeat(16) as BootId;

function detector(): Detector {
  const options: HeartOptions = {
    self: A,
    boot: BOOT,
    startedAt: instant(0),
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
  };
  return new Detector(options);
}

const stateOf = (d: Detector, node: NodeId, now: number) =>
  d.report(instant(now)).find((peer) => peer.node === node);

describe('Detector', () => {
  test('nobody is up before being heard, and lost in the end', () => {
    const d = detector();
    expect(stateOf(d, B, 0)).toMatchObject({ state: 'suspect', lastHeardAt: undefined });
    expect(stateOf(d, B, 999)?.state).toBe('suspect');
    expect(stateOf(d, B, 1000)).toMatchObject({
      state: 'lost',
      reason: 'never heard on cable, lan since this heart started 1.00 s ago',
    });
    expect(d.heard(B, LAN, BOOT, instant(1001))).toBe(true);
    expect(stateOf(d, B, 1001)?.state).toBe('up');
  });

  test('one silent link is no loss, and is named', () => {
    const d = detector();
    d.heard(B, CABLE, BOOT, instant(100));
    d.heard(B, LAN, BOOT, instant(2000));
    const report = stateOf(d, B, 2000);
    expect(report).toMatchObject({ state: 'up', reason: 'heard on lan, silent on cable' });
    expect(report?.links.map((link) => link.state)).toEqual(['lost', 'up']);
  });

  test('the carrier of a direct link speeds up the loss of its peer, not of the witness', () => {
    const d = detector();
    for (const [node, link] of [
      [B, CABLE],
      [B, LAN],
      [W, LAN],
    ] as const) {
      d.heard(node, link, BOOT, instant(1000));
    }
    d.carrier(CABLE, false, instant(1010));
    expect(stateOf(d, B, 1302)?.state).toBe('suspect');
    expect(stateOf(d, B, 1303)).toMatchObject({
      state: 'lost',
      reason: 'silent on cable, lan for 0.30 s, and the carrier of cable is gone',
    });
    expect(stateOf(d, W, 1303)?.state).toBe('suspect');
    expect(stateOf(d, B, 1303)?.links[0]?.carrier).toBe(false);
    d.carrier(CABLE, true, instant(1304));
    expect(stateOf(d, B, 1304)?.state).toBe('suspect');
  });

  test('the carrier of a shared network is no sign of death', () => {
    const d = detector();
    d.heard(B, LAN, BOOT, instant(1000));
    d.carrier(LAN, false, instant(1001));
    expect(stateOf(d, B, 1400)?.state).toBe('suspect');
  });

  test('reviews tell each change once', () => {
    const d = detector();
    expect(d.review(instant(0))).toBe(false);
    d.heard(B, LAN, BOOT, instant(10));
    expect(d.review(instant(10))).toBe(true);
    expect(d.review(instant(11))).toBe(false);
    // The witness, never heard, is judged from the start on.
    expect(d.nextChangeAt(instant(11))).toBe(300);
    expect(d.nextChangeAt(instant(300))).toBe(310);
    expect(d.review(instant(310))).toBe(true);
  });

  test('says on which links somebody is heard', () => {
    const d = detector();
    d.heard(W, LAN, BOOT, instant(100));
    expect(d.hearsOn(instant(200))).toEqual([LAN]);
    d.heard(B, CABLE, BOOT, instant(300));
    expect(d.hearsOn(instant(350))).toEqual([CABLE, LAN]);
    expect(d.hearsOn(instant(500))).toEqual([CABLE]);
  });

  test('ignores strangers and links that are not shared; an older heartbeat tells nothing', () => {
    const d = detector();
    expect(d.heard('x' as NodeId, LAN, BOOT, instant(1))).toBe(false);
    expect(d.heard(W, CABLE, BOOT, instant(1))).toBe(false);
    d.heard(B, LAN, BOOT, instant(1));
    expect(d.told(B, 5, { claims: [], hearsOn: [LAN] }, instant(1))).toBe(true);
    expect(d.told(B, 4, { claims: [], hearsOn: [] }, instant(1))).toBe(false);
    expect(stateOf(d, B, 1)?.hearsOn).toEqual([LAN]);
    d.heard(B, LAN, '02'.repeat(16) as BootId, instant(2));
    expect(d.told(B, 1, { claims: [], hearsOn: [] }, instant(2))).toBe(true);
  });

  describe('a peer that is heard and lacks something', () => {
    const G = 'g' as GroupId;
    const claims = [{ group: G, epoch: 1 as Epoch }];
    let d: Detector;
    let round = 0;
    const beats = (from: number, to: number, over: object): void => {
      for (let now = from; now < to; now += 50) {
        d.heard(B, LAN, BOOT, instant(now));
        round += 1;
        d.told(B, round, { claims, hearsOn: [LAN], without: [G], ...over }, instant(now));
        d.review(instant(now));
      }
    };
    const since = (now: number) => stateOf(d, B, now)?.claims[0]?.withoutSince;

    beforeEach(() => {
      d = detector();
      d.review(instant(0));
    });

    test('is reported when it has lasted for a lease, and when it ends', () => {
      beats(1000, 1300, {});
      expect(since(1299)).toBeUndefined();
      expect(d.nextChangeAt(instant(1299))).toBe(1300);
      expect(d.review(instant(1300))).toBe(true);
      expect(since(1300)).toBe(1000);
      expect(d.isPowerless(B, G, instant(1999))).toBe(false);
      beats(1300, 2000, {});
      expect(d.isPowerless(B, G, instant(2000))).toBe(true);
      d.told(B, round + 1, { claims, hearsOn: [LAN], without: [] }, instant(2000));
      expect(d.review(instant(2000))).toBe(true);
      expect(since(2000)).toBeUndefined();
      expect(d.isPowerless(B, G, instant(2000))).toBe(false);
    });

    test('counts anew after a silence, for a new claim, and for a new process', () => {
      beats(1000, 1500, {});
      expect(since(1499)).toBe(1000);
      beats(1800, 2200, {});
      expect(since(2200)).toBe(1800);
      beats(2200, 2250, { claims: [{ group: G, epoch: 2 as Epoch }] });
      expect(since(2500)).toBe(2200);
      d.heard(B, LAN, '02'.repeat(16) as BootId, instant(2550));
      expect(since(2600)).toBeUndefined();
    });

    test('a silent peer is powerless to nobody: that is judged as silence', () => {
      beats(1000, 2100, {});
      expect(d.isPowerless(B, G, instant(2300))).toBe(true);
      expect(d.isPowerless(B, G, instant(2400))).toBe(false);
    });

    test('hears nobody', () => {
      beats(1000, 1350, { hearsOn: [] });
      expect(stateOf(d, B, 1350)?.deafSince).toBe(1000);
      beats(1350, 1400, {});
      expect(stateOf(d, B, 1400)?.deafSince).toBeUndefined();
    });
  });
});
