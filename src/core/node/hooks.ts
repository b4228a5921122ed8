/**
 * The hooks of one group: who is asked or told at which turn, and what came of it. The parts ask by
 * `gate` in each step until there is a verdict, tell by `tell`, and pass on a resource's failure by
 * `askFailure`.
 *
 *   (none) ── gate ──► asked ── answer, or its time is over ──► verdict ── forget, other matter ──► (none)
 *
 * Invariants: a gate opens at the latest when the time limit is over; without a hook it is open; a
 * veto stands only where the asker allows one. No gate stands in the way of `yield`, of the loss of
 * a lease, or of anything that another node does.
 */
import { must } from '../../base/assert.ts';
import { type Instant, earliest, plus } from '../../base/time.ts';
import type { GroupConfig, HookConfig } from '../../protocol/config.ts';
import type { EventLevel } from '../../protocol/event.ts';
import {
  type HookAnswer,
  type HookCall,
  type HookFacts,
  type HookPoint,
  WAIT_MS_MAX,
  answersAt,
  noAnswer,
} from '../../protocol/hook.ts';
import type { Epoch, NodeId } from '../../protocol/ids.ts';
import type { Advice, EngineQuestion } from '../group/engine-types.ts';
import type { Voice } from './voice.ts';

/** A hook that is called is told a little less time than it has, so that its last words arrive. */
const ANSWER_MS = 50;
/** Calls under way at a time; one for each point and resource, so far more than there can be. */
const CALLS_MAX = 256;

export type HookVerdict =
  { readonly type: 'go' } | { readonly type: 'veto'; readonly reason: string };

export type LeavingVerdict =
  | { readonly type: 'go' }
  | { readonly type: 'veto'; readonly reason: string; readonly point: HookPoint };

/** What a gate is about: another one asks anew. */
export interface Matter extends HookFacts {
  readonly about: string;
  readonly epoch: Epoch;
  readonly mayVeto: boolean;
}

interface Call {
  readonly id: number;
  readonly call: HookCall;
  readonly askedAt: Instant;
  readonly endsAt: Instant;
  readonly question: EngineQuestion | undefined;
}

interface Gate {
  readonly about: string;
  readonly callId: number;
  verdict: HookVerdict | undefined;
}

export interface HooksOptions {
  readonly me: NodeId;
  readonly group: GroupConfig;
  readonly voice: Voice;
  /** The engine asked, and this is the answer. */
  readonly advise: (question: EngineQuestion, advice: Advice, now: Instant) => void;
}

const BEFORE_STOP = ['before-stop'] as const;
const BEFORE_FAILBACK = ['before-failback', ...BEFORE_STOP] as const;
const GO: HookVerdict = { type: 'go' };

export class Hooks {
  readonly #options: HooksOptions;
  readonly #gates = new Map<HookPoint, Gate>();
  #calls: readonly Call[] = [];
  #nextId = 1;

  constructor(options: HooksOptions) {
    this.#options = options;
  }

  nextWakeAt(): Instant {
    return earliest(this.#calls.map(({ endsAt }) => endsAt));
  }

  has(point: HookPoint): boolean {
    return this.#options.group.hooks?.[point] !== undefined;
  }

  /** Undefined while the hook is asked; call it again in each step. */
  gate(point: HookPoint, matter: Matter, now: Instant): HookVerdict | undefined {
    const hook = this.#options.group.hooks?.[point];
    if (hook === undefined) return GO;
    const before = this.#gates.get(point);
    if (before?.about === matter.about) return before.verdict;
    const callId = this.#call(point, hook, { matter, now });
    if (callId === undefined) return GO;
    this.#gates.set(point, { about: matter.about, callId, verdict: undefined });
    return undefined;
  }

  /** What comes before a planned move or stop: `before-failback` where it is one, then `before-stop`. */
  gateLeaving(matter: Matter, now: Instant): LeavingVerdict | undefined {
    const back = matter.to !== undefined && matter.to === this.#options.group.nodes[0];
    for (const point of back ? BEFORE_FAILBACK : BEFORE_STOP) {
      const verdict = this.gate(point, matter, now);
      if (verdict === undefined) return undefined;
      if (verdict.type === 'veto') return { ...verdict, point };
    }
    return { type: 'go' };
  }

  /** The move or stop is under way, or was given up. */
  forgetLeaving(): void {
    for (const point of BEFORE_FAILBACK) this.forget(point);
  }

  /** The matter is settled: the next gate at that point asks anew. An answer under way is void. */
  forget(point: HookPoint): void {
    const gate = this.#gates.get(point);
    if (gate === undefined) return;
    this.#gates.delete(point);
    this.#calls = this.#calls.filter(({ id }) => id !== gate.callId);
  }

  /** Nobody waits for a hook that is told; that it failed is an event. */
  tell(point: HookPoint, matter: Omit<Matter, 'about' | 'mayVeto'>, now: Instant): void {
    const hook = this.#options.group.hooks?.[point];
    if (hook === undefined) return;
    this.#call(point, hook, { matter: { ...matter, about: '', mayVeto: false }, now });
  }

  askFailure(question: EngineQuestion, epoch: Epoch, now: Instant): void {
    const { group, me } = this.#options;
    const { resource, reason } = question;
    const config = must(
      group.resources.find(({ id }) => id === resource),
      'a resource of the group',
    );
    const hook = must(config.failureHook ?? group.hooks?.['on-failure'], 'it has a hook');
    const facts: HookFacts = { cause: 'failure', from: me, to: undefined, reason, resource };
    const matter: Matter = { ...facts, about: resource, epoch, mayVeto: false };
    const id = this.#call('on-failure', hook, { matter, now, question });
    if (id === undefined) this.#options.advise(question, { word: 'go', waitMs: 0 }, now);
  }

  /** Calls whose time is over count as answered. */
  tick(now: Instant): void {
    for (const { id, call, endsAt } of this.#calls) {
      if (now < endsAt) continue;
      this.answered(id, noAnswer(`it did not answer within ${call.timeoutMs} ms`), now);
    }
  }

  /** An answer that nobody waits for any more is ignored. */
  answered(id: number, given: HookAnswer, now: Instant): void {
    const found = this.#calls.find((call) => call.id === id);
    if (found === undefined) return;
    this.#calls = this.#calls.filter((call) => call !== found);
    const { call, question } = found;
    const answer = bounded(call, given);
    this.#say(found, answer, now);
    const gate = this.#gates.get(call.event);
    if (gate?.callId === id) gate.verdict = verdictOf(answer);
    if (question === undefined) return;
    const word = answer.word === 'none' ? 'go' : answer.word;
    this.#options.advise(question, { word, waitMs: answer.waitMs }, now);
  }

  #call(
    point: HookPoint,
    hook: HookConfig,
    asked: {
      readonly matter: Matter;
      readonly now: Instant;
      readonly question?: EngineQuestion | undefined;
    },
  ): number | undefined {
    if (this.#calls.length >= CALLS_MAX) return undefined;
    const { group, me, voice } = this.#options;
    const { about: _about, mayVeto, ...facts } = asked.matter;
    const answers = answersAt(point, mayVeto);
    const timeoutMs = hook.timeoutMs - ANSWER_MS;
    const call: HookCall = {
      event: point,
      group: group.id,
      node: me,
      answers,
      timeoutMs,
      ...facts,
    };
    const id = this.#nextId;
    this.#nextId += 1;
    const endsAt = plus(asked.now, hook.timeoutMs);
    const { now: askedAt, question } = asked;
    this.#calls = [...this.#calls, { id, call, askedAt, endsAt, question }];
    voice.emit({ type: 'hook', id, group: group.id, call });
    return id;
  }

  #say({ call, askedAt }: Call, answer: HookAnswer, now: Instant): void {
    const { group, voice } = this.#options;
    const after = `after ${((now - askedAt) / 1000).toFixed(2)} s`;
    const { level, kind, text } = worded(call, answer, after);
    const { event, resource } = call;
    const details = { hook: event, answer: answer.word, output: answer.output };
    voice.emit({ type: 'event', draft: { level, kind, group: group.id, resource, text, details } });
  }
}

/** Whoever carried the call out may have been told anything. */
function bounded({ answers }: HookCall, given: HookAnswer): HookAnswer {
  const { word, output, waitMs } = given;
  if (word === 'none') return given;
  if (!answers.includes(word))
    return noAnswer(`it answered "${word}", which is not heeded here`, output);
  return { ...given, waitMs: Math.max(0, Math.min(waitMs, WAIT_MS_MAX)) };
}

function verdictOf({ word, reason }: HookAnswer): HookVerdict {
  return word === 'veto' ? { type: 'veto', reason: reason || 'it gave no reason' } : GO;
}

function worded(
  { event }: HookCall,
  { word, reason, waitMs }: HookAnswer,
  after: string,
): { readonly level: EventLevel; readonly kind: string; readonly text: string } {
  const because = reason === '' ? '' : `: ${reason}`;
  switch (word) {
    case 'none': {
      const text = `the hook ${event} gave no answer: ${reason}; going on without it`;
      return { level: 'warning', kind: 'hook-failed', text };
    }
    case 'veto': {
      const text = `the hook ${event} says no ${after}${because || ': it gave no reason'}`;
      return { level: 'warning', kind: 'hook-vetoed', text };
    }
    case 'go':
      return { level: 'info', kind: 'hook', text: `the hook ${event} is done ${after}${because}` };
    case 'wait': {
      const text = `the hook ${event} asks to wait for ${waitMs} ms${because}`;
      return { level: 'info', kind: 'hook', text };
    }
    case 'stay':
    case 'failover':
    case 'repaired':
      return { level: 'info', kind: 'hook', text: `the hook ${event} says "${word}"${because}` };
  }
}
