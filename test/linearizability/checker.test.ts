/** Small histories, each made by hand for one thing that must or must not be possible. */
import { describe, expect, test } from 'vitest';
import { type Operation, check } from './checker.ts';

type Value = string;

const register = { initial: 'a', keyOf: (value: Value) => value };

function reads(value: Value, began: number, ended: number): Operation<Value> {
  const apply = (now: Value): Value | undefined => (now === value ? now : undefined);
  return { name: `reads ${value}`, began, ended, apply };
}

/** Compare and set, successful, or of unknown outcome without an end. */
function sets(from: Value, to: Value, began: number, ended?: number): Operation<Value> {
  const apply = (now: Value): Value | undefined => (now === from ? to : undefined);
  return { name: `sets ${from} to ${to}`, began, ended, apply, makes: to, alike: `${from} ${to}` };
}

function glimpses(value: Value, began: number, ended: number): Operation<Value> {
  return { ...reads(value, began, ended), glimpsed: value };
}

describe('histories that one order explains', () => {
  test.each<[string, Operation<Value>[]]>([
    ['none at all', []],
    ['one after the other', [sets('a', 'b', 0, 1), reads('b', 2, 3), sets('b', 'a', 4, 5)]],
    ['a reading beside a change, before it', [sets('a', 'b', 0, 5), reads('a', 1, 2)]],
    ['and after it', [sets('a', 'b', 0, 5), reads('b', 1, 2)]],
    ['in the order of effect, not of beginning', [sets('b', 'c', 0, 9), sets('a', 'b', 1, 9)]],
    [
      'an end and a beginning at the same time are beside each other',
      [sets('a', 'b', 0, 1), reads('a', 1, 2)],
    ],
    [
      'an unknown outcome that took effect late',
      [sets('a', 'b', 0), reads('a', 5, 6), reads('b', 7, 8)],
    ],
    [
      'an unknown outcome that never did',
      [sets('a', 'b', 0), reads('a', 5, 6), sets('a', 'c', 7, 8)],
    ],
    ['one of two alike', [sets('a', 'b', 0), sets('a', 'b', 1), reads('b', 2, 3)]],
    [
      'both of two alike',
      [
        sets('a', 'b', 0),
        sets('a', 'b', 1),
        reads('b', 2, 3),
        sets('b', 'a', 4, 5),
        reads('b', 6, 7),
      ],
    ],
    [
      'a glimpse of what never took effect',
      [sets('a', 'b', 0), glimpses('b', 1, 2), reads('a', 3, 4)],
    ],
    [
      'a glimpse of what did later',
      [sets('a', 'b', 0), glimpses('b', 1, 2), reads('a', 3, 4), reads('b', 5, 6)],
    ],
  ])('%s', (_what, operations) => {
    expect(check(operations, register).type).toBe('linearizable');
  });
});

describe('histories that no order explains', () => {
  test.each<[string, Operation<Value>[]]>([
    ['a value that nobody set', [reads('b', 0, 1)]],
    ['a stale reading', [sets('a', 'b', 0, 1), reads('a', 2, 3)]],
    ['a change that was lost', [sets('a', 'b', 0, 1), sets('a', 'c', 2, 3)]],
    ['two winners of one comparison', [sets('a', 'b', 0, 9), sets('a', 'c', 0, 9)]],
    ['new, then old', [sets('a', 'b', 0, 9), reads('b', 1, 2), reads('a', 3, 4)]],
    [
      'readers that disagree on the order',
      [sets('a', 'b', 0, 9), sets('a', 'c', 0, 9), reads('b', 1, 2)],
    ],
    ['an unknown outcome before its beginning', [reads('b', 0, 1), sets('a', 'b', 2)]],
    [
      'an unknown outcome twice',
      [sets('a', 'b', 0), reads('b', 2, 3), sets('b', 'a', 4, 5), reads('b', 6, 7)],
    ],
    ['a glimpse of what nobody tried', [glimpses('b', 1, 2)]],
    ['a glimpse of what was tried later', [glimpses('b', 1, 2), sets('a', 'b', 3)]],
    [
      'a glimpse of what is over',
      [sets('a', 'b', 0), reads('b', 1, 2), sets('b', 'c', 3, 4), glimpses('b', 5, 6)],
    ],
    [
      'a sure reading of what never took effect',
      [sets('a', 'b', 0), reads('b', 1, 2), reads('a', 3, 4)],
    ],
  ])('%s', (_what, operations) => {
    expect(check(operations, register).type).toBe('violated');
  });
});

test('a long history with many unknown outcomes is judged', () => {
  const operations: Operation<number>[] = [];
  for (let at = 0; at < 3000; at += 1) {
    const apply = (now: number): number | undefined => (now === at ? at + 1 : undefined);
    operations.push({ name: `step ${at}`, began: at, ended: at + 3.5, apply });
    if (at % 10 > 0) continue;
    const lost = (now: number): number | undefined => (now === at ? -1 : undefined);
    operations.push({ name: `lost ${at}`, began: at, ended: undefined, apply: lost });
  }
  const numbers = { initial: 0, keyOf: String };
  expect(check(operations, numbers).type).toBe('linearizable');
  const stale = {
    ...reads('', 2000, 2000),
    apply: (now: number) => (now < 1990 ? now : undefined),
  };
  expect(check([...operations, stale], numbers).type).toBe('violated');
});

test('a search that takes too long is given up', () => {
  const operations = Array.from({ length: 20 }, (_, at) => sets('a', `b${at}`, 0));
  expect(check([...operations, reads('c', 1, 2)], register, 5).type).toBe('undecided');
});
