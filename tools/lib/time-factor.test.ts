import { expect, test } from 'vitest';
import { timeFactor } from './time-factor.ts';

test('is 1 when nothing is said', () => {
  expect(timeFactor({})).toBe(1);
  expect(timeFactor({ TAKO_TIME_FACTOR: '' })).toBe(1);
});

test('takes fractions and multiples', () => {
  expect(timeFactor({ TAKO_TIME_FACTOR: '2.5' })).toBe(2.5);
});

test.each(['0', '-1', 'fast', '1e9', 'NaN'])('refuses %s', (text) => {
  expect(() => timeFactor({ TAKO_TIME_FACTOR: text })).toThrow('expected a number above 0');
});
