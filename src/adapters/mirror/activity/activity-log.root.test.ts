/** The activity log on a file system that gets full. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Epoch } from '../../../protocol/ids.ts';
import { createLog } from '../../log.ts';
import { ActivityLog } from './activity-log.ts';
import { ActivityStore, activityPath } from './activity-store.ts';

const log = createLog({ name: 'test', level: 'silent' });
const CHANGES_MAX = 3000;

let disk: string;
let refused: boolean[];
let activity: ActivityLog;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'tako-activity-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tako-test', disk]);
  refused = [];
  new ActivityStore({ directory: join(disk, 'm'), identity: 'here', log }).begin();
  activity = new ActivityLog({
    generation: 1,
    pathOf: (generation) => activityPath(join(disk, 'm'), generation),
    head: { epoch: 1 as Epoch, session: 's', first: 5, directory: 'here' },
    log,
    refuses: (refuses) => refused.push(refuses),
  });
  activity.stored();
});
afterEach(() => {
  activity.close();
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

/** A change somewhere that is in no region yet. */
function change(at: number): number {
  return activity.entry(Buffer.from(`${'directory'.repeat(10)}${at}/x`));
}

function recorded(): readonly string[] {
  const known = new ActivityStore({ directory: join(disk, 'm'), identity: 'here', log }).current();
  return [...(known?.regions.keys() ?? [])];
}

test('refuses what it cannot record, and goes on when there is room again', () => {
  let made = 0;
  while (made < CHANGES_MAX && change(made) === 0) made += 1;
  expect(made).toBeGreaterThan(100);
  expect(made).toBeLessThan(CHANGES_MAX);
  expect(refused).toEqual([true]);
  // The last one may be there although the zeros behind it found no room.
  expect(recorded().length - made).toBeOneOf([0, 1]);
  // What is in a region that was recorded may be changed.
  expect(change(0)).toBe(0);
  expect(change(made)).toBeLessThan(0);
  execFileSync('mount', ['-o', 'remount,size=4m', disk]);
  expect(change(made)).toBe(0);
  expect(refused).toEqual([true, false]);
  expect(recorded()).toHaveLength(made + 1);
});

test('without room for a new file it goes on in the old one', () => {
  expect(change(0)).toBe(0);
  writeFileSync(join(disk, 'fill'), new Uint8Array(0));
  expect(() => writeFileSync(join(disk, 'fill'), new Uint8Array(1024 * 1024))).toThrow('ENOSPC');
  expect(activity.roll(9)).toBeUndefined();
  rmSync(join(disk, 'fill'));
  expect(change(1)).toBe(0);
  expect(recorded()).toHaveLength(2);
  expect(activity.roll(9)).toBe(2);
});
