/** The hooks of a group: what a gate waits for, and that it opens whatever happens. */
import { beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, instant, plus } from '../../base/time.ts';
import type { GroupConfig, HookConfig } from '../../protocol/config.ts';
import { type HookAnswer, type HookPoint, noAnswer } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { EngineQuestion } from '../group/engine-types.ts';
import { Hooks, type Matter } from './hooks.ts';
import type { Effect } from './node-io.ts';
import { Voice } from './voice.ts';

const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const GROUP = 'db' as GroupId;
const HOOK: HookConfig = {
  timeoutMs: 2000,
  call: { type: 'command', command: ['hook'], user: undefined },
};
const QUESTION: EngineQuestion = {
  type: 'ask',
  id: 9,
  resource: 'app' as ResourceId,
  reason: 'it died',
};

let voice: Voice;
let hooks: Hooks;
let advice: string[];
let now: Instant;

beforeEach(() => {
  now = instant(1000);
  advice = [];
  make({ 'before-start': HOOK, 'after-start': HOOK, 'on-failure': HOOK });
});

function make(configured: Partial<Record<HookPoint, HookConfig>>): void {
  voice = new Voice(GROUP, [N2]);
  const resources = [{ id: QUESTION.resource }] as unknown as GroupConfig['resources'];
  hooks = new Hooks({
    me: N1,
    group: {
      id: GROUP,
      nodes: [N1, N2],
      failback: { policy: 'never' },
      resources,
      hooks: configured,
    },
    voice,
    advise: (question, { word, waitMs }) => void advice.push(`${question.id} ${word} ${waitMs}`),
  });
}

function matter(over: Partial<Matter> = {}): Matter {
  const facts = { cause: 'failover', from: N2, to: N1, reason: 'n2 is lost' } as const;
  return { ...facts, about: 'epoch 4', epoch: 4 as Epoch, mayVeto: true, ...over };
}

function answer(word: HookAnswer['word'], over: Partial<HookAnswer> = {}): HookAnswer {
  return { word, reason: '', waitMs: 0, output: '', ...over };
}

type HookEffect = Extract<Effect, { type: 'hook' }>;

function drained(): { readonly called: readonly HookEffect[]; readonly told: readonly string[] } {
  const effects = voice.drain();
  return {
    called: effects.filter((effect) => effect.type === 'hook'),
    told: effects.flatMap((e) => (e.type === 'event' ? [`${e.draft.kind}: ${e.draft.text}`] : [])),
  };
}

function gate(over: Partial<Matter> = {}): string {
  const verdict = hooks.gate('before-start', matter(over), now);
  return verdict === undefined ? 'waits' : verdict.type;
}

function onlyCall(): HookEffect {
  const { called } = drained();
  expect(called).toHaveLength(1);
  return must(called[0], 'one');
}

describe('a gate', () => {
  test('is open without a hook', () => {
    make({});
    expect(gate()).toBe('go');
    expect(drained()).toEqual({ called: [], told: [] });
    expect(hooks.nextWakeAt()).toBe(NEVER);
  });

  test('asks once, tells what it is about, and waits for the answer', () => {
    expect([gate(), gate()]).toEqual(['waits', 'waits']);
    const { id, call } = onlyCall();
    expect(call).toMatchObject({
      event: 'before-start',
      group: 'db',
      node: 'n1',
      epoch: 4,
      from: 'n2',
      answers: ['go', 'veto'],
      timeoutMs: 1950,
    });
    hooks.answered(id, answer('veto', { reason: 'no licence' }), now);
    expect(hooks.gate('before-start', matter(), now)).toEqual({
      type: 'veto',
      reason: 'no licence',
    });
    expect(drained().told).toEqual([
      'hook-vetoed: the hook before-start says no after 0.00 s: no licence',
    ]);
  });

  test('opens when the time is over, and a late answer says nothing', () => {
    gate();
    const { id } = onlyCall();
    expect(hooks.nextWakeAt()).toBe(plus(now, 2000));
    now = plus(now, 2000);
    hooks.tick(now);
    expect(gate()).toBe('go');
    hooks.answered(id, answer('veto'), now);
    expect(gate()).toBe('go');
    expect(drained().told).toHaveLength(1);
    expect(hooks.nextWakeAt()).toBe(NEVER);
  });

  test.each([
    ['no answer', noAnswer('it ended with exit code 1')],
    ['an answer that is not heeded', answer('repaired')],
  ])('opens with %s', (_what, given) => {
    gate();
    hooks.answered(onlyCall().id, given, now);
    expect(gate()).toBe('go');
    expect(drained().told[0]).toMatch(/^hook-failed: .*; going on without it$/u);
  });

  test('heeds no veto where none is allowed', () => {
    expect(gate({ mayVeto: false })).toBe('waits');
    const { id, call } = onlyCall();
    expect(call.answers).toEqual(['go']);
    hooks.answered(id, answer('veto'), now);
    expect(gate({ mayVeto: false })).toBe('go');
  });

  test('asks anew about another matter, and when it was forgotten', () => {
    gate();
    const first = onlyCall();
    expect(gate({ about: 'epoch 5' })).toBe('waits');
    const second = onlyCall();
    hooks.answered(first.id, answer('veto'), now);
    expect(gate({ about: 'epoch 5' })).toBe('waits');
    hooks.answered(second.id, answer('go'), now);
    expect(gate({ about: 'epoch 5' })).toBe('go');
    hooks.forget('before-start');
    drained();
    expect(gate({ about: 'epoch 5' })).toBe('waits');
    expect(drained().called).toHaveLength(1);
  });

  test('that was forgotten wakes nobody, and its answer is void', () => {
    gate();
    const { id } = onlyCall();
    hooks.forget('before-start');
    expect(hooks.nextWakeAt()).toBe(NEVER);
    hooks.answered(id, answer('veto'), now);
    expect(drained().told).toEqual([]);
  });
});

describe('a failure', () => {
  test('is asked about, and the engine hears the answer, within bounds', () => {
    hooks.askFailure(QUESTION, 4 as Epoch, now);
    const { id, call } = onlyCall();
    expect(call).toMatchObject({ event: 'on-failure', resource: 'app', reason: 'it died' });
    hooks.answered(id, answer('wait', { waitMs: 1e9 }), now);
    expect(advice).toEqual(['9 wait 60000']);
  });

  test.each([
    ['nothing in time', undefined],
    ['nonsense', answer('veto')],
    ['that it failed', noAnswer('it ended with exit code 1')],
  ])('goes on without the hook when it says %s', (_what, given) => {
    hooks.askFailure(QUESTION, 4 as Epoch, now);
    const { id } = onlyCall();
    if (given === undefined) hooks.tick(plus(now, 2000));
    else hooks.answered(id, given, now);
    expect(advice).toEqual(['9 go 0']);
  });
});

test('what is told is waited for by nobody, but its failure is an event', () => {
  hooks.tell('after-start', matter(), now);
  const { call } = onlyCall();
  expect(call.answers).toEqual(['go']);
  hooks.tick(plus(now, 2000));
  expect(drained().told[0]).toContain('the hook after-start gave no answer');
});

test('calls under way are bounded', () => {
  for (let n = 0; n < 1000; n += 1) hooks.tell('after-start', matter(), now);
  expect(drained().called).toHaveLength(256);
  expect(gate()).toBe('go');
});
