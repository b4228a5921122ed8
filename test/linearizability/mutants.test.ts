/** Every mutant of the registry fits the present code; `--mutants` shows that each is caught. */
import { expect, test } from 'vitest';
import { REGISTRY_MUTANTS, mutantNamed, mutatedText } from './mutants.ts';

test.each(REGISTRY_MUTANTS.map(({ name }) => name))('%s fits', (name) => {
  const mutant = mutantNamed(name);
  expect(mutatedText(mutant)).toContain(mutant.replace);
});

test('a name that no mutant has', () => {
  expect(() => mutantNamed('nobody')).toThrow('quorums-of-one-less');
});
