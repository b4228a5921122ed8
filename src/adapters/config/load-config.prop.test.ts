/** Whatever stands in the file, it is judged, never a crash. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { checkConfig } from './load-config.ts';

const KEYS = [
  'cluster',
  'key-file',
  'timing',
  'links',
  'nodes',
  'witness',
  'groups',
  'resources',
  'agent',
  'path',
  'after',
  'lan',
  'n1',
  'constructor',
  '__proto__',
];
const VALUES = [
  'mirror',
  'process',
  'virtual-ip',
  '10.0.0.1',
  '10.0.0.1/24',
  '/srv/a',
  'n1',
  'lan',
];

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.constantFrom(...VALUES),
    fc.integer(),
    fc.constant(null),
    fc.boolean(),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 7 }),
  ),
}));

test('any tree of known words', () => {
  fc.assert(
    fc.property(tree, (value) => {
      const text = stringify(value);
      const { config, errors } = checkConfig('F', text);
      expect(config === undefined).toBe(errors.length > 0);
      const lines = text.split('\n').length;
      for (const { line, column } of errors) {
        expect(line).toBeGreaterThanOrEqual(1);
        expect(line).toBeLessThanOrEqual(lines);
        expect(column).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 500 },
  );
});

test('any text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'a:-[]{}&*!|>\'"#%@`?, \n\t1'.split('')) }),
      (text) => {
        const { config, errors } = checkConfig('F', text);
        expect(config).toBeUndefined();
        expect(errors.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
});
