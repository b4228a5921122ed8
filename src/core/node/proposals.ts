/**
 * The votes that this node starts for one group: one at a time, in the order in which they were
 * asked for. Each carries a purpose, so that the outcome finds its way back.
 *
 * The next vote begins with `tick`, once what follows from the outcome of the former is done, which
 * may withdraw it: whoever carries out `settled` calls it then.
 *
 * What becomes of each vote is noted for onlookers, always before the messages that rest on it: so
 * a history of notes lacks nothing that can have had an effect, whenever it breaks off.
 */
import { type Instant, NEVER } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../../protocol/stored-record.ts';
import { type ProposalOutcome, Proposer, type ProposerEffect } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { type SwapEffect, type SwapOptions, SwapProposer } from '../registry/swap-proposer.ts';

export interface ProposalsOptions extends SwapOptions {
  /** The records are in a store outside the cluster. */
  readonly outside: boolean;
}

export interface Proposal<Purpose> {
  readonly change: RecordChange;
  readonly purpose: Purpose;
  readonly timeoutMs: number;
}

/** How a vote goes, for onlookers; `vote` counts the votes of this process for the group. */
export type VoteNote = { readonly vote: number } & (
  | { readonly type: 'began'; readonly change: RecordChange }
  /** Votes are asked for this record: from now on it may come to be chosen, whatever is told later. */
  | { readonly type: 'tried'; readonly ballot: Ballot; readonly record: OwnershipRecord }
  /** What a store outside held, at an instant after the note before this one. */
  | { readonly type: 'found'; readonly reading: StoreReading }
  /** What such a store made of what was tried last. */
  | { readonly type: 'answered'; readonly outcome: SwapOutcome }
  | { readonly type: 'ended'; readonly outcome: ProposalOutcome }
);

export type ProposalsEffect<Purpose> =
  | { readonly type: 'note'; readonly note: VoteNote }
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RegistryMessage }
  | { readonly type: 'fetch'; readonly id: number }
  | {
      readonly type: 'swap';
      readonly id: number;
      readonly expected: number;
      readonly vote: StoredVote;
    }
  | {
      readonly type: 'settled';
      readonly proposal: Proposal<Purpose>;
      readonly outcome: ProposalOutcome;
    };

type WithoutVote<T> = T extends { readonly vote: number } ? Omit<T, 'vote'> : never;

/** More than this many waiting votes means that something asks without need. */
const QUEUE_MAX = 64;
/** Questions to a store outside that one vote asks at most: its pauses are longer than a few ms. */
const QUESTIONS_MAX = 100_000;

export class Proposals<Purpose> {
  readonly #options: ProposalsOptions;
  readonly #highest: () => Ballot | undefined;
  #queue: Proposal<Purpose>[] = [];
  #active:
    | { readonly proposal: Proposal<Purpose>; readonly proposer: Proposer | SwapProposer }
    | undefined;
  #begun = 0;
  #inDoubt = true;
  /** The counter of the last ballot that the active vote was noted to have tried. */
  #tried: number | undefined;

  /** `highest` tells the highest ballot that this node's own acceptor has promised. */
  constructor(options: ProposalsOptions, highest: () => Ballot | undefined) {
    this.#options = options;
    this.#highest = highest;
  }

  /**
   * A vote ended without a clear outcome, here or before this process began, and none was chosen since:
   * it may be chosen yet.
   */
  get inDoubt(): boolean {
    return this.#inDoubt;
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

  /** Those votes, waiting or under way, end and settle as `noQuorum`. */
  withdraw(which: (proposal: Proposal<Purpose>) => boolean): readonly ProposalsEffect<Purpose>[] {
    const withdrawn = this.#queue.filter((proposal) => which(proposal));
    this.#queue = this.#queue.filter((proposal) => !which(proposal));
    const active = this.#active;
    const ends = active !== undefined && which(active.proposal);
    const ended = ends ? this.#convert(active.proposer.cancel()) : [];
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
    return this.#convert(this.#active.proposer.step(from, message, now));
  }

  /** The store's answer; one to a vote that has ended is nobody's. */
  fetched(id: number, reading: StoreReading, now: Instant): readonly ProposalsEffect<Purpose>[] {
    const asked = this.#askerOf(id);
    if (asked === undefined) return [];
    const found = this.#note({ type: 'found', reading });
    return [found, ...this.#convert(asked.fetched(id % QUESTIONS_MAX, reading, now))];
  }

  swapped(id: number, outcome: SwapOutcome, now: Instant): readonly ProposalsEffect<Purpose>[] {
    const asked = this.#askerOf(id);
    if (asked === undefined) return [];
    const answered = this.#note({ type: 'answered', outcome });
    return [answered, ...this.#convert(asked.swapped(id % QUESTIONS_MAX, outcome, now))];
  }

  #askerOf(id: number): SwapProposer | undefined {
    const proposer = this.#active?.proposer;
    const asks = Math.floor(id / QUESTIONS_MAX) === this.#begun;
    return asks && proposer instanceof SwapProposer ? proposer : undefined;
  }

  tick(now: Instant): readonly ProposalsEffect<Purpose>[] {
    if (this.#active === undefined) return this.#next(now);
    return this.#convert(this.#active.proposer.tick(now));
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
    const proposer = this.#options.outside
      ? new SwapProposer({ ...this.#options, inDoubt: this.#inDoubt }, change, start)
      : new Proposer(this.#options, change, start);
    this.#active = { proposal, proposer };
    this.#begun += 1;
    this.#tried = undefined;
    const began = this.#note({ type: 'began', change });
    return [began, ...this.#convert(proposer.tick(now))];
  }

  #convert(effects: readonly (ProposerEffect | SwapEffect)[]): readonly ProposalsEffect<Purpose>[] {
    const converted: ProposalsEffect<Purpose>[] = [];
    for (const effect of effects) {
      if (effect.type === 'send') {
        converted.push(...this.#newTry(effect.message), effect);
      } else if (effect.type === 'fetch' || effect.type === 'swap') {
        if (effect.type === 'swap') {
          const { by: ballot, record } = effect.vote;
          converted.push(this.#note({ type: 'tried', ballot, record }));
        }
        converted.push({ ...effect, id: this.#begun * QUESTIONS_MAX + effect.id });
      } else if (this.#active !== undefined) {
        const { proposal } = this.#active;
        const { outcome } = effect;
        this.#active = undefined;
        if (outcome.type === 'noQuorum' && outcome.uncertain) this.#inDoubt = true;
        if (outcome.type === 'chosen') this.#inDoubt = false;
        converted.push(this.#note({ type: 'ended', outcome }));
        converted.push({ type: 'settled', proposal, outcome });
      }
    }
    return converted;
  }

  /** A note when this is the first that others are asked to accept a ballot's record. */
  #newTry(message: RegistryMessage): readonly ProposalsEffect<Purpose>[] {
    // Where a store outside decides, it is asked for it.
    if (this.#options.outside) return [];
    if (message.type !== 'accept' || message.ballot.counter === this.#tried) return [];
    const { ballot, record } = message;
    this.#tried = ballot.counter;
    return [this.#note({ type: 'tried', ballot, record })];
  }

  #note(what: WithoutVote<VoteNote>): ProposalsEffect<Purpose> {
    return { type: 'note', note: { vote: this.#begun, ...what } };
  }
}
