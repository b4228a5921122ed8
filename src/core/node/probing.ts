/**
 * The phase in which a control process begins: it does not know what runs here, nor who owns the
 * group. It ends when both are known; what runs without authority is stopped, what runs with it
 * is taken up as it is.
 *
 * Invariant: nothing is started in this phase.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { Observation } from '../group/engine.ts';
import { type GroupContext, type Moves, RETRY_MS } from './group-context.ts';

export class Probing {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  #found: readonly Observation[] | undefined;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
  }

  begin(now: Instant): void {
    this.#context.voice.emit({ type: 'probe', group: this.#context.id });
    this.#context.learn(now);
  }

  probed(found: readonly Observation[]): void {
    this.#found = found.map((seen) => this.#knownAddress(seen));
  }

  advance(now: Instant): void {
    const context = this.#context;
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
    }
    if (context.record === undefined && !context.knownEmpty) {
      if (context.leaving) return this.#leave(found, running, now);
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
   * A heart that outlived control goes on claiming what was given away at that moment, and whoever
   * owns it now would not ask, because the former owner still seems to be at work.
   */
  #rest(now: Instant): void {
    const { id, me, record, voice } = this.#context;
    if (record !== undefined && record.owner !== me) voice.emit({ type: 'release', group: id });
    this.#moves.wait(now);
  }

  /** The node ends before it is known who owns the group: nothing may go on unwatched. */
  #leave(found: readonly Observation[], running: boolean, now: Instant): void {
    const { engine, id, voice } = this.#context;
    if (!running) return voice.done(`"${id}" does not run here`);
    engine.adopt(found, now);
    this.#moves.yield('the node is being stopped, and who owns the group is not known', now);
  }

  #takeUp(now: Instant): void {
    const context = this.#context;
    context.voice.say('info', 'adopted', 'control was restarted and took up the running group');
    const record = must(context.record, 'mine implies a record');
    const held = context.leaseHeld && context.leaseEpoch === record.epoch;
    this.#moves.own(record, context.reason, now);
    context.mirrors.takenUp(record);
    context.leaseHeld = held;
    context.engineDid(context.engine.tick(now), now);
  }

  /** What the heart does not report of an address it does not hold. */
  #knownAddress(seen: Observation): Observation {
    const { resources } = this.#context.options.group;
    const config = resources.find((r) => r.id === seen.resource);
    const gone = config?.agent === 'virtual-ip' && seen.state === 'unknown';
    return gone ? { ...seen, state: 'stopped' } : seen;
  }
}
