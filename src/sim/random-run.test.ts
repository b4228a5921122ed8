/** A few random lives of a cluster; fresh ones are lived by `npm run sim`. */
import { expect, test } from 'vitest';
import { live, planLife } from './life.ts';
import { randomRun } from './random-run.ts';

/** The last one has its records in an etcd. */
const SEEDS = [1, 2, 3, 5, 8, 13, 1574, 80];

test.each(SEEDS)('the promises hold in the life of seed %i', (seed) => {
  expect(randomRun(seed).acknowledged).toBeGreaterThan(0);
});

test('the same seed gives the same life, another one gives another', () => {
  const [first, again, other] = [4, 4, 6].map((seed) => live(planLife(seed)).hash);
  expect(first).toBe(again);
  expect(first).not.toBe(other);
});

test('remembering what happened changes nothing', () => {
  expect(live(planLife(4), 50).hash).toBe(live(planLife(4)).hash);
});

test('a plan that was kept as text gives the same life', () => {
  const plan = planLife(9);
  const kept = JSON.parse(JSON.stringify(plan)) as typeof plan;
  expect(live(kept).hash).toBe(live(plan).hash);
});
