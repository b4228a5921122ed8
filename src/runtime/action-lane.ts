/**
 * Runs the actions of one resource, one at a time. A start or stop that comes while another action
 * or a check runs cancels it and waits for it to come to rest first, so that two actions never work
 * on the same resource. What is not over within its time limit has an unknown outcome.
 *
 * A start begins only with the lease at that very moment. What was last heard of it may be old: a
 * machine that stood still has heard nothing meanwhile, and neither has one whose heart hangs.
 *
 * A check only looks: one that does not come to rest is waited for but a moment, and not at all by
 * a stop that abandons. While it hangs no further check begins, so they can't pile up.
 */
import { Canceller } from '../base/canceller.ts';
import { messageOf } from '../base/tako-error.ts';
import type { ActionResult, EngineAction, Observation } from '../core/group/engine.ts';
import type { Agent, MonitorResult } from '../ports/agent.ts';
import type { Timer } from '../ports/timer.ts';
import type { Epoch } from '../protocol/ids.ts';

/** How long a cancelled or overdue action may take to come to rest. */
const REST_MS = 1000;
/** The same for a check that is in the way of a start or stop. */
const CHECK_REST_MS = 250;

type Outcome = Omit<ActionResult, 'id' | 'resource'>;

interface Running {
  readonly canceller: Canceller;
  readonly ended: Promise<void>;
}

export class ActionLane {
  readonly #agent: Agent;
  readonly #timer: Timer;
  readonly #holdsLease: (epoch: Epoch) => boolean;
  #running: Running | undefined;
  /** The check that has not come to rest yet, within its time limit or not. */
  #checking: Running | undefined;

  /** `holdsLease`: asked right before each start, and to say how it is now. */
  constructor(agent: Agent, timer: Timer, holdsLease: (epoch: Epoch) => boolean) {
    this.#agent = agent;
    this.#timer = timer;
    this.#holdsLease = holdsLease;
  }

  /** A start is to follow soon. */
  prepare(): void {
    this.#agent.prepare?.();
  }

  /** Never rejects: what an agent throws is a failure with that message. */
  async run(action: EngineAction): Promise<ActionResult> {
    const before = this.#running;
    before?.canceller.cancel();
    this.#checking?.canceller.cancel();
    const canceller = new Canceller();
    const outcome = this.#after(before, () => this.#act(action, canceller), action, canceller);
    const running = { canceller, ended: outcome.then(() => undefined) };
    this.#running = running;
    const result = await outcome;
    if (this.#running === running) this.#running = undefined;
    return { id: action.id, resource: action.resource, ...result };
  }

  /** Never rejects: what an agent throws says nothing about its resource. */
  async monitor(action: EngineAction): Promise<Observation> {
    const { resource, depth, timeoutMs } = action;
    if (this.#checking !== undefined) {
      return { resource, state: 'unknown', detail: 'the check before it still hangs' };
    }
    const canceller = new Canceller();
    const looked = this.#look(action, canceller);
    const checking = { canceller, ended: looked.then(() => undefined) };
    this.#checking = checking;
    void checking.ended.then(() => {
      if (this.#checking === checking) this.#checking = undefined;
    });
    const seen = await this.#limited(looked, timeoutMs, canceller);
    const what = depth === 'deep' ? 'deep check' : 'check';
    const late = {
      state: 'unknown' as const,
      detail: `the ${what} did not end in ${timeoutMs} ms`,
    };
    return { resource, ...(seen ?? late) };
  }

  async #look(action: EngineAction, canceller: Canceller): Promise<MonitorResult> {
    try {
      return await this.#agent.monitor(canceller.signal, action.depth);
    } catch (error) {
      return { state: 'unknown', detail: messageOf(error) };
    }
  }

  async #after(
    before: Running | undefined,
    act: () => Promise<Outcome>,
    action: EngineAction,
    canceller: Canceller,
  ): Promise<Outcome> {
    if (before !== undefined) await this.#limited(before.ended, REST_MS, new Canceller());
    const check = this.#checking;
    if (check !== undefined && action.mode === 'orderly') {
      await this.#limited(check.ended, CHECK_REST_MS, new Canceller(), 0);
    }
    const outcome = await this.#limited(act(), action.timeoutMs, canceller);
    if (outcome !== undefined) return outcome;
    return { outcome: 'unknown', detail: `${action.action} did not end in ${action.timeoutMs} ms` };
  }

  async #act(action: EngineAction, canceller: Canceller): Promise<Outcome> {
    const starts = action.action === 'start';
    if (starts && !this.#holdsLease(action.epoch)) {
      return { outcome: 'withheld', detail: 'the lease has run out; it is tried again' };
    }
    try {
      if (starts) return await this.#agent.start(action.epoch, canceller.signal);
      return await this.#agent.stop(canceller.signal, action.mode);
    } catch (error) {
      return { outcome: 'failed', detail: messageOf(error) };
    }
  }

  /** Undefined when it took longer, although it was then cancelled and given a moment to end. */
  async #limited<T>(
    work: Promise<T>,
    ms: number,
    canceller: Canceller,
    restMs = REST_MS,
  ): Promise<T | undefined> {
    let clear = (): void => undefined;
    const limit = new Promise<undefined>((resolve) => {
      clear = this.#timer.after(ms, () => resolve(undefined));
    });
    const first = await Promise.race([work.then((value) => ({ value })), limit]);
    clear();
    if (first !== undefined) return first.value;
    canceller.cancel();
    const rest = new Promise<undefined>((resolve) => {
      clear = this.#timer.after(restMs, () => resolve(undefined));
    });
    const late = await Promise.race([work.then((value) => ({ value })), rest]);
    clear();
    return late?.value;
  }
}
