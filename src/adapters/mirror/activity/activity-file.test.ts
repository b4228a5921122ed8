import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DirtyExtent } from '../../../protocol/dirty-paths.ts';
import type { Epoch } from '../../../protocol/ids.ts';
import { ActivityFile, readActivityFile } from './activity-file.ts';

const EPOCH = 3 as Epoch;
const head = {
  epoch: EPOCH,
  session: 's3',
  first: 7,
  directory: 'inode 1 made 2',
  base: { epoch: 2 as Epoch, session: 's2', seq: 5 },
};
const carried = new Map<string, DirtyExtent>([
  ['', 'region'],
  ['e\xff/f g', 'tree'],
]);

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tako-activity-'));
  path = join(directory, '1.log');
});
afterEach(() => rmSync(directory, { recursive: true }));

function written(count: number, key = (at: number) => `d${at}/"{}`): Buffer {
  const file = new ActivityFile(path, head, carried);
  for (let i = 0; i < count; i += 1) file.append({ key: key(i), extent: 'region' });
  file.close();
  return readFileSync(path);
}

test('has the head, what was carried over, and each region', () => {
  // More than the zeros that lie ahead.
  const long = 'x'.repeat(1000);
  expect(written(200, (at) => `${long}/${at}`).length).toBeGreaterThan(200_000);
  const read = readActivityFile(path);
  expect(read?.head).toEqual(head);
  expect(read?.regions.size).toBe(202);
  expect(read?.regions.get('e\xff/f g')).toBe('tree');
  expect(read?.regions.get(`${long}/199`)).toBe('region');
});

test('a commit that was torn anywhere is left out, and nothing else', () => {
  const [before, after] = [written(3), written(4)];
  const from = before.findIndex((byte, at) => byte !== after[at]);
  const to = after.findLastIndex((byte) => byte !== 0) + 1;
  expect(to - from).toBeGreaterThan(20);
  for (let cut = from; cut < to; cut += 1) {
    // Behind the cut, the disk still has the zeros that lay ahead.
    writeFileSync(path, Buffer.concat([after.subarray(0, cut), Buffer.alloc(after.length - cut)]));
    expect(readActivityFile(path)?.regions.size, `cut at ${cut}`).toBe(5);
  }
});

test('a file that was damaged before its last commit is not relied on', () => {
  const whole = written(4);
  const end = written(3).findLastIndex((byte) => byte !== 0);
  for (let at = 0; at <= end; at += 1) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    writeFileSync(path, bytes);
    const read = readActivityFile(path);
    expect(read?.regions.size ?? 'not relied on', `byte ${at}`).toBe('not relied on');
  }
});
