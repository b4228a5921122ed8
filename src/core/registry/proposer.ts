/**
 * The proposer of the embedded registry: carries one change of one group's record through a vote
 * (CASPaxos: prepare, evaluate the change against the highest accepted record, accept).
 *
 *   own prepare -> prepare -> accept -> chosen
 *        ^            |          |
 *        +-- refused for a higher ballot, after a pause --+
 *
 * Invariants: a ballot is sent to others only after this node's own acceptor promised it on stable
 * storage, so that no ballot is ever used for two records, not even across restarts. The outcome
 * of an attempt that reached the accept phase is unknown until a later vote reads the record.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type {
  Ballot,
  OwnershipRecord,
  RegistryMessage,
  VotedRecord,
} from '../../protocol/record.ts';
import { compareBallots } from './ballot.ts';
import { type RecordChange, evaluate } from './record-change.ts';

export type ProposalOutcome =
  | { readonly type: 'chosen'; readonly record: OwnershipRecord }
  /** The registry has never had a record for the group. */
  | { readonly type: 'empty' }
  | {
      readonly type: 'rejected';
      readonly record: OwnershipRecord | undefined;
      readonly why: string;
    }
  /** Too few votes in time. `uncertain`: it may have been, or may yet be, chosen. */
  | { readonly type: 'noQuorum'; readonly uncertain: boolean; readonly why: string };

export interface ProposerOptions {
  readonly me: NodeId;
  readonly group: GroupId;
  /** Sorted, this node among them. */
  readonly voters: readonly NodeId[];
  /** Position of this node among the voters: spreads retries of rivals. */
  readonly rank: number;
}

export type ProposerEffect =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RegistryMessage }
  | { readonly type: 'outcome'; readonly outcome: ProposalOutcome };

/** An unanswered question is asked again after this time; datagrams may be lost. */
const RESEND_MS = 40;
/** Pause before a new ballot after a refusal, and how much longer each rank waits. */
const RIVAL_PAUSE_MS = 10;
const RIVAL_STAGGER_MS = 17;
/** A refused promise that has this long to go is asked again a little after it ended. */
const PROMISE_MARGIN_MS = 2;

type Phase = 'own' | 'prepare' | 'accept' | 'pause';

export class Proposer {
  readonly #options: ProposerOptions;
  readonly change: RecordChange;
  readonly #deadline: Instant;
  #phase: Phase = 'own';
  #ballot: Ballot;
  #round = 0;
  #answers = new Map<NodeId, VotedRecord | undefined>();
  /** When to ask each voter that has not answered. */
  #askAt = new Map<NodeId, Instant>();
  #pauseUntil: Instant = NEVER;
  #record: OwnershipRecord | undefined;
  #previous: NodeId | undefined;
  #reachedAccept = false;
  #refusals = '';
  #done = false;

  constructor(
    options: ProposerOptions,
    change: RecordChange,
    start: {
      readonly now: Instant;
      readonly timeoutMs: number;
      readonly highest: Ballot | undefined;
    },
  ) {
    this.#options = options;
    this.change = change;
    this.#deadline = plus(start.now, start.timeoutMs);
    this.#ballot = { counter: (start.highest?.counter ?? 0) + 1, node: options.me };
    this.#askAt.set(options.me, start.now);
  }

  get done(): boolean {
    return this.#done;
  }

  nextWakeAt(): Instant {
    if (this.#done) return NEVER;
    if (this.#phase === 'pause') return earliest([this.#pauseUntil, this.#deadline]);
    return earliest([...this.#askAt.values(), this.#deadline]);
  }

  tick(now: Instant): readonly ProposerEffect[] {
    if (this.#done) return [];
    if (now >= this.#deadline) return this.#giveUp();
    if (this.#phase === 'pause' && now >= this.#pauseUntil) this.#restart(now);
    const effects: ProposerEffect[] = [];
    for (const [voter, at] of this.#askAt) {
      if (at > now) continue;
      this.#askAt.set(voter, plus(now, RESEND_MS));
      effects.push({ type: 'send', to: voter, message: this.#question() });
    }
    return effects;
  }

  /** Ends the attempt before its time, for instance because the lost owner is heard again. */
  cancel(): readonly ProposerEffect[] {
    return this.#done ? [] : this.#giveUp();
  }

  step(from: NodeId, message: RegistryMessage, now: Instant): readonly ProposerEffect[] {
    if (this.#done || this.#phase === 'pause' || message.id !== this.#questionId()) return [];
    if (!this.#askAt.has(from)) return [];
    if (message.type === 'refused') return this.#refused(from, message, now);
    if (message.type === 'prepared' && this.#phase !== 'accept') {
      return this.#prepared(from, message.accepted, now);
    }
    if (message.type === 'accepted' && this.#phase === 'accept') return this.#accepted(from);
    return [];
  }

  #prepared(
    from: NodeId,
    accepted: VotedRecord | undefined,
    now: Instant,
  ): readonly ProposerEffect[] {
    this.#answers.set(from, accepted);
    this.#askAt.delete(from);
    if (this.#phase === 'own') {
      this.#phase = 'prepare';
      for (const voter of this.#options.voters) {
        if (voter !== this.#options.me) this.#askAt.set(voter, now);
      }
    }
    if (this.#answers.size < this.#majority()) return this.tick(now);
    let latest: VotedRecord | undefined;
    for (const vote of this.#answers.values()) {
      if (vote === undefined) continue;
      if (latest === undefined || compareBallots(vote.ballot, latest.ballot) > 0) latest = vote;
    }
    const evaluation = evaluate(this.change, latest?.record);
    if (evaluation.type === 'rejected') return this.#finish(evaluation);
    if (evaluation.type === 'empty') return this.#finish(evaluation);
    this.#phase = 'accept';
    this.#reachedAccept = true;
    this.#record = evaluation.record;
    this.#previous = latest?.record?.owner;
    this.#answers.clear();
    this.#askAt = new Map(this.#options.voters.map((voter) => [voter, now]));
    return this.tick(now);
  }

  #accepted(from: NodeId): readonly ProposerEffect[] {
    this.#answers.set(from, undefined);
    this.#askAt.delete(from);
    if (this.#answers.size < this.#majority()) return [];
    const record = must(this.#record, 'the accept phase has a record');
    return this.#finish({ type: 'chosen', record });
  }

  #refused(
    from: NodeId,
    message: Extract<RegistryMessage, { type: 'refused' }>,
    now: Instant,
  ): readonly ProposerEffect[] {
    if (message.why === 'ballot') {
      const highest = message.highest;
      if (highest !== undefined && highest.counter >= this.#ballot.counter) {
        this.#ballot = { counter: highest.counter, node: this.#options.me };
      }
      this.#phase = 'pause';
      this.#refusals = `${from} has answered a rival`;
      const pauseMs = RIVAL_PAUSE_MS + this.#options.rank * RIVAL_STAGGER_MS;
      this.#pauseUntil = plus(now, pauseMs * Math.min(this.#round + 1, 8));
      return [];
    }
    this.#refusals = `${from} is bound to the owner for another ${Math.ceil(message.remainingMs)} ms`;
    this.#askAt.set(from, plus(now, message.remainingMs + PROMISE_MARGIN_MS));
    return [];
  }

  #restart(now: Instant): void {
    this.#round += 1;
    this.#phase = 'own';
    this.#ballot = { counter: this.#ballot.counter + 1, node: this.#options.me };
    this.#answers.clear();
    this.#askAt = new Map([[this.#options.me, now]]);
    this.#pauseUntil = NEVER;
  }

  #question(): RegistryMessage {
    const id = this.#questionId();
    const { group } = this.#options;
    if (this.#phase !== 'accept') return { type: 'prepare', id, group, ballot: this.#ballot };
    return {
      type: 'accept',
      id,
      group,
      ballot: this.#ballot,
      record: must(this.#record, 'the accept phase has a record'),
      previous: this.#previous,
    };
  }

  #questionId(): string {
    const phase = this.#phase === 'accept' ? 'a' : 'p';
    return `${this.#options.me}/${this.#ballot.counter}/${phase}`;
  }

  #majority(): number {
    return Math.floor(this.#options.voters.length / 2) + 1;
  }

  #giveUp(): readonly ProposerEffect[] {
    const heard = [...this.#answers.keys()].sort().join(', ') || 'nobody';
    const why =
      `${this.#answers.size} of ${this.#majority()} needed votes in time (from ${heard})` +
      (this.#refusals === '' ? '' : `; ${this.#refusals}`);
    return this.#finish({ type: 'noQuorum', uncertain: this.#reachedAccept, why });
  }

  #finish(outcome: ProposalOutcome): readonly ProposerEffect[] {
    this.#done = true;
    this.#askAt.clear();
    return [{ type: 'outcome', outcome }];
  }
}
