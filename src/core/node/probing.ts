/**
 * The phase in which a control process begins: it does not know what runs here, nor who owns the
 * group. It ends when both are known; what runs without authority is stopped, what runs with it
 * is taken up as it is. While nobody tells who owns the group, what runs here has the grace of a
 * suspended owner (N57).
 *
 * Invariant: nothing is started in this phase.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { Observation } from '../group/engine.ts';
import { staleCopies } from './candidacy.ts';
import { type GroupContext, type Moves, RETRY_MS } from './group-context.ts';

/** Who starts together may take a while to hear one another; after that it is worth a word. */
const UNKNOWN_MS = 5000;

export class Probing {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  #found: readonly Observation[] | undefined;
  #since = 0 as Instant;
  /** The heart was last known to hold the lease, or to be silent about it. */
  #powerfulAt = 0 as Instant;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  /** Something of the group runs here, or may: it is not known yet. */
  get mayRun(): boolean {
    return this.#found === undefined || this.#found.some(({ state }) => state !== 'stopped');
  }

  begin(now: Instant): void {
    this.#since = now;
    this.#powerfulAt = now;
    this.#context.voice.emit({ type: 'probe', group: this.#context.id });
    this.#context.learn(now);
  }

  /** It was left alone while people were at work: what runs here now is not known. */
  again(now: Instant): void {
    this.#found = undefined;
    this.#context.phase = 'probing';
    this.begin(now);
  }

  probed(found: readonly Observation[]): void {
    this.#found = found;
  }

  advance(now: Instant): void {
    const context = this.#context;
    if (context.leaseHeld || !context.peers.heartConnected) this.#powerfulAt = now;
    if (this.#found === undefined) return;
    const found = this.#found;
    const running = found.some((seen) => seen.state !== 'stopped');
    const accepted = context.options.accepted();
    if (
      context.record === undefined &&
      context.leaseHeld &&
      running &&
      accepted?.owner === context.me &&
      accepted.epoch === context.leaseEpoch
    ) {
      // Control was restarted while too few voters answer, but the heart holds the lease.
      context.record = accepted;
      context.presumed = true;
    }
    if (context.isUnknown) {
      if (context.leaving) return this.#leave(found, running, now);
      const { leaseMs, suspendGraceMs } = context.options.timing;
      // A heart that has just connected has its say first.
      const graceMs = Math.max(suspendGraceMs, 2 * leaseMs);
      if (running && now - this.#powerfulAt >= graceMs) {
        return this.#stopAll(found, 'who owns the group did not become known in time', now);
      }
      if (now - this.#since >= UNKNOWN_MS) this.#sayUnknown();
      if (now >= context.retryAt || context.retryAt === NEVER) {
        context.learn(now);
        context.retryAt = plus(now, RETRY_MS);
      }
      return;
    }
    context.engine.adopt(found, now);
    if (!running) return this.#rest(now);
    if (context.record?.owner !== context.me) {
      return this.#moves.yield('this node does not own the group, yet its resources run', now);
    }
    this.#takeUp(now);
  }

  /**
   * Goes on with what this node knows, by an administrator's word: nobody is left to ask. False while
   * it is not known what runs here, when something does, or when nothing is known.
   */
  presume(now: Instant): boolean {
    const context = this.#context;
    const record = context.record ?? context.options.accepted();
    const found = this.#found;
    if (found === undefined || record === undefined) return false;
    if (found.some((seen) => seen.state !== 'stopped')) return false;
    context.presumed = context.record === undefined;
    context.record = record;
    context.engine.adopt(found, now);
    context.phase = 'waiting';
    return true;
  }

  /** For whom it waits, and what to do where they never come. */
  #sayUnknown(): void {
    const { id, me, options, peers, reason, voice } = this.#context;
    const known = options.accepted();
    if (known === undefined || !peers.heartConnected) return;
    const silent = known.voters.map(({ node }) => node).filter((node) => peers.isLost(node));
    if (silent.length === 0) return;
    const names = silent.join(', ');
    const stale = staleCopies(known, me).join('", "');
    const lacks = stale === '' ? '' : `; the copy of "${stale}" on ${me} is not in sync`;
    const next = `next: start ${names}; if gone for good, see "tako force --help"`;
    const text = `"${id}" waits for ${names}: ${reason}${lacks}; ${next}`;
    voice.sayOnce(`unknown ${names}`, 'error', 'owner-unknown', text);
  }

  /**
   * A heart that outlived control goes on claiming what was given away at that moment, and whoever
   * owns it now would not ask, because the former owner still seems to be at work.
   */
  #rest(now: Instant): void {
    const { id, me, readFirst, record, voice } = this.#context;
    const given = record !== undefined && record.owner !== me;
    if (given || readFirst) voice.emit({ type: 'release', group: id });
    this.#moves.wait(now);
  }

  /** The node ends before it is known who owns the group: nothing may go on unwatched. */
  #leave(found: readonly Observation[], running: boolean, now: Instant): void {
    const { id, voice } = this.#context;
    if (!running) return voice.done(`"${id}" does not run here`);
    this.#stopAll(found, 'the node is being stopped, and who owns the group is not known', now);
  }

  #stopAll(found: readonly Observation[], reason: string, now: Instant): void {
    this.#context.engine.adopt(found, now);
    this.#moves.yield(reason, now);
  }

  #takeUp(now: Instant): void {
    const context = this.#context;
    context.voice.say('info', 'adopted', 'control was restarted and took up the running group');
    const record = must(context.record, 'mine implies a record');
    const held = context.leaseHeld && context.leaseEpoch === record.epoch;
    this.#moves.own(record, context.reason, now);
    context.leaseHeld = held;
    context.engineDid(context.engine.tick(now), now);
  }
}

/** What the heart does not report of an address it does not hold. */
export function knownAddress({ resources }: GroupConfig, seen: Observation): Observation {
  const config = resources.find((r) => r.id === seen.resource);
  const gone = config?.agent === 'virtual-ip' && seen.state === 'unknown';
  return gone ? { ...seen, state: 'stopped' } : seen;
}
