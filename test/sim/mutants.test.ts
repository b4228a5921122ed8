/** Every mutant fits the present code, and one of them is caught by lives like those of the tests. */
import { expect, test } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { MUTANTS } from './mutants.ts';
import { applyMutant, mutated, runMutant } from './mutant-run.ts';

const SECONDS = 40;

test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s fits', (_name, mutant) => {
  expect(mutated(mutant)).toContain(mutant.replace);
});

test('names are used once', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test('text that is not there, or there twice, is refused', () => {
  const mutant = { name: 'x', file: 'y', find: 'a', replace: 'b', breaks: [] };
  expect(applyMutant('-a-', mutant)).toBe('-b-');
  expect(() => applyMutant('a-a', mutant)).toThrow('2 times');
  expect(() => applyMutant('-', mutant)).toThrow('0 times');
});

test('a quorum that is too small is caught', async () => {
  const mutant = must(
    MUTANTS.find(({ name }) => name === 'quorums-of-one-less'),
    'known',
  );
  expect((await runMutant(mutant, SECONDS)).caught).toBe(true);
});
