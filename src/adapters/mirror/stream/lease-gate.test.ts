import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { instant } from '../../../base/time.ts';
import type { Epoch } from '../../../protocol/ids.ts';
import { encodeLeaseMark } from '../../../protocol/lease-mark.ts';
import { LeaseGate } from './lease-gate.ts';

let directory: string;
let path: string;
let gate: LeaseGate;
let slept = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tako-lease-'));
  path = join(directory, 'g');
  slept = 40;
  gate = new LeaseGate({ path, epoch: 3 as Epoch }, () => slept);
});

afterEach(() => {
  gate.close();
  rmSync(directory, { recursive: true });
});

function mark(epoch: number, until: number): Uint8Array {
  return encodeLeaseMark({ epoch: epoch as Epoch, validUntil: instant(until), sleptMs: slept });
}

describe('lease gate', () => {
  test('no file, no lease; the file may come later', () => {
    expect(gate.valid(instant(0))).toBe(false);
    writeFileSync(path, mark(3, 500));
    expect(gate.valid(instant(200))).toBe(true);
    expect(gate.valid(instant(499))).toBe(true);
    expect(gate.valid(instant(500))).toBe(false);
  });

  test('a renewal in place is seen when the mark that was read has run out', () => {
    writeFileSync(path, mark(3, 100));
    expect(gate.valid(instant(50))).toBe(true);
    writeFileSync(path, mark(3, 300), { flag: 'r+' });
    expect(gate.valid(instant(150))).toBe(true);
    expect(gate.valid(instant(300))).toBe(false);
    writeFileSync(path, mark(3, 900), { flag: 'r+' });
    expect(gate.valid(instant(310))).toBe(true);
  });

  test('a file that took the place of the first is found', () => {
    writeFileSync(path, mark(3, 100));
    expect(gate.valid(instant(50))).toBe(true);
    writeFileSync(`${path}.new`, mark(3, 900));
    renameSync(`${path}.new`, path);
    expect(gate.valid(instant(200))).toBe(true);
  });

  test('a mark from before the machine slept is void, read before or after it', () => {
    writeFileSync(path, mark(3, 900));
    expect(gate.valid(instant(100))).toBe(true);
    slept += 3000;
    expect(gate.valid(instant(101))).toBe(false);
    expect(gate.valid(instant(200))).toBe(false);
    writeFileSync(path, mark(3, 900), { flag: 'r+' });
    expect(gate.valid(instant(300))).toBe(true);
  });

  test('another epoch, a torn or a short mark is no lease', () => {
    writeFileSync(path, mark(4, 900));
    expect(gate.valid(instant(100))).toBe(false);
    writeFileSync(path, mark(3, 900).subarray(0, 20));
    expect(gate.valid(instant(300))).toBe(false);
    const torn = mark(3, 900);
    torn[30] = (torn[30] ?? 0) ^ 1;
    writeFileSync(path, torn);
    expect(gate.valid(instant(500))).toBe(false);
  });
});
