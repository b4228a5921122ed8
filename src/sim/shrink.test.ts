/** Lists are made as small as the property allows. */
import { expect, test } from 'vitest';
import { shrinkList } from './shrink.ts';

const numbers = Array.from({ length: 40 }, (_, index) => index);

test('what the property needs is left, in its order', () => {
  const needed = [3, 17, 18, 39];
  const keeps = (list: readonly number[]): boolean => needed.every((n) => list.includes(n));
  expect(shrinkList(numbers, keeps, 1000)).toEqual(needed);
});

test('nothing is left of a list that is not needed', () => {
  expect(shrinkList(numbers, () => true, 1000)).toEqual([]);
});

test('the number of tries is bounded', () => {
  let tries = 0;
  const keeps = (): boolean => {
    tries += 1;
    return false;
  };
  expect(shrinkList(numbers, keeps, 7)).toEqual(numbers);
  expect(tries).toBe(7);
});
