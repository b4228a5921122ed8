/** One instance of a group that runs everywhere: what it does when told, and when things fail. */
import { beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, instant, plus } from '../../base/time.ts';
import type { FailurePolicy, GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { HookPoint } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { EngineAction, Observation } from '../group/engine.ts';
import { Instance } from './instance.ts';
import type { Effect } from './node-io.ts';
import { Voice } from './voice.ts';

const [ME, WEB, NGINX] = ['n1', 'web', 'nginx'] as [NodeId, GroupId, ResourceId];
const EPOCH = 1 as Epoch;

let now: Instant;
let voice: Voice;
let it: Instance;
let told: string[];
let actions: EngineAction[];
let calls: Extract<Effect, { type: 'hook' }>[];

function make(policy: FailurePolicy = 'retry', hooks: readonly HookPoint[] = []): void {
  now = instant(1000);
  voice = new Voice(WEB, []);
  [told, actions, calls] = [[], [], []];
  const nginx = {
    ...{ id: NGINX, after: [], agent: 'process', onFailure: policy, monitorMs: 1e9 },
    ...{ startTimeoutMs: 1000, stopTimeoutMs: 1000, restarts: { limit: 0, windowMs: 1 } },
  } as unknown as ResourceConfig;
  const call = { type: 'command', command: ['hook'], user: undefined } as const;
  const group: GroupConfig = {
    ...{ id: WEB, type: 'everywhere', nodes: [ME], failback: { policy: 'never' } },
    resources: [nginx],
    hooks: Object.fromEntries(hooks.map((point) => [point, { timeoutMs: 2000, call }])),
  };
  it = new Instance(group, ME, voice);
}

beforeEach(() => make());

/** What the instance did; started and stopped things do so at once, unless they are kept. */
function settle(answer: 'ok' | 'failed' | 'kept' = 'ok'): void {
  it.advance(now);
  for (const effect of voice.drain()) {
    if (effect.type === 'event') told.push(`${effect.draft.kind}: ${effect.draft.text}`);
    if (effect.type === 'hook') calls.push(effect);
    if (effect.type !== 'action') continue;
    actions.push(effect);
    if (answer === 'kept' || effect.action === 'monitor') continue;
    const outcome = effect.action === 'stop' ? 'ok' : answer;
    const result = { id: effect.id, resource: NGINX, outcome, detail: outcome } as const;
    it.engineDid(it.engine.actionFinished(result, now), now);
    settle(answer);
  }
}

function found(state: Observation['state']): void {
  it.adopt([{ resource: NGINX, state, detail: '' }], now);
}

function want(up: boolean, answer: 'ok' | 'failed' | 'kept' = 'ok', why = 'because'): void {
  it.want(up, why, { epoch: EPOCH, now });
  settle(answer);
}

function after(ms: number, answer: 'ok' | 'failed' = 'ok'): void {
  now = plus(now, ms);
  it.tick(now);
  settle(answer);
}

function answered(word: 'go' | 'veto'): void {
  const { id } = must(calls.at(-1), 'a hook was called');
  it.hooks.answered(id, { word, reason: 'so it is', waitMs: 0, output: '' }, now);
  settle();
}

const kinds = (): readonly string[] => told.map((text) => must(text.split(':')[0], 'a kind'));
const done = (): readonly string[] => actions.map(({ action }) => action);

describe('what a probe found', () => {
  test.each([
    ['stopped', true, ['start'], 'online'],
    ['online', true, ['monitor'], 'online'],
    ['online', false, ['stop'], 'stopped'],
    ['stopped', false, [], 'stopped'],
    ['unknown', true, ['stop', 'start'], 'online'],
    ['failed', false, ['stop'], 'stopped'],
  ] as const)('%s, wanted %s: %j', (state, up, expected, ends) => {
    expect(it.state).toBe('unknown');
    found(state);
    want(up);
    expect(done()).toEqual(expected);
    expect(it.state).toBe(ends);
  });

  test('nothing that runs and nothing that is wanted is no news', () => {
    found('stopped');
    want(false);
    expect(told).toEqual([]);
  });
});

describe('a failure', () => {
  beforeEach(() => found('stopped'));

  test('is tried again later and later, and from the beginning after a sound while', () => {
    want(true, 'failed');
    expect(it.state).toBe('failed');
    const starts = (): number => done().filter((action) => action === 'start').length;
    expect(it.nextWakeAt()).toBe(plus(now, 10_000));
    after(9_999, 'failed');
    expect(starts()).toBe(1);
    after(1, 'failed');
    expect(starts()).toBe(2);
    expect(it.nextWakeAt()).toBe(plus(now, 20_000));
    for (let times = 0; times < 8; times += 1) after(300_000, 'failed');
    expect(it.nextWakeAt()).toBe(plus(now, 300_000));
    after(300_000);
    expect(it.state).toBe('online');
    expect(it.reason).toContain('tried again');
    // It fails again at once: nothing has been gained.
    dies();
    expect(it.nextWakeAt()).toBe(plus(now, 300_000));
    after(300_000);
    after(60_000);
    dies();
    expect(it.nextWakeAt()).toBe(plus(now, 10_000));
  });

  test('ends in a stop of this instance until somebody starts it', () => {
    make('stop');
    found('stopped');
    want(true, 'failed');
    expect(it.state).toBe('failed');
    expect(told.at(-1)).toContain('run "tako group start web --node n1"');
    after(1e6);
    expect(it.state).toBe('failed');
    it.again(now);
    settle();
    expect(it.state).toBe('online');
    expect(it.reason).toBe('an administrator started it');
  });

  test('what is left failed does not count as whole', () => {
    make('stay');
    found('stopped');
    want(true, 'failed');
    expect(it.state).toBe('online');
    expect(it.isWhole).toBe(false);
    it.again(now);
    settle();
    expect(it.isWhole).toBe(true);
  });

  test('while it is to stop is not recovered from', () => {
    make('retry', ['before-stop']);
    found('stopped');
    want(true);
    want(false);
    dies();
    expect(done()).toEqual(['start', 'stop']);
    after(100_000);
    expect(done()).toEqual(['start', 'stop']);
    expect(it.state).toBe('stopped');
  });

  function dies(): void {
    const seen = { resource: NGINX, state: 'failed', detail: 'it died' } as const;
    it.engineDid(it.engine.observed(seen, now), now);
    settle('failed');
  }
});

describe('hooks', () => {
  beforeEach(() => {
    make('retry', ['before-start', 'before-stop', 'after-stop']);
    found('stopped');
    want(true);
  });

  test('a veto blocks it, and is asked about again', () => {
    expect(it.state).toBe('starting');
    answered('veto');
    expect(it.state).toBe('blocked');
    expect(it.reason).toContain('so it is');
    expect(it.nextWakeAt()).toBe(plus(now, 10_000));
    after(10_000);
    answered('go');
    expect(it.state).toBe('online');
    expect(it.reason).toBe('because');
  });

  test('a person overrules a veto', () => {
    answered('veto');
    it.again(now);
    settle();
    expect(must(calls.at(-1), 'asked again').call.answers).toEqual(['go']);
    answered('go');
    expect(it.state).toBe('online');
  });

  test('a stop waits for its hook, but not for ever, and goes on as if nothing was if taken back', () => {
    answered('go');
    want(false);
    expect(it.state).toBe('stopping');
    expect(done()).toEqual(['start']);
    want(true);
    expect(it.state).toBe('online');
    expect(done()).toEqual(['start']);
    want(false);
    after(2000);
    expect(it.state).toBe('stopped');
    expect(kinds().filter((kind) => kind === 'stopped')).toHaveLength(1);
    expect(must(calls.at(-1), 'told').call.event).toBe('after-stop');
  });

  test('what never started has nothing to take back', () => {
    want(false);
    expect(it.state).toBe('stopped');
    expect(done()).toEqual([]);
    expect(it.nextWakeAt()).toBe(NEVER);
  });
});

test('a better word for the same wish is taken over, unless something happened since', () => {
  found('stopped');
  want(true, 'ok', 'as far as is known');
  want(true, 'ok', 'known for sure');
  expect(it.reason).toBe('known for sure');
  expect(kinds().filter((kind) => kind === 'online')).toHaveLength(1);
});
