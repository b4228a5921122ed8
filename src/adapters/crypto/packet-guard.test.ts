/** Hearts that meet, restart, and are lied to. */
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import type { PacketBody } from '../../protocol/packet.ts';
import type { VersionRange } from '../../protocol/versions.ts';
import { newBoot, type Opened, PacketGuard } from './packet-guard.ts';
import { ReplayWindow } from './replay-window.ts';

const A = 'a' as NodeId;
const B = 'b' as NodeId;
const KEY = new Uint8Array(32).fill(1);
const beat: PacketBody = {
  kind: 'heartbeat',
  round: 1,
  claims: [{ group: 'g' as GroupId, epoch: 3 as Epoch }],
  hearsOn: [],
};
let now = instant(1000);

type Over = { key?: Uint8Array; cluster?: string; speaks?: VersionRange };

function guard(self: NodeId, over: Over = {}): PacketGuard {
  const peers = [A, B].filter((id) => id !== self);
  return new PacketGuard({ cluster: 'c', key: KEY, self, boot: newBoot(), peers, ...over });
}

const sent = (packet: Uint8Array | undefined): Uint8Array => must(packet, 'small enough');
const replyOf = (opened: Opened): Uint8Array | undefined =>
  'reply' in opened ? opened.reply : undefined;

/** Delivers a packet and all replies; returns everything that was on the wire. */
function exchange(first: Uint8Array, from: PacketGuard, to: PacketGuard): Uint8Array[] {
  const wire: Uint8Array[] = [];
  let packet: Uint8Array | undefined = first;
  let [sender, receiver] = [from, to];
  while (packet !== undefined) {
    expect(wire.length).toBeLessThan(8);
    wire.push(packet);
    packet = replyOf(receiver.open(packet, now));
    [sender, receiver] = [receiver, sender];
  }
  return wire;
}

function meet(a: PacketGuard, b: PacketGuard): Uint8Array[] {
  return exchange(sent(a.seal(B, beat)), a, b);
}

describe('PacketGuard', () => {
  test('two that know nothing of each other get to know each other in four packets', () => {
    const [a, b] = [guard(A), guard(B)];
    expect(a.knows(B)).toBe(false);
    expect(meet(a, b)).toHaveLength(4);
    expect([a.knows(B), b.knows(A)]).toEqual([true, true]);
    expect(b.open(sent(a.seal(B, beat)), now)).toMatchObject({
      type: 'fresh',
      from: A,
      body: beat,
    });
    expect(a.open(sent(b.seal(A, beat)), now)).toMatchObject({
      type: 'fresh',
      from: B,
      body: beat,
    });
  });

  test('nothing counts twice', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const packet = sent(a.seal(B, beat));
    expect(b.open(packet, now).type).toBe('fresh');
    expect(b.open(packet, now)).toEqual({ type: 'stale', reply: undefined });
  });

  test('a restart of either side is noticed and healed', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const b2 = guard(B);
    // Meant for the former run: no sign of life, but an answer that tells the new boot.
    const toOld = sent(a.seal(B, beat));
    expect(b2.open(toOld, now).type).toBe('stale');
    exchange(toOld, a, b2);
    expect(b2.open(sent(a.seal(B, beat)), now).type).toBe('fresh');
    expect(a.open(sent(b2.seal(A, beat)), now).type).toBe('fresh');
    // The former run is over for good.
    expect(a.open(sent(b.seal(A, beat)), now).type).toBe('stale');
  });

  test('a recording of an earlier run never makes it live again', () => {
    const [a1, b] = [guard(A), guard(B)];
    const wire = [...meet(a1, b), sent(a1.seal(B, beat))];
    const held = sent(a1.seal(B, beat));
    const a2 = guard(A);
    exchange(sent(a2.seal(B, beat)), a2, b);
    expect(b.open(sent(a2.seal(B, beat)), now).type).toBe('fresh');
    for (const packet of [...wire, held]) expect(b.open(packet, now).type).not.toBe('fresh');
    expect(b.open(sent(a2.seal(B, beat)), now).type).toBe('fresh');
    const b2 = guard(B);
    for (const packet of [...wire, held]) expect(b2.open(packet, now).type).not.toBe('fresh');
  });

  test.each([
    ['another key', { key: new Uint8Array(32).fill(2) }],
    ['another cluster', { cluster: 'd' }],
  ])('%s is forged and gets no answer', (_, over) => {
    const [a, b] = [guard(A, over), guard(B)];
    expect(b.open(sent(a.seal(B, beat)), now)).toEqual({ type: 'forged' });
  });

  test('strangers are not even decrypted', () => {
    const stranger = guard('x' as NodeId);
    expect(guard(B).open(sent(stranger.seal(B, beat)), now)).toEqual({ type: 'unknown' });
  });

  test('every changed bit is noticed', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const packet = sent(a.seal(B, beat));
    for (let i = 0; i < packet.length; i += 1) {
      now = instant(now + 1000);
      const changed = Uint8Array.from(packet);
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      expect(b.open(changed, now).type, `byte ${i}`).not.toBe('fresh');
    }
    expect(b.open(packet, now).type).toBe('fresh');
  });

  test('every truncation is noticed', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const packet = sent(a.seal(B, beat));
    for (let length = 0; length < packet.length; length += 1) {
      now = instant(now + 1000);
      expect(b.open(packet.subarray(0, length), now).type).not.toBe('fresh');
    }
  });

  test('a flood of unknown boots is bounded and harms no known peer', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const types = new Map<string, number>();
    for (let i = 0; i < 1000; i += 1) {
      const { type } = b.open(sent(guard(A, { key: new Uint8Array(32) }).seal(B, beat)), now);
      types.set(type, (types.get(type) ?? 0) + 1);
    }
    expect(types.get('forged')).toBeLessThanOrEqual(20);
    expect(types.get('refused')).toBeGreaterThanOrEqual(980);
    expect(b.open(sent(a.seal(B, beat)), now).type).toBe('fresh');
  });

  test('a body that is too large is refused at the sender', () => {
    const [a, b] = [guard(A), guard(B)];
    meet(a, b);
    const body = (size: number): PacketBody => ({ kind: 'message', id: 1, body: 'x'.repeat(size) });
    expect(a.seal(B, body(17_000))).toBeUndefined();
    expect(b.open(sent(a.seal(B, body(16_000))), now).type).toBe('fresh');
  });
});

describe('ReplayWindow', () => {
  test('takes each counter once, in any order within the window', () => {
    const window = new ReplayWindow(9);
    expect([9, 10, 12, 11, 12, 10].map((n) => window.take(n))).toEqual([
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(window.take(5000)).toBe(true);
    expect(window.take(5000 - 1024)).toBe(false);
    expect(window.take(5000 - 1023)).toBe(true);
    expect(window.take(13)).toBe(false);
  });
});

describe('releases', () => {
  const first = { oldest: 1, newest: 1 };
  const [present, next] = [
    { oldest: 1, newest: 2 },
    { oldest: 2, newest: 3 },
  ];

  test('adjacent ones meet, and each knows what the other speaks', () => {
    const [a, b] = [guard(A, { speaks: first }), guard(B, { speaks: present })];
    expect(meet(a, b)).toHaveLength(4);
    expect([a.speaks(B), b.speaks(A)]).toEqual([present, first]);
  });

  test('without a version in common they stay silent for each other, and both learn why', () => {
    const [a, b] = [guard(A, { speaks: first }), guard(B, { speaks: next })];
    const wire = meet(a, b);
    expect([a.knows(B), b.knows(A)]).toEqual([false, false]);
    expect(wire.length).toBeLessThan(6);
    const opened: Opened[] = [];
    let packet: Uint8Array | undefined = sent(a.seal(B, beat));
    for (let turn = 0; packet !== undefined; turn += 1) {
      const got: Opened = (turn % 2 === 0 ? b : a).open(packet, now);
      opened.push(got);
      packet = replyOf(got);
    }
    expect(opened.filter(({ type }) => type === 'incompatible')).toMatchObject([
      { from: A, speaks: first },
      { from: B, speaks: next },
    ]);
    expect(opened.some(({ type }) => type === 'fresh')).toBe(false);
  });

  test('a recorded hello of another release changes nothing', () => {
    const [a, b] = [guard(A, { speaks: present }), guard(B, { speaks: present })];
    const old = guard(A, { speaks: { oldest: 7, newest: 7 } });
    const recorded = exchange(sent(old.seal(B, beat)), old, b);
    meet(a, b);
    for (const packet of recorded) expect(b.open(packet, now).type).not.toBe('incompatible');
    expect(b.open(sent(a.seal(B, beat)), now).type).toBe('fresh');
  });

  test('the other side may be upgraded at any time: its next run says so', () => {
    const [a, b] = [guard(A, { speaks: present }), guard(B, { speaks: first })];
    meet(a, b);
    const upgraded = guard(B, { speaks: next });
    exchange(sent(a.seal(B, beat)), a, upgraded);
    expect(a.speaks(B)).toEqual(next);
  });
});
