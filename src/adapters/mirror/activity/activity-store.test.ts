import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Epoch } from '../../../protocol/ids.ts';
import type { Checkpoint } from '../../../protocol/mirror-frames.ts';
import { createLog } from '../../log.ts';
import { ActivityLog } from './activity-log.ts';
import { ActivityStore, activityPath } from './activity-store.ts';

const log = createLog({ name: 'test', level: 'silent' });
const base: Checkpoint = { epoch: 1 as Epoch, session: 's1', seq: 50 };

let parent: string;
let directory: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tako-activity-'));
  directory = join(parent, 'm.activity');
});
afterEach(() => rmSync(parent, { recursive: true }));

function storeOf(identity = 'here'): ActivityStore {
  return new ActivityStore({ directory, identity, log });
}

/** One run of this node as the primary, in which those paths are changed. */
function run(epoch: number, first: number, paths: readonly string[], at = storeOf()): ActivityLog {
  const { generation, known, isFirst } = at.begin();
  const head = {
    epoch: epoch as Epoch,
    session: `s${epoch}`,
    first,
    directory: at.identity,
    base: isFirst ? base : known?.base,
  };
  const activity = new ActivityLog({
    generation,
    pathOf: (number) => activityPath(directory, number),
    head,
    log,
    refuses: () => undefined,
  });
  activity.stored();
  for (const path of paths) activity.entry(Buffer.from(path));
  return activity;
}

test('goes on from run to run, with where it all began', () => {
  run(2, 100, ['a/x']).close();
  run(3, 7, ['b/x', 'b/y']).close();
  expect(storeOf().current()).toEqual({
    segments: [
      { epoch: 2, session: 's2', first: 100 },
      { epoch: 3, session: 's3', first: 7 },
    ],
    base,
    regions: new Map([
      ['a', 'region'],
      ['b', 'region'],
    ]),
  });
});

test('a new generation has what is in use, and the former ones can go', async () => {
  const activity = run(2, 100, ['a/x', 'b/x']);
  expect(activity.roll(120)).toBe(2);
  activity.entry(Buffer.from('b/z'));
  expect(activity.roll(140)).toBe(3);
  activity.entry(Buffer.from('c/x'));
  expect(activity.stored()).toBe(3);
  activity.close();
  expect(storeOf().current()).toMatchObject({ segments: [{ first: 100 }], base });
  await storeOf().forgetBefore(3);
  expect(readdirSync(directory)).toEqual(['3.log']);
  const known = storeOf().current();
  expect(known).toMatchObject({ segments: [{ epoch: 2, first: 140 }], base: undefined });
  expect([...(known?.regions.keys() ?? [])].toSorted()).toEqual(['b', 'c']);
});

test('as long as nothing notes that what came before is stored, anything may be missing', () => {
  const activity = run(2, 100, ['a/x']);
  activity.roll(120);
  activity.close();
  // The note is in the first file, and that is gone.
  rmSync(activityPath(directory, 1));
  expect(storeOf().current()).toMatchObject({
    segments: [{ first: 120 }],
    regions: new Map([['', 'tree']]),
  });
});

test('behind a gap or a damaged file only the newer ones count', () => {
  const activity = run(2, 100, ['a/x']);
  for (const first of [120, 140, 160]) activity.roll(first);
  activity.close();
  spoil(2);
  expect(storeOf().current()?.segments).toMatchObject([{ first: 140 }]);
  rmSync(activityPath(directory, 3));
  expect(storeOf().current()?.segments).toMatchObject([{ first: 160 }]);
});

test('without the newest one nothing is known, and the next run begins anew', () => {
  const activity = run(2, 100, ['a/x']);
  activity.roll(120);
  activity.close();
  spoil(2);
  expect(storeOf().current()).toBeUndefined();
  run(3, 7, ['b/x']).close();
  // What it had changed before is lost: so where it had been before that is worth nothing.
  expect(storeOf().current()).toEqual({
    segments: [{ epoch: 3, session: 's3', first: 7 }],
    base: undefined,
    regions: new Map([['b', 'region']]),
  });
});

test('what was recorded of another directory is worth nothing', () => {
  run(2, 100, ['a/x'], storeOf('there')).close();
  expect(storeOf().current()).toBeUndefined();
  expect(storeOf().own()).toBeUndefined();
  expect(storeOf().exists).toBe(true);
});

test('set aside it is told to a primary, but not gone on with', () => {
  run(2, 100, ['a/x']).close();
  storeOf().setAside();
  expect(storeOf().current()).toBeUndefined();
  expect(storeOf().own()?.segments).toMatchObject([{ session: 's2' }]);
  // Once more, as after a connection that broke: what is there stays.
  storeOf().setAside();
  expect(storeOf().own()?.segments).toMatchObject([{ session: 's2' }]);
  const { known, isFirst } = storeOf().begin();
  expect([known, isFirst]).toEqual([undefined, false]);
  expect(storeOf().own()).toBeUndefined();
});

test('removed, there is nothing left, and the next run is the first', () => {
  run(2, 100, ['a/x']).close();
  storeOf().setAside();
  storeOf().remove();
  expect([storeOf().exists, storeOf().own()]).toEqual([false, undefined]);
  expect(storeOf().begin().isFirst).toBe(true);
});

function spoil(generation: number): void {
  const path = activityPath(directory, generation);
  const bytes = readFileSync(path);
  bytes[30] = 0;
  writeFileSync(path, bytes);
}
