/**
 * The votes that this node starts for one group: one at a time, in the order in which they were
 * asked for. Each carries a purpose, so that the outcome finds its way back.
 */
import { type Instant, NEVER } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Ballot, RegistryMessage } from '../../protocol/record.ts';
import {
  type ProposalOutcome,
  Proposer,
  type ProposerEffect,
  type ProposerOptions,
} from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';

export interface Proposal<Purpose> {
  readonly change: RecordChange;
  readonly purpose: Purpose;
  readonly timeoutMs: number;
}

export type ProposalsEffect<Purpose> =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RegistryMessage }
  | {
      readonly type: 'settled';
      readonly proposal: Proposal<Purpose>;
      readonly outcome: ProposalOutcome;
    };

/** More than this many waiting votes means that something asks without need. */
const QUEUE_MAX = 64;

export class Proposals<Purpose> {
  readonly #options: ProposerOptions;
  readonly #highest: () => Ballot | undefined;
  #queue: Proposal<Purpose>[] = [];
  #active: { readonly proposal: Proposal<Purpose>; readonly proposer: Proposer } | undefined;

  /** `highest` tells the highest ballot that this node's own acceptor has promised. */
  constructor(options: ProposerOptions, highest: () => Ballot | undefined) {
    this.#options = options;
    this.#highest = highest;
  }

  /** False when the queue is full, or when the same vote is under way or waits already. */
  propose(proposal: Proposal<Purpose>, now: Instant): readonly ProposalsEffect<Purpose>[] {
    const key = JSON.stringify([proposal.change, proposal.purpose]);
    const known =
      this.#active === undefined ? this.#queue : [this.#active.proposal, ...this.#queue];
    const twice = known.some((p) => JSON.stringify([p.change, p.purpose]) === key);
    if (!twice && this.#queue.length < QUEUE_MAX) this.#queue.push(proposal);
    return this.#next(now);
  }

  /** Votes of that purpose, waiting or under way, end and settle as `noQuorum`. */
  withdraw(purpose: Purpose, now: Instant): readonly ProposalsEffect<Purpose>[] {
    const withdrawn = this.#queue.filter((proposal) => proposal.purpose === purpose);
    this.#queue = this.#queue.filter((proposal) => proposal.purpose !== purpose);
    const active = this.#active?.proposal.purpose === purpose ? this.#active : undefined;
    const ended = active === undefined ? [] : this.#convert(active.proposer.cancel(), now);
    const outcome = { type: 'noQuorum', uncertain: false, why: 'it was withdrawn' } as const;
    const settled = withdrawn.map((proposal) => ({ type: 'settled', proposal, outcome }) as const);
    return [...ended, ...settled];
  }

  message(
    from: NodeId,
    message: RegistryMessage,
    now: Instant,
  ): readonly ProposalsEffect<Purpose>[] {
    if (this.#active === undefined) return [];
    return this.#convert(this.#active.proposer.step(from, message, now), now);
  }

  tick(now: Instant): readonly ProposalsEffect<Purpose>[] {
    if (this.#active === undefined) return this.#next(now);
    return this.#convert(this.#active.proposer.tick(now), now);
  }

  nextWakeAt(): Instant {
    return this.#active?.proposer.nextWakeAt() ?? NEVER;
  }

  #next(now: Instant): readonly ProposalsEffect<Purpose>[] {
    if (this.#active !== undefined) return [];
    const proposal = this.#queue.shift();
    if (proposal === undefined) return [];
    const { change, timeoutMs } = proposal;
    const start = { now, timeoutMs, highest: this.#highest() };
    const proposer = new Proposer(this.#options, change, start);
    this.#active = { proposal, proposer };
    return this.#convert(proposer.tick(now), now);
  }

  #convert(effects: readonly ProposerEffect[], now: Instant): readonly ProposalsEffect<Purpose>[] {
    const converted: ProposalsEffect<Purpose>[] = [];
    for (const effect of effects) {
      if (effect.type === 'send') converted.push(effect);
      else if (this.#active !== undefined) {
        const { proposal } = this.#active;
        this.#active = undefined;
        converted.push({ type: 'settled', proposal, outcome: effect.outcome });
        converted.push(...this.#next(now));
      }
    }
    return converted;
  }
}
