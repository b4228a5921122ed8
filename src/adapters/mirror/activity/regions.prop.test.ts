import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DirtyExtent } from '../../../protocol/dirty-paths.ts';
import { type Region, Regions } from './regions.ts';

const SMALL = 100;
const names = fc.constantFrom('a', 'b', 'c');
const key = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const change = fc.oneof(
  fc.record({ what: fc.constant('entry' as const), key }),
  fc.record({ what: fc.constant('tree' as const), key }),
  fc.record({ what: fc.constant('mkdir' as const), key }),
  fc.record({ what: fc.constant('content' as const), key, size: fc.nat(2 * SMALL) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function parentsOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.map((_, at) => parts.slice(0, at).join('/'));
}

/** What the extents mean, word by word, as `protocol/dirty-paths.ts` has it. */
function isCovered(extents: ReadonlyMap<string, DirtyExtent>, made: Change): boolean {
  const above = parentsOf(made.key);
  if ([...above, made.key].some((path) => extents.get(path) === 'tree')) return true;
  if (made.what === 'tree' || (made.what === 'content' && made.size >= SMALL)) return false;
  return extents.get(above.at(-1) ?? '') === 'region';
}

function neededFor(regions: Regions, made: Change): Region | undefined {
  if (made.what === 'content') return regions.forContent(made.key, made.size);
  if (made.what === 'tree') return regions.forTree(made.key);
  return regions.forEntry(made.key);
}

test('what is added covers the change, and nothing is asked for that is covered', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60 }),
      fc.integer({ min: 1, max: 8 }),
      (all, limit) => {
        const regions = new Regions(new Map(), { limit, smallFileBytes: SMALL });
        for (const made of all) {
          const covered = isCovered(regions.all, made);
          const needed = neededFor(regions, made);
          expect(needed === undefined).toBe(covered);
          if (needed !== undefined) regions.add(needed);
          expect(isCovered(regions.all, made)).toBe(true);
          if (made.what === 'mkdir') regions.directoryMade(made.key);
        }
        expect(regions.all.size).toBeLessThanOrEqual(limit + 1);
      },
    ),
  );
});

test('what is carried over was used, and covers the same', () => {
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 30 }),
      fc.array(change, { maxLength: 5 }),
      (all, again) => {
        const before = new Regions(new Map(), { smallFileBytes: SMALL });
        for (const made of all) {
          const needed = neededFor(before, made);
          if (needed !== undefined) before.add(needed);
        }
        const next = new Regions(before.inUse(1000), { smallFileBytes: SMALL });
        for (const made of all) expect(neededFor(next, made)).toBeUndefined();
        const idle = new Regions(before.inUse(1000), { smallFileBytes: SMALL });
        for (const made of again) {
          const needed = neededFor(idle, made);
          if (needed !== undefined) idle.add(needed);
        }
        const carried = idle.inUse(1000);
        for (const made of again) expect(isCovered(carried, made)).toBe(true);
        expect(carried.size).toBeLessThanOrEqual(again.length);
      },
    ),
  );
});

test('unpacking an archive costs one region', () => {
  const regions = new Regions();
  const needed: Region[] = [];
  const record = (region: Region | undefined): void => {
    if (region === undefined) return;
    regions.add(region);
    needed.push(region);
  };
  record(regions.forEntry('src'));
  regions.directoryMade('src');
  for (let i = 0; i < 20; i += 1) {
    record(regions.forEntry(`src/d${i}`));
    regions.directoryMade(`src/d${i}`);
    for (let j = 0; j < 20; j += 1) record(regions.forEntry(`src/d${i}/f${j}`));
  }
  expect(needed).toEqual([
    { key: '', extent: 'region' },
    { key: 'src', extent: 'tree' },
  ]);
});

test('too many are not carried over', () => {
  const regions = new Regions();
  for (let i = 0; i < 10; i += 1) regions.add({ key: `d${i}`, extent: 'region' });
  expect(regions.inUse(10).size).toBe(10);
  expect(regions.inUse(9).size).toBe(0);
});
