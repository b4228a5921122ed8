/** One resource's lane over an agent whose every answer the test gives, in time that it makes. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { CancelSignal } from '../base/cancel-signal.ts';
import type { EngineAction } from '../core/group/engine.ts';
import type { ActionOutcome, Agent, MonitorResult } from '../ports/agent.ts';
import type { MonitorDepth } from '../protocol/config.ts';
import type { Timer } from '../ports/timer.ts';
import type { Epoch, GroupId, ResourceId } from '../protocol/ids.ts';
import { ActionLane } from './action-lane.ts';

interface Call {
  readonly what: string;
  readonly cancel: CancelSignal;
  readonly end: (answer: never) => void;
  readonly fail: (error: Error) => void;
}

const OK: ActionOutcome = { outcome: 'ok', detail: 'done' };
const WELL: MonitorResult = { state: 'online', detail: 'well' };

let calls: Call[] = [];
let timers: { at: number; run: () => void }[] = [];
let now = 0;
let lane: ActionLane;
let leased: number | undefined;

function call<T>(what: string, cancel: CancelSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    calls.push({ what, cancel, end: resolve as (answer: never) => void, fail: reject });
  });
}

const agent: Agent = {
  start: (_epoch: Epoch, cancel) => call('start', cancel),
  stop: (cancel, mode) => call(`stop ${mode}`, cancel),
  monitor: (cancel, depth) => call(`monitor ${depth}`, cancel),
  onChange: () => undefined,
};

beforeEach(() => {
  [calls, timers, now, leased] = [[], [], 0, 1];
  const after: Timer['after'] = (ms, run) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => {
      timers = timers.filter((t) => t !== timer);
    };
  };
  lane = new ActionLane(agent, { after }, (epoch) => epoch === leased);
});

/** Lets everything run that can without time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

async function pass(ms: number): Promise<void> {
  const end = now + ms;
  for (;;) {
    const next = timers.filter((t) => t.at <= end).toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) break;
    now = next.at;
    timers = timers.filter((t) => t !== next);
    next.run();
    await settle();
  }
  now = end;
}

function action(
  name: EngineAction['action'],
  over: { mode?: EngineAction['mode']; depth?: MonitorDepth; id?: number } = {},
): EngineAction {
  const resource = 'r' as ResourceId;
  const common = { type: 'action', id: 1, group: 'g' as GroupId, resource } as const;
  const how = { mode: 'orderly', depth: 'light', epoch: 1 as Epoch, timeoutMs: 5000 } as const;
  return { ...common, ...how, action: name, ...over };
}

function last(): Call {
  const found = calls.at(-1);
  if (found === undefined) throw new Error('the agent was not called');
  return found;
}

describe('a start or stop', () => {
  test('that ends in time says how', async () => {
    const result = lane.run(action('start', { id: 7 }));
    await settle();
    last().end(OK as never);
    expect(await result).toEqual({ id: 7, resource: 'r', ...OK });
    expect(timers).toEqual([]);
  });

  test('that does not is cancelled, and unknown when it does not come to rest either', async () => {
    const result = lane.run(action('stop'));
    await settle();
    await pass(5000);
    expect(last().cancel.aborted).toBe(true);
    await pass(1000);
    const detail = 'stop did not end in 5000 ms';
    expect(await result).toMatchObject({ outcome: 'unknown', detail });
  });

  test('what it says when cancelled at its limit counts', async () => {
    const result = lane.run(action('start'));
    await settle();
    await pass(5500);
    last().end({ outcome: 'unknown', detail: 'port 80 does not accept yet' } as never);
    expect(await result).toMatchObject({ detail: 'port 80 does not accept yet' });
  });

  test('a start asks for its lease when it begins, after what it waited for', async () => {
    leased = undefined;
    expect(await lane.run(action('start'))).toMatchObject({ outcome: 'withheld' });
    leased = 2;
    expect(await lane.run(action('start'))).toMatchObject({ outcome: 'withheld' });
    expect(calls).toEqual([]);

    leased = 1;
    const stopped = lane.run(action('stop'));
    await settle();
    const started = lane.run(action('start', { id: 2 }));
    leased = undefined;
    last().end(OK as never);
    expect(await started).toMatchObject({ id: 2, outcome: 'withheld' });
    await stopped;
    expect(calls.map(({ what }) => what)).toEqual(['stop orderly']);
  });

  test('that the agent throws out of has failed', async () => {
    const result = lane.run(action('start'));
    await settle();
    last().fail(new Error('no such thing'));
    expect(await result).toMatchObject({ outcome: 'failed', detail: 'no such thing' });
  });

  test('waits until the one that it overtakes has come to rest', async () => {
    const first = lane.run(action('start', { id: 1 }));
    await settle();
    const start = last();
    const second = lane.run(action('stop', { id: 2 }));
    await settle();
    expect([calls.length, start.cancel.aborted]).toEqual([1, true]);
    start.end({ outcome: 'unknown', detail: 'called off' } as never);
    await settle();
    expect(last().what).toBe('stop orderly');
    last().end(OK as never);
    expect(await first).toMatchObject({ id: 1, outcome: 'unknown' });
    expect(await second).toMatchObject({ id: 2, outcome: 'ok' });
  });

  test('does not wait for ever for what does not come to rest', async () => {
    void lane.run(action('start'));
    await settle();
    void lane.run(action('stop'));
    await pass(2000);
    expect(last().what).toBe('stop orderly');
  });
});

describe('a check', () => {
  test.each(['light', 'deep'] as const)('%s: the agent is asked so', async (depth) => {
    const seen = lane.monitor(action('monitor', { depth }));
    expect(last().what).toBe(`monitor ${depth}`);
    last().end(WELL as never);
    expect(await seen).toEqual({ resource: 'r', ...WELL });
  });

  test('that does not end, or that the agent throws out of, found no answer', async () => {
    const first = lane.monitor(action('monitor', { depth: 'deep' }));
    await pass(6000);
    const detail = 'the deep check did not end in 5000 ms';
    expect(await first).toEqual({ resource: 'r', state: 'unknown', detail });
    last().fail(new Error('too late'));
    await settle();
    const second = lane.monitor(action('monitor'));
    last().fail(new Error('cannot look'));
    expect(await second).toMatchObject({ state: 'unknown', detail: 'cannot look' });
  });

  test('does not begin while the one before still hangs', async () => {
    void lane.monitor(action('monitor'));
    await pass(6000);
    const second = await lane.monitor(action('monitor'));
    expect(second).toMatchObject({ state: 'unknown', detail: 'the check before it still hangs' });
    expect(calls).toHaveLength(1);
    last().end(WELL as never);
    await settle();
    void lane.monitor(action('monitor'));
    expect(calls).toHaveLength(2);
  });

  test('is cancelled by a stop, which waits a moment for it', async () => {
    void lane.monitor(action('monitor', { depth: 'deep' }));
    const check = last();
    void lane.run(action('stop'));
    await settle();
    expect([check.cancel.aborted, calls.length]).toEqual([true, 1]);
    await pass(249);
    expect(calls).toHaveLength(1);
    await pass(1);
    expect(last().what).toBe('stop orderly');
  });

  test('that comes to rest lets the stop begin at once', async () => {
    void lane.monitor(action('monitor'));
    void lane.run(action('stop'));
    await settle();
    last().end(WELL as never);
    await settle();
    expect(last().what).toBe('stop orderly');
  });

  test('is not waited for by a stop that abandons', async () => {
    void lane.monitor(action('monitor'));
    void lane.run(action('stop', { mode: 'abandon' }));
    await settle();
    expect(last().what).toBe('stop abandon');
  });
});
