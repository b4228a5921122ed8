/**
 * What a node runs of a group of type `everywhere`: its own instance, and nobody else's. It is told
 * whether it shall run, and why; all the rest (hooks, failures, what is tried again and when) is
 * decided here, without votes and without a lease, for nothing is shared with the other instances.
 *
 *   unknown ── adopt ──► down ── want ──► up: before-start ──► starting ──► online
 *                         ▲                │ a hook says no: asked again    │ restarts did not help
 *                         └── before-stop ◄┴── not wanted ◄─────────────────┴─► failed: tried again,
 *                                                                               or kept down
 *
 * Invariants: nothing is started or stopped before it is known what runs and what is wanted; what is
 * not wanted is stopped in order, and a hook has no say in that.
 */
import { unreachable } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { HookFacts } from '../../protocol/hook.ts';
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import {
  type EngineEffect,
  type EngineNotice,
  GroupEngine,
  type Observation,
} from '../group/engine.ts';
import { Hooks, type HooksOptions } from './hooks.ts';
import type { Voice } from './voice.ts';

export type InstanceState =
  'unknown' | 'stopped' | 'starting' | 'online' | 'stopping' | 'failed' | 'blocked';

/** What did not help is tried again after so long, each time twice as long, up to the latter. */
const AGAIN_MS = 10_000;
const AGAIN_MS_MAX = 300_000;
/** One that was online for so long has begun anew. */
const SOUND_MS = 60_000;
/** A hook that said no to a start is asked again. */
const VETO_RETRY_MS = 10_000;

const FAILURE_ENDINGS = {
  restart: 'restarting it here',
  gaveUp: 'no restarts are left',
  lasting: 'a restart here cannot help',
  stop: 'this instance stops until somebody starts it',
  stay: 'it is left failed, and the rest of the instance goes on',
  moved: 'its hook wants the group elsewhere, where it runs anyway',
  left: 'its hook wants it left failed, and the rest of the instance goes on',
  leftAlone: 'it is left alone',
  recheck: 'its hook says that it is repaired, checking it again',
} as const;

export class Instance {
  readonly #group: GroupConfig;
  readonly #me: NodeId;
  readonly #voice: Voice;
  readonly engine: GroupEngine;
  readonly hooks: Hooks;
  #epoch = 0 as Epoch;
  #known = false;
  /** Undefined until it is told for the first time. */
  #wanted: boolean | undefined;
  /** Why that is wanted. */
  #wish = '';
  /** The hook has still to say whether it may start, or has to do its part before it stops. */
  #gate: 'before-start' | 'before-stop' | undefined;
  #askAgainAt: Instant = NEVER;
  #veto: string | undefined;
  /** A person wants it to start: no hook may veto that. */
  #overruled = false;
  #tryAgainAt: Instant = NEVER;
  #pauseMs = AGAIN_MS;
  #onlineAt: Instant = NEVER;
  /** It was told to stop, and the end of that is worth a word. */
  #ends = false;
  /** Something ran when it was told to stop. */
  #ran = false;
  /** Why it is as it is. */
  reason = 'Tako has just started on this node';

  constructor(group: GroupConfig, me: NodeId, voice: Voice) {
    this.#group = group;
    this.#me = me;
    this.#voice = voice;
    this.engine = new GroupEngine(group, () => this.#wanted === true);
    const advise: HooksOptions['advise'] = (question, advice, now) =>
      this.engineDid(this.engine.advised(question, advice, now), now);
    this.hooks = new Hooks({ me, group, voice, advise });
  }

  nextWakeAt(): Instant {
    const again = this.engine.hasGivenUp() ? this.#tryAgainAt : NEVER;
    const asked = this.#gate === 'before-start' ? this.#askAgainAt : NEVER;
    return earliest([this.engine.nextWakeAt(), this.hooks.nextWakeAt(), again, asked]);
  }

  get state(): InstanceState {
    const { engine } = this;
    if (!this.#known) return 'unknown';
    if (this.#wanted !== true) return engine.isStopped() ? 'stopped' : 'stopping';
    if (this.#gate === 'before-start') return this.#veto === undefined ? 'starting' : 'blocked';
    if (engine.heldDown() !== undefined || engine.hasGivenUp()) return 'failed';
    return engine.isOnline() ? 'online' : 'starting';
  }

  /** Everything runs that should, and nothing was left failed. */
  get isWhole(): boolean {
    return this.state === 'online' && this.engine.leftFailed().length === 0;
  }

  /** Takes up what a probe found; whether it shall go on is told by `want` right after. */
  adopt(found: readonly Observation[], now: Instant): void {
    this.#known = true;
    this.engine.adopt(found, now);
  }

  /** Whether it shall run. */
  want(up: boolean, reason: string, { epoch, now }: { epoch: Epoch; now: Instant }): void {
    const before = this.#wanted;
    // A better word for the same thing, where nothing else has happened since.
    if (before !== up || this.reason === this.#wish) this.reason = reason;
    this.#wish = reason;
    if (before === up) return;
    this.#wanted = up;
    this.#epoch = epoch;
    this.#tryAgainAt = NEVER;
    this.hooks.forget('before-start');
    this.hooks.forget('before-stop');
    if (up) this.#begin(before, now);
    else this.#end(before, now);
  }

  /** A person wants it to start: what gave up or is kept down is tried again. */
  again(now: Instant): void {
    this.#overruled = true;
    if (this.#wanted !== true) return;
    this.#pauseMs = AGAIN_MS;
    if (this.#gate === undefined) this.#start(now, 'an administrator started it');
  }

  tick(now: Instant): void {
    this.hooks.tick(now);
    this.engineDid(this.engine.tick(now), now);
  }

  /** What follows from the present state. */
  advance(now: Instant): void {
    if (this.#gate === 'before-start') this.#askToStart(now);
    else if (this.#gate === 'before-stop') this.#tellBeforeStop(now);
    else if (this.#wanted === true) this.#afterFailure(now);
  }

  engineDid(effects: readonly EngineEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.#voice.emit(effect);
      else if (effect.type === 'ask') this.hooks.askFailure(effect, this.#epoch, now);
      else this.#noticed(effect.notice, now);
    }
  }

  // Up and down.

  #begin(before: boolean | undefined, now: Instant): void {
    const { engine } = this;
    const found = before === undefined && !engine.isStopped();
    if (found) this.#voice.say('info', 'adopted', `taking up what runs on ${this.#me} already`);
    // It was about to stop, and goes on.
    const goesOn = before === false && engine.target === 'online';
    if (found || goesOn || !this.hooks.has('before-start')) return this.#start(now);
    this.#gate = 'before-start';
    this.#veto = undefined;
    this.#askAgainAt = NEVER;
    this.#askToStart(now);
  }

  #start(now: Instant, reason = this.#wish): void {
    this.reason = reason;
    this.#gate = undefined;
    this.#veto = undefined;
    this.#tryAgainAt = NEVER;
    this.engineDid(this.engine.start(this.#epoch, now), now);
  }

  #askToStart(now: Instant): void {
    if (this.#askAgainAt !== NEVER && now < this.#askAgainAt && !this.#overruled) return;
    const mayVeto = !this.#overruled;
    const about = `start ${mayVeto}`;
    const matter = { ...this.#facts('start'), about, epoch: this.#epoch, mayVeto };
    const verdict = this.hooks.gate('before-start', matter, now);
    this.#askAgainAt = NEVER;
    if (verdict === undefined) return;
    this.hooks.forget('before-start');
    if (verdict.type === 'go') return this.#start(now);
    const { id } = this.#group;
    this.#veto = `the hook before-start on ${this.#me} says no: ${verdict.reason}`;
    this.reason = this.#veto;
    this.#askAgainAt = plus(now, VETO_RETRY_MS);
    const next = `next: "tako group start ${id} --node ${this.#me}" overrules it`;
    const text = `${this.#veto}; ${next}; it is asked again and again`;
    this.#voice.sayOnce('before-start', 'error', 'held-by-hook', text);
  }

  #end(before: boolean | undefined, now: Instant): void {
    const runs = !this.engine.isStopped();
    this.#gate = undefined;
    this.#overruled = false;
    this.#ran = runs;
    if (before === undefined && !runs) return;
    if (runs) this.#voice.say('info', 'stopping', `stopping on ${this.#me}: ${this.reason}`);
    if (!runs || !this.hooks.has('before-stop')) return this.#stop(now);
    this.#gate = 'before-stop';
    // What fails meanwhile is not started again.
    this.engineDid(this.engine.tick(now), now);
    this.#tellBeforeStop(now);
  }

  /** It has its time to do its part, such as to take this node out of a load balancer. */
  #tellBeforeStop(now: Instant): void {
    const facts = this.#facts('stop');
    const matter = { ...facts, about: 'stop', epoch: this.#epoch, mayVeto: false };
    if (this.hooks.gate('before-stop', matter, now) === undefined) return;
    this.#stop(now);
  }

  #stop(now: Instant): void {
    this.#gate = undefined;
    this.#ends = true;
    this.engineDid(this.engine.stop('orderly', now), now);
  }

  #facts(cause: HookFacts['cause']): HookFacts {
    return { cause, from: undefined, to: this.#me, reason: this.reason };
  }

  // Failures.

  /** What restarts did not cure is tried again, for there is no other place for this instance. */
  #afterFailure(now: Instant): void {
    const given = this.engine.givenUp();
    if (given === undefined) return;
    const failure = `"${given.id}" failed: ${given.reason}`;
    if (this.#tryAgainAt === NEVER) {
      const sound = this.#onlineAt !== NEVER && now - this.#onlineAt >= SOUND_MS;
      if (sound) this.#pauseMs = AGAIN_MS;
      this.#onlineAt = NEVER;
      this.#tryAgainAt = plus(now, this.#pauseMs);
      const next = `it is tried again in ${this.#pauseMs / 1000} s and after that`;
      const text = `down on ${this.#me}: ${failure}; ${next}`;
      this.#pauseMs = Math.min(2 * this.#pauseMs, AGAIN_MS_MAX);
      this.reason = failure;
      this.#voice.sayOnce(`down ${failure}`, 'error', 'failed', text);
      return this.#voice.failed('agent-failed', text);
    }
    if (now < this.#tryAgainAt) return;
    this.#start(now, `it is tried again on ${this.#me}, for it failed before`);
  }

  #noticed(notice: EngineNotice, now: Instant): void {
    const voice = this.#voice;
    switch (notice.type) {
      case 'online':
        return this.#cameOnline(now);
      case 'stopped':
        return this.#hasStopped(now);
      case 'resourceFailed': {
        const { resource, then } = notice;
        const text = `"${resource}" failed: ${notice.reason}; ${FAILURE_ENDINGS[then]}`;
        return voice.sayOnce(`${resource}: ${text}`, 'warning', 'resource-failed', text, resource);
      }
      case 'resourceOnline': {
        const text = `"${notice.resource}" is online`;
        voice.mended(`${notice.resource}: `);
        return voice.say('info', 'resource-online', text, notice.resource);
      }
      case 'stopFailed': {
        const text = `"${notice.resource}" ${notice.reason}`;
        const next = 'it is tried again and again; next: end what holds it';
        voice.say('error', 'stop-failed', `${text}; ${next}`, notice.resource);
        return voice.failed('agent-failed', text);
      }
      case 'heldDown':
        return this.#heldDown(notice.resource, notice.reason);
      default:
        return unreachable(notice);
    }
  }

  #cameOnline(now: Instant): void {
    this.#onlineAt = now;
    this.#overruled = false;
    this.#voice.allWell();
    this.#voice.say('info', 'online', `online on ${this.#me}: ${this.reason}`);
    this.hooks.tell('after-start', { ...this.#facts('start'), epoch: this.#epoch }, now);
  }

  #hasStopped(now: Instant): void {
    if (this.#wanted !== false || !this.#ends) return;
    this.#ends = false;
    this.#onlineAt = NEVER;
    this.#voice.say('info', 'stopped', `stopped on ${this.#me}: ${this.reason}`);
    if (!this.#ran) return;
    this.hooks.tell('after-stop', { ...this.#facts('stop'), epoch: this.#epoch }, now);
  }

  #heldDown(resource: ResourceId, why: string): void {
    const failure = `"${resource}" failed: ${why}`;
    this.reason = failure;
    const start = `tako group start ${this.#group.id} --node ${this.#me}`;
    const text = `kept down on ${this.#me}: ${failure}; next: repair it, then run "${start}"`;
    this.#voice.sayOnce(text, 'error', 'held-down', text, resource);
    this.#voice.failed('agent-failed', failure);
  }
}
