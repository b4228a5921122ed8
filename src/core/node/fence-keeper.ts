/**
 * Of two nodes without a witness: when the other one is turned off by its fence, and for how long
 * the word that it is off counts. What follows for a group is in `fenced-takeover.ts`.
 *
 *   idle ── wanted ──► due ── own turn ──► running ── it is off ──► off
 *    ▲                  ▲                     │ not known              │
 *    │                  └──── pause ──────────┘                        │
 *    └────────────────── the other is heard, in any state ─────────────┘
 *
 * Both may want it at the same moment. The one that owns more of the groups goes first, of equals the
 * one that comes first in the configuration; the other one waits for a while, by which it should be off.
 *
 * Invariants (SPEC.md, F1 to F5): only an answer that says `off` counts, and only if nothing was heard
 * of the node since that run of the fence began; from the first sign of life on it counts no more.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { EventDraft } from '../../protocol/event.ts';
import type { FenceAnswer } from '../../protocol/fence.ts';
import type { NodeId } from '../../protocol/ids.ts';

export interface FenceOptions {
  readonly me: NodeId;
  /** Whom the fence turns off. */
  readonly peer: NodeId;
  /** How long the one that goes second waits. */
  readonly delayMs: number;
  /** A run that has not answered by then is not known to have done anything. */
  readonly runMsMax: number;
}

export type FenceEffect =
  | { readonly type: 'fence'; readonly id: number; readonly node: NodeId }
  | { readonly type: 'event'; readonly draft: EventDraft };

/** What the groups have to say at a moment. */
export interface FenceNeed {
  /** Groups that wait for nothing but the word that the other is off. */
  readonly groups: readonly string[];
  /** This node goes first. */
  readonly first: boolean;
  /** Why the other one counts as lost. */
  readonly reason: string;
}

/** What is known of the other node by its fence, for people. */
export interface FenceView {
  readonly node: NodeId;
  readonly state: 'idle' | 'due' | 'running' | 'off';
  /** Runs in a row that did not say that it is off. */
  readonly failures: number;
  /** What the last run said. */
  readonly detail: string;
}

/** Between two runs; doubles up to the second. */
const RETRY_MS = 5000;
const RETRY_MS_MAX = 60_000;

type State =
  | { readonly type: 'idle' }
  | { readonly type: 'due'; readonly at: Instant }
  | { readonly type: 'running'; readonly id: number; readonly until: Instant }
  | { readonly type: 'off' };

export class FenceKeeper {
  readonly #options: FenceOptions;
  #state: State = { type: 'idle' };
  #failures = 0;
  #detail = '';
  #runs = 0;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  get peer(): NodeId {
    return this.#options.peer;
  }

  /** It is off, and nothing was heard of it since. */
  get isOff(): boolean {
    return this.#state.type === 'off';
  }

  get view(): FenceView {
    const { peer: node } = this.#options;
    return { node, state: this.#state.type, failures: this.#failures, detail: this.#detail };
  }

  nextWakeAt(): Instant {
    if (this.#state.type === 'running') return this.#state.until;
    return this.#state.type === 'due' ? this.#state.at : NEVER;
  }

  /** A sign of life: whatever was known, or is found out by a run under way, is void. */
  heard(): readonly FenceEffect[] {
    const was = this.#state.type;
    this.#state = { type: 'idle' };
    this.#failures = 0;
    if (was !== 'off') return [];
    const { peer } = this.#options;
    return [event('info', 'fence-over', `${peer} is heard again: that it was off counts no more`)];
  }

  /** Goes on with what the groups want now. */
  advance(need: FenceNeed, now: Instant): readonly FenceEffect[] {
    const late = this.#state.type === 'running' && now >= this.#state.until;
    const seconds = this.#options.runMsMax / 1000;
    const detail = `it did not answer within ${seconds} s`;
    const ended = late ? this.answered(this.#runs, { state: 'unknown', detail }, now) : [];
    return [...ended, ...this.#advance(need, now)];
  }

  #advance({ first, groups, reason }: FenceNeed, now: Instant): readonly FenceEffect[] {
    if (groups.length === 0) {
      if (this.#state.type === 'due') this.#state = { type: 'idle' };
      return [];
    }
    if (this.#state.type === 'idle') {
      const waitMs = first ? 0 : this.#options.delayMs;
      this.#state = { type: 'due', at: plus(now, waitMs) };
    }
    if (this.#state.type !== 'due' || now < this.#state.at) return [];
    this.#runs += 1;
    const { peer: node, runMsMax } = this.#options;
    this.#state = { type: 'running', id: this.#runs, until: plus(now, runMsMax) };
    const why = `${reason}; ${groups.join(', ')} can go on when it is known to be off`;
    const effects: FenceEffect[] = [{ type: 'fence', id: this.#runs, node }];
    if (this.#failures > 0) return effects;
    return [event('warning', 'fencing', `turning ${node} off by its fence: ${why}`), ...effects];
  }

  /** A run of the fence has ended; one that is void by now says nothing. */
  answered(id: number, answer: FenceAnswer, now: Instant): readonly FenceEffect[] {
    if (this.#state.type !== 'running' || this.#state.id !== id) return [];
    const { me, peer } = this.#options;
    this.#detail = answer.detail;
    if (answer.state === 'off') {
      this.#state = { type: 'off' };
      this.#failures = 0;
      const text = `${peer} is off, its fence says (${answer.detail}): ${me} decides without it`;
      return [event('warning', 'fenced', text)];
    }
    const pauseMs = Math.min(RETRY_MS * 2 ** this.#failures, RETRY_MS_MAX);
    this.#failures += 1;
    this.#state = { type: 'due', at: plus(now, pauseMs) };
    if (this.#failures > 1) return [];
    const next =
      `next: look at the fence ("tako fence test ${peer}"), or turn ${peer} off and run ` +
      `"tako force voters"; it is tried again and again`;
    const found = answer.state === 'on' ? 'is still on' : 'is on or off';
    const what =
      answer.state === 'on' ? `${peer} ${found}` : `it is not known whether ${peer} ${found}`;
    const text = `${what}: ${answer.detail}; nothing fails over; ${next}`;
    return [event('error', 'fence-failed', text)];
  }
}

function event(level: EventDraft['level'], kind: string, text: string): FenceEffect {
  return { type: 'event', draft: { level, kind, group: undefined, resource: undefined, text } };
}
