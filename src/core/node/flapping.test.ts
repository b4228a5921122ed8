import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { Flapping, type FlappingOptions, TOLD_MS } from './flapping.ts';

const [me, n2, n3] = ['n1', 'n2', 'n3'] as [NodeId, NodeId, NodeId];
const config = { returns: 2, withinMs: 60_000, forMs: 30_000 };

function watch(over: Partial<FlappingOptions> = {}) {
  const options = { me, nodes: [n2, n3], members: 4, config, excused: () => false, ...over };
  const flapping = new Flapping(options);
  const told: string[] = [];
  const hear = (at: number, states: Partial<Record<string, PeerState>>): void => {
    const all = { n2: 'up', n3: 'up', w1: 'up', ...states } as const;
    const peers = Object.entries(all).map(([node, state]) => ({ node, state }));
    const drafts = flapping.peersReported(peers as unknown as PeerReport[], instant(at));
    told.push(...drafts.map(({ kind }) => kind));
  };
  /** n2 is lost and back a second later. */
  const flap = (at: number, states: Partial<Record<string, PeerState>> = {}): void => {
    hear(at, { n2: 'lost', ...states });
    hear(at + 1000, {});
  };
  hear(0, {});
  return { flapping, told, hear, flap };
}

test('one return more than allowed, within the window, is too many, and told once', () => {
  const { flapping, told, flap } = watch();
  flap(1000);
  flap(10_000);
  expect([...flapping.nodes]).toEqual([]);
  flap(20_000);
  flap(30_000);
  expect([...flapping.nodes]).toEqual([n2]);
  expect(told).toEqual(['quarantine']);
  expect(flapping.list()).toEqual([{ node: n2, returns: 4, until: 61_000 }]);
});

test('it ends by itself so long after the last return, and begins again with none', () => {
  const { flapping, flap } = watch();
  for (const at of [1000, 10_000, 20_000]) flap(at);
  expect(flapping.tick(instant(50_999))).toEqual([]);
  expect(flapping.nextWakeAt()).toBeLessThanOrEqual(51_000);
  expect(flapping.tick(instant(51_000)).map(({ kind }) => kind)).toEqual(['quarantine-ended']);
  expect([...flapping.nodes]).toEqual([]);
  flap(52_000);
  flap(54_000);
  expect([...flapping.nodes]).toEqual([]);
  flap(56_000);
  expect([...flapping.nodes]).toEqual([n2]);
});

test('returns that lie further apart than the window are well', () => {
  const { flapping, flap } = watch();
  for (const at of [1000, 40_000, 80_000, 120_000, 160_000]) flap(at);
  expect([...flapping.nodes]).toEqual([]);
});

test('who was silent but not lost has not come and gone', () => {
  const { flapping, hear } = watch();
  for (let at = 1000; at < 10_000; at += 1000) {
    hear(at, { n2: 'suspect' });
    hear(at + 500, {});
  }
  expect([...flapping.nodes]).toEqual([]);
});

test('where nobody was heard, this node was away itself; of two members nobody can tell', () => {
  const all = watch();
  for (const at of [1000, 3000, 5000, 7000]) all.flap(at, { n3: 'lost', w1: 'lost' });
  expect([...all.flapping.nodes]).toEqual([]);
  const two = watch({ members: 2, nodes: [n2] });
  for (const at of [1000, 3000, 5000]) two.flap(at, { n3: 'lost', w1: 'lost' });
  expect([...two.flapping.nodes]).toEqual([n2]);
});

test('neither the first time, nor a new heart, nor work on the node, nor a witness counts', () => {
  const heart = watch();
  for (const at of [1000, 3000, 5000, 7000]) {
    heart.hear(at, { n2: 'lost' });
    heart.flapping.heartLost();
    heart.hear(at + 500, { n2: 'lost' });
    heart.hear(at + 1000, {});
  }
  expect([...heart.flapping.nodes]).toEqual([]);
  const working = watch({ excused: (node) => node === n2 });
  for (const at of [1000, 3000, 5000, 7000]) working.flap(at);
  expect([...working.flapping.nodes]).toEqual([]);
  const witness = watch();
  for (const at of [1000, 3000, 5000, 7000]) {
    witness.hear(at, { w1: 'lost' });
    witness.hear(at + 1000, {});
  }
  expect([...witness.flapping.nodes]).toEqual([]);
});

test('an administrator ends it, told only where there is something to end', () => {
  const { flapping, flap } = watch();
  expect(flapping.clear(n2)).toEqual([]);
  for (const at of [1000, 3000, 5000]) flap(at);
  expect(flapping.clear(n2).map(({ kind }) => kind)).toEqual(['quarantine-ended']);
  expect([[...flapping.nodes], flapping.toTell(instant(7000))]).toEqual([[], []]);
  flap(8000);
  expect([...flapping.nodes]).toEqual([]);
});

test('the node itself is told while it is heard, again and again, and believes it for a while', () => {
  const { flapping, hear, flap } = watch();
  for (const at of [1000, 3000, 5000]) flap(at);
  expect(flapping.toTell(instant(6000))).toEqual([n2]);
  expect(flapping.toTell(instant(6001))).toEqual([]);
  expect(flapping.toTell(instant(11_000))).toEqual([n2]);
  hear(12_000, { n2: 'lost' });
  expect(flapping.toTell(instant(16_000))).toEqual([]);
  flapping.toldOfMe(instant(20_000));
  expect([...flapping.nodes]).toEqual([n2, me]);
  flapping.tick(instant(20_000 + TOLD_MS));
  expect([...flapping.nodes]).toEqual([n2]);
});

test('never means never', () => {
  const { flapping, flap } = watch({ config: undefined });
  for (const at of [1000, 3000, 5000, 7000]) flap(at);
  expect([...flapping.nodes]).toEqual([]);
});
