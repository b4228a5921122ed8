import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DirtyMap } from './dirty-map.ts';
import type { DirtyExtent, DirtyPaths } from '../../protocol/dirty-paths.ts';

const KEYS = ['', 'a', 'a/b', 'a/b/c', 'a/d', 'ab', 'e', 'e/f'];

type Step =
  | { readonly type: 'generation' }
  | { readonly type: 'add'; readonly key: string; readonly extent: DirtyExtent };

const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constant({ type: 'generation' } as const), weight: 1 },
  {
    arbitrary: fc.record({
      type: fc.constant('add' as const),
      key: fc.constantFrom(...KEYS),
      extent: fc.constantFrom<DirtyExtent>('self', 'tree'),
    }),
    weight: 3,
  },
);

/** Runs the steps; each change is an entry of its own, from 11 on. */
function filled(steps: readonly Step[], limit?: number): { map: DirtyMap; adds: Added[] } {
  const map = new DirtyMap(10, limit);
  const adds: Added[] = [];
  for (const step of steps) {
    if (step.type === 'generation') {
      map.beginGeneration();
      continue;
    }
    const seq = 11 + adds.length;
    adds.push({ ...step, seq });
    map.add(seq, step.key, step.extent);
  }
  return { map, adds };
}

interface Added {
  readonly seq: number;
  readonly key: string;
  readonly extent: DirtyExtent;
}

function covers(paths: DirtyPaths, { key, extent }: Added): boolean {
  if (extent === 'self' && paths.has(key)) return true;
  const above = KEYS.filter((each) => each === '' || key === each || key.startsWith(`${each}/`));
  return above.some((each) => paths.get(each) === 'tree');
}

test('whatever was changed behind an entry is known, or it is said that it is not', () => {
  fc.assert(
    fc.property(
      fc.array(stepArb, { maxLength: 120 }),
      fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
      (steps, limit) => {
        const { map, adds } = filled(steps, limit);
        expect(map.since(9)).toBeUndefined();
        for (let seq = 10; seq <= 10 + adds.length; seq += 1) {
          const known = map.since(seq);
          if (limit === undefined) expect(known).toBeDefined();
          if (known === undefined) continue;
          for (const added of adds) if (added.seq > seq) expect(covers(known, added)).toBe(true);
        }
        // What is known of one entry is known of all behind it.
        const known = adds.map(({ seq }) => map.since(seq) !== undefined);
        expect(known.toSorted((a, b) => Number(a) - Number(b))).toEqual(known);
      },
    ),
  );
});

test('nothing is told that was not changed', () => {
  fc.assert(
    fc.property(fc.array(stepArb, { maxLength: 60 }), (steps) => {
      const { map, adds } = filled(steps);
      for (const [key, extent] of map.since(10) ?? []) {
        expect(adds.some((added) => added.key === key && added.extent === extent)).toBe(true);
      }
    }),
  );
});

test('what is long past is told together, what is recent by itself', () => {
  const map = new DirtyMap(0);
  const count = 4096;
  for (let seq = 1; seq <= count; seq += 1) {
    map.add(seq, `file ${seq}`, 'tree');
    map.beginGeneration();
  }
  for (let age = 1; age < count; age *= 2) {
    const told = map.since(count - age)?.size ?? 0;
    expect(told).toBeGreaterThanOrEqual(age);
    expect(told).toBeLessThanOrEqual(3 * age);
  }
});

test('what is too much is forgotten, the oldest first', () => {
  const map = new DirtyMap(0, 10);
  for (let seq = 1; seq <= 25; seq += 1) {
    map.add(seq, `file ${seq}`, 'tree');
    if (seq % 5 === 0) map.beginGeneration();
  }
  expect(map.since(0)).toBeUndefined();
  expect([...(map.since(22)?.keys() ?? [])]).toContain('file 23');
  // More at once than there is room for: only what comes behind it is known.
  const full = new DirtyMap(0, 3);
  for (let seq = 1; seq <= 4; seq += 1) full.add(seq, `file ${seq}`, 'tree');
  expect(full.since(3)).toBeUndefined();
  expect(full.since(4)?.size).toBe(0);
});

test('below a tree nothing more is noted, beside it is', () => {
  const map = new DirtyMap(0);
  map.add(1, 'a', 'self');
  map.add(2, 'a/b', 'tree');
  map.add(3, 'a', 'tree');
  map.add(4, 'a/c', 'tree');
  map.add(5, 'a', 'self');
  map.add(6, 'ab', 'self');
  expect([...(map.since(0) ?? [])]).toEqual([
    ['a', 'tree'],
    ['a/b', 'tree'],
    ['ab', 'self'],
  ]);
});
