/** What is remembered of failures: how it adds up, how it heals, how much at most. */
import { describe, expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { ResourceId } from '../../protocol/ids.ts';
import { FAILURES_MAX, FailureCounter } from './failure-counter.ts';
import { FailureHistory, HISTORY_MAX } from './failure-history.ts';
import { RESTART_PAUSES_MS, RestartPolicy } from './restart-policy.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

describe('the count of failures', () => {
  test('heals by one for each whole healthy while, never below nothing', () => {
    const counter = new FailureCounter(2 * MINUTE);
    for (let at = 0; at < 3; at += 1) counter.failed(instant(at));
    counter.healthy(instant(1000));
    const after = (ms: number): number => counter.count(instant(1000 + ms));
    expect([after(0), after(2 * MINUTE - 1), after(2 * MINUTE), after(5 * MINUTE)]).toEqual([
      3, 3, 2, 1,
    ]);
    expect(after(DAY)).toBe(0);
  });

  test('a failure ends the healthy while, and what had healed stays healed', () => {
    const counter = new FailureCounter(MINUTE);
    for (let at = 0; at < 3; at += 1) counter.failed(instant(at));
    counter.healthy(instant(0));
    counter.failed(instant(MINUTE + 30_000));
    expect(counter.count(instant(DAY))).toBe(3);
    counter.healthy(instant(DAY));
    expect(counter.count(instant(DAY + MINUTE - 1))).toBe(3);
    expect(counter.count(instant(DAY + MINUTE))).toBe(2);
  });

  test('a short window does not heal faster than a minute', () => {
    const counter = new FailureCounter(1);
    counter.failed(instant(0));
    counter.healthy(instant(0));
    expect(counter.count(instant(MINUTE - 1))).toBe(1);
  });

  test('has an end, so that it can heal', () => {
    const counter = new FailureCounter(MINUTE);
    for (let at = 0; at < 1000; at += 1) counter.failed(instant(at));
    expect(counter.count(instant(1000))).toBe(FAILURES_MAX);
  });
});

describe('the latest failures', () => {
  const failure = (at: number) => {
    const resource = 'r' as ResourceId;
    return { at: instant(at), resource, reason: `at ${at}`, then: 'restart' as const };
  };

  test('are those within the window that ends now, oldest first', () => {
    const history = new FailureHistory();
    for (const at of [0, 1000, 2000]) history.add(failure(at));
    const within = (ms: number) => history.within(ms, instant(2500)).map(({ at }) => at);
    expect([within(10_000), within(1501), within(1500), within(1)]).toEqual([
      [0, 1000, 2000],
      [1000, 2000],
      [2000],
      [],
    ]);
  });

  test('are bounded in number and age', () => {
    const history = new FailureHistory();
    for (let at = 0; at < 1000; at += 1) history.add(failure(at));
    const kept = history.within(DAY, instant(1000));
    expect([kept.length, kept.at(-1)?.at]).toEqual([HISTORY_MAX, 999]);
    history.add(failure(2 * DAY));
    expect(history.within(10 * DAY, instant(2 * DAY))).toHaveLength(1);
  });
});

describe('restarts', () => {
  test('wait longer each time, and the last pause goes on', () => {
    const policy = new RestartPolicy({ limit: 9, windowMs: MINUTE });
    const pauses = Array.from({ length: 10 }, (_, at) => policy.tryRestart(instant(at)));
    const last = RESTART_PAUSES_MS.at(-1);
    expect(pauses).toEqual([...RESTART_PAUSES_MS, last, last, undefined]);
    expect(policy.count(instant(10))).toBe(9);
    expect(policy.tryRestart(instant(MINUTE))).toBe(last);
    policy.reset();
    expect(policy.tryRestart(instant(MINUTE))).toBe(0);
  });

  test('none at all, where the limit is none', () => {
    expect(new RestartPolicy({ limit: 0, windowMs: 1 }).tryRestart(instant(0))).toBeUndefined();
  });
});
