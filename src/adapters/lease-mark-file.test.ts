/** Lease marks as a mirror reads them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { instant } from '../base/time.ts';
import type { Epoch, GroupId } from '../protocol/ids.ts';
import { decodeLeaseMark, isFreshMark, LEASE_MARK_BYTES } from '../protocol/lease-mark.ts';
import { LeaseMarkFiles, readLeaseMark } from './lease-mark-file.ts';

const G = 'g' as GroupId;
const mark = (epoch: number, until: number) => ({
  epoch: epoch as Epoch,
  validUntil: instant(until),
  sleptMs: 7.5,
});
let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tako-mark-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('written in place: who has the file open sees each renewal', () => {
  const files = new LeaseMarkFiles(dir);
  const path = join(dir, 'lease', G);
  files.write(G, mark(3, 100.5));
  const inode = statSync(path).ino;
  expect(decodeLeaseMark(readFileSync(path))).toEqual(mark(3, 100.5));
  files.write(G, mark(3, 200));
  expect(decodeLeaseMark(readFileSync(path))).toEqual(mark(3, 200));
  expect(statSync(path)).toMatchObject({ ino: inode, size: LEASE_MARK_BYTES });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  files.remove();
  expect(existsSync(path)).toBe(false);
});

test('the next heart takes the file over as it is', () => {
  new LeaseMarkFiles(dir).write(G, mark(3, 100));
  const next = new LeaseMarkFiles(dir);
  next.write(G, mark(4, 300));
  expect(decodeLeaseMark(readFileSync(join(dir, 'lease', G)))).toEqual(mark(4, 300));
  next.remove();
});

test('what is missing, torn or written while the machine slept is no lease', () => {
  expect(readLeaseMark(dir, G)).toBeUndefined();
  const files = new LeaseMarkFiles(dir);
  files.write(G, mark(3, 100));
  const read = readLeaseMark(dir, G);
  expect(read).toEqual(mark(3, 100));
  if (read === undefined) throw new Error('it was read');
  expect(isFreshMark(read, instant(99), 7.5)).toBe(true);
  expect(isFreshMark(read, instant(100), 7.5)).toBe(false);
  expect(isFreshMark(read, instant(99), 40)).toBe(false);
  truncateSync(join(dir, 'lease', G), LEASE_MARK_BYTES - 1);
  expect(readLeaseMark(dir, G)).toBeUndefined();
  files.remove();
});

test('a name that is a path is never one', () => {
  const files = new LeaseMarkFiles(dir);
  expect(() => files.write('../x' as GroupId, mark(1, 1))).toThrow('file names');
});
