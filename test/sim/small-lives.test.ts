/**
 * Lives made small. In `lives` each has once come upon a defect that is mended, and must pass. In
 * `known` each comes upon a defect that is not (`src/sim/known-defects.ts`): who mends it finds its
 * test here failing, moves it to `lives`, and takes out its entry there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LifePlan, live } from '../../src/sim/life.ts';

const [mended, known] = ['lives', 'known'].map((name) => join(import.meta.dirname, name)) as [
  string,
  string,
];

function failureOf(folder: string, name: string): string | undefined {
  const plan = JSON.parse(readFileSync(join(folder, name), 'utf8')) as LifePlan;
  return live(plan, 0, false).failure?.message;
}

test.each(readdirSync(mended))('%s is mended', (name) => {
  expect(failureOf(mended, name)).toBeUndefined();
});

test.fails.each(readdirSync(known))('%s is known', (name) => {
  expect(failureOf(known, name)).toBeUndefined();
});
