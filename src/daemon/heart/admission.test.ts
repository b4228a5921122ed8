import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import { Admission } from './admission.ts';

function admitted(admission: Admission, fromMs: number, perMs: number, ms: number): number {
  let count = 0;
  for (let at = 0; at < ms; at += 1) {
    for (let i = 0; i < perMs; i += 1) if (admission.take(instant(fromMs + at))) count += 1;
  }
  return count;
}

test('a flood gets the rate, once a burst of a second is used up', () => {
  const admission = new Admission(1000);
  expect(admitted(admission, 5000, 100, 1000)).toBe(1999);
  expect(admitted(admission, 6000, 100, 1000)).toBe(1000);
});

test('what stays below the rate is never dropped, and a pause saves no more than a burst', () => {
  const admission = new Admission(1000);
  expect(admitted(admission, 0, 1, 10_000)).toBe(10_000);
  expect(admitted(admission, 3_600_000, 5000, 1)).toBe(1000);
});
