import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closest } from './config-finding.ts';
import {
  formatDuration,
  isPlainAbsolutePath,
  isWithin,
  parseAddress,
  parseAddressWithPrefix,
  parseDuration,
  parseRestarts,
} from './config-words.ts';

describe('durations', () => {
  test.each([
    ['300ms', 300],
    ['1s', 1000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['0ms', 0],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each(['', '1', 's', '1.5s', '-1s', '1 s', '1S', '1d', '1s '])('not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('survive being written and read', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 9 - 1), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

test.each([
  ['3 within 60s', { limit: 3, windowMs: 60_000 }],
  ['0 within 1m', { limit: 0, windowMs: 60_000 }],
  ['never', { limit: 0, windowMs: 1 }],
  ['3 within 0s', undefined],
  ['3', undefined],
  ['three within 1m', undefined],
])('restarts: %s', (text, expected) => expect(parseRestarts(text)).toEqual(expected));

describe('addresses', () => {
  test.each([
    ['10.77.0.1', '10.77.0.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['FE80:0:0:0:0:0:0:1', 'fe80::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['1::', '1::'],
    ['10.77.0.01', undefined],
    ['10.77.0', undefined],
    ['10.77.0.256', undefined],
    ['1::2::3', undefined],
    [':1', undefined],
    ['1:2:3:4:5:6:7', undefined],
    ['1:2:3:4:5:6:7:8:9', undefined],
    ['1:2:3:4::5:6:7:8', undefined],
    ['fe80::1%eth0', undefined],
    ['10.0.0.1::1', undefined],
  ])('%s', (text, canonical) => expect(parseAddress(text)?.canonical).toBe(canonical));

  test('are those that the system knows, and have one canonical form', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...'0123456789af:.'.split('')), maxLength: 24 }),
    );
    fc.assert(
      fc.property(text, (word) => {
        const parsed = parseAddress(word);
        expect(parsed?.family ?? 0).toBe(isIP(word));
        const canonical = parsed?.canonical ?? '::';
        expect(parseAddress(canonical)?.canonical).toBe(canonical);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['10.0.0.1/24', 24],
    ['fd00::1/128', 128],
    ['10.0.0.1/0', undefined],
    ['10.0.0.1/33', undefined],
    ['fd00::1/129', undefined],
    ['10.0.0.1', undefined],
    ['10.0.0.1/', undefined],
    ['10.0.0.1/2/4', undefined],
  ])('%s', (text, length) => expect(parseAddressWithPrefix(text)?.prefixLength).toBe(length));
});

test('paths', () => {
  for (const good of ['/', '/srv', '/srv/a b', '/srv/..a'])
    expect(isPlainAbsolutePath(good)).toBe(true);
  for (const bad of ['', 'srv', '/srv/', '//srv', '/srv/../x', '/srv/./x', '/a\nb', '/a\0']) {
    expect(isPlainAbsolutePath(bad), bad).toBe(false);
  }
  expect(isWithin('/srv/a', '/srv')).toBe(true);
  expect(isWithin('/srv', '/srv')).toBe(true);
  expect(isWithin('/srvx', '/srv')).toBe(false);
  expect(isWithin('/srv', '/')).toBe(true);
});

test.each([
  ['lna', ['lan', 'mirror'], 'lan'],
  ['comand', ['command', 'user'], 'command'],
  ['linkz', ['links', 'nodes'], 'links'],
  ['n3', ['n1', 'n2'], undefined],
  ['elephant', ['links'], undefined],
])('did you mean: %s', (word, candidates, expected) => {
  expect(closest(word, candidates)).toBe(expected);
});
