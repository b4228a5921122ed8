import { describe, expect, it } from 'vitest';
import type { TakoEvent } from '../../src/protocol/event.ts';
import { suspends } from './suspends.ts';

const event = (ms: number, kind: string): TakoEvent =>
  ({ time: new Date(ms).toISOString(), kind }) as TakoEvent;

describe('suspends', () => {
  it('counts and measures', () => {
    const events = [event(0, 'suspended'), event(300, 'resumed'), event(900, 'suspended')];
    expect(suspends([...events, event(1000, 'resumed')])).toEqual({ count: 2, longestMs: 300 });
  });

  it('sees one that does not end', () => {
    expect(suspends([event(0, 'suspended'), event(5000, 'failover')]).longestMs).toBe(5000);
    expect(suspends([])).toEqual({ count: 0, longestMs: 0 });
  });
});
