/** Lives made small, each of which has once come upon a defect that is mended. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LifePlan, live } from '../../src/sim/life.ts';

const folder = join(import.meta.dirname, 'lives');

test.each(readdirSync(folder))('%s is mended', (name) => {
  const plan = JSON.parse(readFileSync(join(folder, name), 'utf8')) as LifePlan;
  expect(live(plan).failure?.message).toBeUndefined();
});
