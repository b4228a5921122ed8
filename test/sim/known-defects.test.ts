/**
 * Lives that come upon the known defects of the core (`src/sim/known-defects.ts`), made small. Who
 * mends one finds its test here failing, takes it out, and its entry there.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LifePlan, live } from '../../src/sim/life.ts';

const folder = join(import.meta.dirname, 'known');

test.fails.each(readdirSync(folder))('%s', (name) => {
  const plan = JSON.parse(readFileSync(join(folder, name), 'utf8')) as LifePlan;
  expect(live(plan, 0, false).failure?.message).toBeUndefined();
});
