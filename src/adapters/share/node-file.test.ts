/** Files of a share that are torn, forged, moved or damaged. */
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { SeatId } from '../../protocol/ids.ts';
import { EMPTY_SHEET, type Sheet } from '../../protocol/share-sheet.ts';
import { emptyFile, readFileState, slotFor, slotKeys } from './node-file.ts';
import { FILE_BYTES, SLOT_BYTES, encodeSlot } from './slot-codec.ts';

const NAME = { key: Buffer.alloc(32, 7), cluster: 'c', seat: 's' as SeatId, node: 'n1' };
const KEYS = slotKeys(NAME);
const sheet = (renewals: number): Sheet => ({ ...EMPTY_SHEET, renewals });

function put(
  file: Buffer,
  slot: number,
  written: { readonly life: number; readonly sequence: number; readonly key?: Buffer },
): void {
  const key = written.key ?? must(KEYS[slot], 'a file has keys');
  const bytes = must(encodeSlot(sheet(written.sequence), written, key), 'it is small');
  bytes.copy(file, slot * SLOT_BYTES);
}

function renewals(file: Buffer): unknown {
  const { sheet: read } = readFileState('n1', file, KEYS).last;
  return (read as Sheet).renewals;
}

test('the last write of the last life counts', () => {
  const file = emptyFile(KEYS);
  expect(file.length).toBe(FILE_BYTES);
  put(file, 0, { life: 1, sequence: 8 });
  put(file, 1, { life: 1, sequence: 9 });
  expect(renewals(file)).toBe(9);
  put(file, 2, { life: 2, sequence: 1 });
  expect(renewals(file)).toBe(1);
  // Late, by a life that is over.
  put(file, 0, { life: 1, sequence: 10 });
  expect(renewals(file)).toBe(1);
});

test('of a torn slot the other one counts; of two, nothing does', () => {
  const file = emptyFile(KEYS);
  put(file, 0, { life: 1, sequence: 1 });
  put(file, 1, { life: 1, sequence: 2 });
  file.fill(1, SLOT_BYTES + 200, SLOT_BYTES + 210);
  expect(renewals(file)).toBe(1);
  file.fill(1, 40, 44);
  expect(() => renewals(file)).toThrow('damaged');
});

test('what another key, node or place has written does not count', () => {
  const file = emptyFile(KEYS);
  const [, moved] = KEYS;
  const other = must(slotKeys({ ...NAME, node: 'n2' })[0], 'a file has keys');
  const stranger = must(slotKeys({ ...NAME, key: Buffer.alloc(32, 8) })[0], 'a file has keys');
  for (const key of [must(moved, 'a file has keys'), other, stranger]) {
    put(file, 0, { life: 9, sequence: 9, key });
    expect(renewals(file)).toBe(0);
  }
});

test('what does not fit is not written', () => {
  const claims = Array.from({ length: 3000 }, (_, at) => ({
    ...{ group: `${Math.sin(at)}` as never, epoch: at as never, renewed: at },
    ...{ held: true, termMs: 303 },
  }));
  const key = must(KEYS[0], 'a file has keys');
  expect(encodeSlot({ ...EMPTY_SHEET, claims }, { life: 1, sequence: 1 }, key)).toBeUndefined();
});

test('a life begins with the slot that is not the only good one, and goes from one to the other', () => {
  const file = emptyFile(KEYS);
  put(file, 2, { life: 1, sequence: 1 });
  put(file, 3, { life: 1, sequence: 2 });
  const { newest } = readFileState('n1', file, KEYS);
  expect(newest[1]).toBe(3);
  expect([1, 2, 3].map((sequence) => slotFor(sequence, 3))).toEqual([2, 3, 2]);
  file.fill(1, 3 * SLOT_BYTES + 200, 3 * SLOT_BYTES + 210);
  expect(readFileState('n1', file, KEYS).newest[1]).toBe(2);
  expect(slotFor(1, 2)).toBe(3);
});
