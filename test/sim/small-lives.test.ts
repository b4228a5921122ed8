/** Lives made small, each of which has once come upon a defect that is mended. */
import { expect, test } from 'vitest';
import { live } from '../../src/sim/life.ts';
import { keptLives, readLife } from './kept-lives.ts';

test.each(keptLives())('%s is mended', (name) => {
  expect(live(readLife(name)).failure?.message).toBeUndefined();
});
