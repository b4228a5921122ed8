import { expect, test } from 'vitest';
import {
  CLUSTER_PROTOCOL,
  FIRST_PROTOCOL,
  LOCAL_PROTOCOL,
  commonVersion,
  noCommonVersion,
  readRange,
  toldRange,
} from './versions.ts';

const range = (oldest: number, newest: number) => ({ oldest, newest });

test('the higher common version is used, and none where there is none', () => {
  expect(commonVersion(range(1, 2), range(2, 3))).toBe(2);
  expect(commonVersion(range(1, 3), range(1, 4))).toBe(3);
  expect(commonVersion(range(1, 1), range(2, 3))).toBeUndefined();
  expect(commonVersion(range(4, 5), range(2, 3))).toBeUndefined();
});

test('who says nothing is of the first release', () => {
  expect(readRange(undefined)).toEqual(FIRST_PROTOCOL);
  expect(toldRange(FIRST_PROTOCOL)).toBeUndefined();
  expect(readRange(toldRange(range(1, 2)))).toEqual(range(1, 2));
});

test.each([null, 1, 'x', {}, { oldest: 0, newest: 1 }, { oldest: 2, newest: 1 }, { oldest: 1 }])(
  '%j is no range',
  (said) => {
    expect(readRange(said)).toBeUndefined();
  },
);

test('this release speaks with the first one', () => {
  expect(commonVersion(CLUSTER_PROTOCOL, FIRST_PROTOCOL)).toBe(1);
  expect(commonVersion(LOCAL_PROTOCOL, FIRST_PROTOCOL)).toBe(1);
});

test('the refusal names the side that is too old', () => {
  const [a, b] = [
    { name: 'n1', speaks: range(1, 2) },
    { name: 'n2', speaks: range(3, 4) },
  ];
  const why =
    'no version of the protocol in common: n2 speaks 3 to 4, n1 speaks 1 to 2; n1 is too old';
  expect(noCommonVersion(a, b)).toEqual({
    why,
    next: 'Upgrade Tako on n1, one release at a time',
  });
  expect(noCommonVersion(b, a).why).toContain('n1 is too old');
});
