/**
 * Every procedure takes place when nothing interrupts it, and ends safely when something does: here
 * a share of all interruptions, and those that have once found something; all of them are tried by
 * `npm run sim -- --steps`.
 */
import { expect, test } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { fits, WAYS } from '../../src/sim/interruption.ts';
import { PROCEDURES } from '../../src/sim/procedures.ts';
import { liveThrough } from '../../src/sim/step-life.ts';
import { interruptEverywhere, interruptOnce, procedureCalled } from './steps.ts';

/** Not a multiple of the number of ways, so that each way has its turn. */
const EVERY = 499;

test.each(PROCEDURES.map((procedure) => [procedure.name, procedure] as const))(
  '%s ends safely wherever it is interrupted',
  (_name, procedure) => {
    const { failures, interruptions, steps } = interruptEverywhere(procedure, EVERY);
    expect(failures).toEqual([]);
    expect(steps).toBeGreaterThan(20);
    expect(interruptions).toBeGreaterThan(0);
  },
);

test('names are used once', () => {
  expect(new Set(PROCEDURES.map(({ name }) => name)).size).toBe(PROCEDURES.length);
  expect(new Set(WAYS.map(({ name }) => name)).size).toBe(WAYS.length);
});

test('a hand-over whose vote is chosen while control is dead does not end with nobody', () => {
  const switchover = must(procedureCalled('switchover'), 'known');
  const { steps } = liveThrough(switchover, undefined);
  const votes = steps.flatMap(({ what }, index) => (what === 'vote' ? [index + 1] : []));
  const killed = WAYS.filter(({ victim }) => victim === 'control');
  for (const step of votes) {
    for (const way of killed) {
      expect(liveThrough(switchover, { step, way }).failure?.message).toBeUndefined();
    }
  }
});

test('a former owner that returns while the forced one cannot answer stays off', () => {
  const returns = must(procedureCalled('owner-returns-to-forced'), 'known');
  const way = must(
    WAYS.find(({ name }) => name === 'disk-stalls'),
    'known',
  );
  for (const step of [2, 4]) {
    expect(liveThrough(returns, { step, way }).failure?.message).toBeUndefined();
  }
});

test('an interruption gives the same life again, and another life than without it', () => {
  const failover = must(procedureCalled('failover'), 'known');
  const way = must(WAYS[0], 'there are ways');
  const [first, again] = [1, 2].map(() => liveThrough(failover, { step: 3, way }));
  expect(first?.interrupted).toBe(true);
  expect(first?.hash).toBe(again?.hash);
  expect(first?.hash).not.toBe(liveThrough(failover, undefined).hash);
});

test('what cannot be interrupted so is said', () => {
  const failover = must(procedureCalled('failover'), 'known');
  const unknown = interruptOnce(failover, { step: 1, way: 'bewitched' }, 5);
  expect(unknown).toMatchObject({ failed: true, text: expect.stringContaining('known are') });
  const way = 'power-lost-before';
  const beyond = interruptOnce(failover, { step: 100_000, way }, 5);
  expect(beyond).toMatchObject({ failed: true, text: expect.stringContaining('no step') });
});

test('votes are no matter of mirrors, everything else may end with one', () => {
  const mirror = must(
    WAYS.find(({ victim }) => victim === 'mirror'),
    'known',
  );
  const step = { node: 'n1', what: 'vote', atMs: 0 } as Parameters<typeof fits>[1];
  expect(fits(mirror, step)).toBe(false);
  expect(fits(mirror, { ...step, what: 'sync' })).toBe(true);
});
