/** Every state that a crash can leave, byte by byte, and every single damaged byte. */
import { describe, expect, it } from 'vitest';
import { type Put, encodeCommit, encodeFile, scanFile } from './record-log-format.ts';
import { judgeFiles } from './record-log-recovery.ts';

const head = (generation: number, id = 'one') => ({ generation, id });
const before = Buffer.concat([
  encodeFile(head(7), [['a', { n: 1 }]]),
  encodeCommit(2, [['b', { n: 2, pad: 'x'.repeat(300) }]]),
]);
const lastPuts: Put[] = [
  ['a', { n: 3, pad: 'y'.repeat(700) }],
  ['c', { n: 4, text: '章魚' }],
];
const last = encodeCommit(3, lastPuts);
const whole = Buffer.concat([before, last]);

/** Number of commits recovered, or why not. */
function recover(a: Buffer | undefined, b: Buffer | undefined): number | string {
  const verdict = judgeFiles([a, b].map((bytes) => bytes && scanFile(bytes)));
  if (verdict.type === 'use') return verdict.file.commits.length;
  if (verdict.type === 'newer') return `of version ${verdict.version}`;
  return verdict.type === 'new' ? 0 : verdict.reason;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

/** As a crash leaves an append of which only some sectors reached the disk. */
function withSectors(reached: (sector: number) => boolean): Buffer {
  const copy = Buffer.from(whole);
  for (let at = before.length; at < copy.length; at += 1) {
    if (!reached(Math.floor(at / 512))) copy[at] = 0;
  }
  return copy;
}

describe('after a crash', () => {
  it('the two files are read as they were written', () => {
    expect(scanFile(whole)).toMatchObject({ generation: 7, end: 'whole' });
    expect(scanFile(whole).commits[2]).toEqual(lastPuts);
    expect(recover(undefined, undefined)).toBe(0);
  });

  it('a last frame torn at any byte in both files is cut off', () => {
    for (let cutA = 0; cutA < last.length; cutA += 1) {
      const a = whole.subarray(0, before.length + cutA);
      for (const cutB of [0, 1, 11, 12, 13, cutA, last.length - 1]) {
        expect(recover(a, whole.subarray(0, before.length + cutB))).toBe(2);
      }
    }
  });

  it('a last frame torn at any byte in one file is taken from the other', () => {
    for (let cut = 0; cut < last.length; cut += 1) {
      const torn = whole.subarray(0, before.length + cut);
      expect(recover(torn, whole)).toBe(3);
      expect(recover(whole, torn)).toBe(3);
    }
  });

  it('any mixture of written and unwritten sectors is told from damage', () => {
    const first = Math.floor(before.length / 512);
    const count = Math.floor((whole.length - 1) / 512) - first + 1;
    expect(count).toBeGreaterThan(2);
    for (let mask = 0; mask < 2 ** count - 1; mask += 1) {
      const torn = withSectors((sector) => (mask & (1 << (sector - first))) !== 0);
      expect(scanFile(torn).end).toBe('torn');
      expect(recover(torn, before)).toBe(2);
      expect(recover(torn, torn)).toBe(2);
      expect(recover(torn, whole)).toBe(3);
    }
  });

  it('between two renames the new generation counts', () => {
    const next = encodeFile(head(8), [['a', { n: 9 }]]);
    expect(recover(next, whole)).toBe(1);
    expect(recover(whole, next)).toBe(1);
  });
});

describe('after damage', () => {
  it('one bad byte anywhere in one file costs nothing', () => {
    for (let at = 0; at < whole.length; at += 1) {
      expect(recover(flipped(whole, at), whole)).toBe(3);
      expect(recover(whole, flipped(whole, at))).toBe(3);
    }
    expect(recover(whole, undefined)).toBe(3);
    expect(recover(whole, Buffer.alloc(0))).toBe(3);
  });

  it('one bad byte in both files is refused, also within the last frame', () => {
    for (let at = 0; at < whole.length; at += 1) {
      const both = flipped(whole, at);
      // In the last frame's head a flipped bit can make a sector of few bytes look unwritten, but
      // not here: no sector begins there.
      expect(recover(both, both)).toMatch(/checksum|does not begin/);
    }
  });

  it('files of two stores are refused', () => {
    expect(recover(whole, encodeFile(head(8, 'other'), []))).toMatch(/not of the same store/);
  });

  it('a bad frame without a witness is refused', () => {
    for (let cut = 1; cut < last.length; cut += 1) {
      const torn = whole.subarray(0, before.length + cut);
      expect(recover(torn, undefined)).toMatch(/file ends within|checksum/);
      expect(recover(torn, encodeFile(head(6), []))).toMatch(/file ends within|checksum/);
    }
    expect(recover(flipped(whole, before.length + 40), flipped(whole, 60))).toMatch(/checksum/);
  });

  it('frames that were lost, swapped or repeated are refused', () => {
    const lost = Buffer.concat([before, encodeCommit(4, lastPuts)]);
    expect(recover(lost, lost)).toMatch(/not the one that comes next/);
    const repeated = Buffer.concat([whole, last]);
    expect(recover(repeated, repeated)).toMatch(/not the one that comes next/);
    expect(recover(Buffer.alloc(4096), Buffer.alloc(4096))).toMatch(/does not begin/);
  });
});
