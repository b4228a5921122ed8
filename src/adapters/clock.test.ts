import koffi from 'koffi';
import { expect, it } from 'vitest';
import { systemClock } from './clock.ts';

const CLOCK_MONOTONIC = 1;

it('reads CLOCK_MONOTONIC in milliseconds and never goes back', () => {
  const clockGettime = koffi.load('libc.so.6').func('int clock_gettime(int, _Out_ int64_t *)');
  const before = systemClock.now();
  const time = new BigInt64Array(2);
  expect(clockGettime(CLOCK_MONOTONIC, time)).toBe(0);
  const kernel = Number(time[0]) * 1000 + Number(time[1]) / 1e6;
  const after = systemClock.now();
  expect(kernel).toBeGreaterThanOrEqual(before);
  expect(kernel).toBeLessThanOrEqual(after);
});

it('gives wall-clock time in UTC', () => {
  expect(systemClock.wallTime()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
