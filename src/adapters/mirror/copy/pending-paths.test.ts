import { describe, expect, it } from 'vitest';
import { PendingPaths } from './pending-paths.ts';

describe('pending paths', () => {
  it('has everything pending in the first round, then what was marked', () => {
    const pending = new PendingPaths();
    expect(pending.touches('a/b', false)).toBe(true);
    pending.mark('a/b');
    pending.mark('a/b/c');
    expect(pending.nextRound()).toEqual(['a/b']);
    expect(pending.touches('a/b/x', false)).toBe(true);
    expect(pending.touches('a', false)).toBe(false);
    expect(pending.touches('a', true)).toBe(true);
    expect(pending.touches('a/bc', true)).toBe(false);
    expect(pending.nextRound()).toEqual([]);
    expect(pending.touches('a/b', true)).toBe(false);
  });

  it('forgets what was compared, and what a live change made anew', () => {
    const pending = new PendingPaths();
    for (const key of ['a', 'b', 'c']) pending.mark(key);
    pending.nextRound();
    pending.done('a');
    pending.clear('b');
    expect(['a', 'b', 'c'].map((key) => pending.touches(key, false))).toEqual([false, false, true]);
  });

  it('keeps what is marked in one round although its name was compared in it', () => {
    const pending = new PendingPaths();
    pending.mark('a');
    pending.nextRound();
    pending.mark('a');
    pending.done('a');
    expect(pending.nextRound()).toEqual(['a']);
  });

  it('replaces marks by their directories beyond the bound, deepest first, losing none', () => {
    const pending = new PendingPaths(10);
    const marks = Array.from({ length: 100 }, (_, i) => `d${i % 4}/e${i % 3}/f${i}`);
    for (const key of [...marks, 'z']) pending.mark(key);
    expect(pending.size).toBeLessThanOrEqual(10);
    pending.nextRound();
    for (const key of [...marks, 'z']) expect(pending.touches(key, false)).toBe(true);
  });
});
