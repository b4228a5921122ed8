/** When the other node is turned off, and which word that it is off counts. */
import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { FenceAnswer } from '../../protocol/fence.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { type FenceEffect, FenceKeeper } from './fence-keeper.ts';

const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const WANTED = { groups: ['db'], first: true, reason: 'n2 is lost: silent' };
const IDLE = { ...WANTED, groups: [] };
const OFF: FenceAnswer = { state: 'off', detail: 'it says so' };
const UNKNOWN: FenceAnswer = { state: 'unknown', detail: 'no route' };

function keeper(): FenceKeeper {
  return new FenceKeeper({ me: N1, peer: N2, delayMs: 2000, runMsMax: 8000 });
}

function runs(effects: readonly FenceEffect[]): readonly number[] {
  return effects.flatMap((effect) => (effect.type === 'fence' ? [effect.id] : []));
}

function kinds(effects: readonly FenceEffect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.type === 'event' ? [effect.draft.kind] : []));
}

test('whoever goes first asks at once, the other one after the delay', () => {
  expect(runs(keeper().advance(WANTED, instant(0)))).toEqual([1]);
  const second = keeper();
  expect(second.advance({ ...WANTED, first: false }, instant(0))).toEqual([]);
  expect(second.nextWakeAt()).toBe(2000);
  expect(runs(second.advance({ ...WANTED, first: false }, instant(1999)))).toEqual([]);
  expect(runs(second.advance({ ...WANTED, first: false }, instant(2000)))).toEqual([1]);
});

test('nothing is asked that nobody wants any more, and the next one waits anew', () => {
  const second = keeper();
  second.advance({ ...WANTED, first: false }, instant(0));
  second.advance(IDLE, instant(1000));
  expect(runs(second.advance({ ...WANTED, first: false }, instant(2500)))).toEqual([]);
  expect(second.nextWakeAt()).toBe(4500);
});

test('only "off" counts, and only until the node is heard', () => {
  const fence = keeper();
  fence.advance(WANTED, instant(0));
  expect(fence.isOff).toBe(false);
  expect(kinds(fence.answered(1, OFF, instant(100)))).toEqual(['fenced']);
  expect(fence.isOff).toBe(true);
  expect(fence.advance(WANTED, instant(200))).toEqual([]);
  expect(kinds(fence.heard())).toEqual(['fence-over']);
  expect(fence.isOff).toBe(false);
});

test('a run during which the node was heard says nothing', () => {
  const fence = keeper();
  fence.advance(WANTED, instant(0));
  fence.heard();
  expect(fence.answered(1, OFF, instant(100))).toEqual([]);
  expect(fence.isOff).toBe(false);
  expect(runs(fence.advance(WANTED, instant(200)))).toEqual([2]);
  fence.answered(1, OFF, instant(300));
  expect(fence.isOff).toBe(false);
  fence.answered(2, OFF, instant(400));
  expect(fence.isOff).toBe(true);
});

test.each(['on', 'unknown'] as const)(
  '"%s" is told once and tried again, ever more rarely',
  (state) => {
    const fence = keeper();
    let now = 0;
    const pauses: number[] = [];
    for (let id = 1; id <= 7; id += 1) {
      expect(runs(fence.advance(WANTED, instant(now)))).toEqual([id]);
      const told = fence.answered(id, { state, detail: 'no' }, instant(now));
      expect(kinds(told)).toEqual(id === 1 ? ['fence-failed'] : []);
      expect(fence.isOff).toBe(false);
      pauses.push(fence.nextWakeAt() - now);
      now = fence.nextWakeAt();
    }
    expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  },
);

test('a run that never answers is not known to have done anything', () => {
  const fence = keeper();
  fence.advance(WANTED, instant(0));
  expect(fence.nextWakeAt()).toBe(8000);
  expect(fence.advance(WANTED, instant(7999))).toEqual([]);
  expect(kinds(fence.advance(WANTED, instant(8000)))).toEqual(['fence-failed']);
  expect(fence.view).toMatchObject({ state: 'due', failures: 1 });
  fence.answered(1, OFF, instant(8100));
  expect(fence.isOff).toBe(false);
  fence.answered(1, UNKNOWN, instant(8200));
  expect(fence.view.failures).toBe(1);
});
