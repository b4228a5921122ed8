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
import type { GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type {
  Ballot,
  Electorate,
  OwnershipRecord,
  RegistryMessage,
  VotedRecord,
} from '../../protocol/record.ts';
import { electoratesOf, lacking, majorityOf, present } from './electorate.ts';
import { compareVotes } from './forced-line.ts';
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
  /**
   * Too few votes in time. `uncertain`: it may have been, or may yet be, chosen. `rival`: a record of
   * another owner, perhaps not chosen yet, that this node may not help to be chosen.
   */
  | {
      readonly type: 'noQuorum';
      readonly uncertain: boolean;
      readonly why: string;
      readonly rival?: OwnershipRecord | undefined;
    };

export interface ProposerOptions {
  readonly me: NodeId;
  /** Of this node's own acceptor, which remembers the ballots used. */
  readonly seat: SeatId;
  readonly group: GroupId;
  /**
   * Everybody who is asked, this node among them: whose votes count is up to the record. That
   * there is none yet only all of them together can tell.
   */
  readonly members: readonly NodeId[];
  /** Position of this node among the members: spreads retries of rivals. */
  readonly rank: number;
  /**
   * Whether this node may ask for votes for a record that names another owner: not while it owns the
   * group itself. Voters would think that it gave its lease up, and it still serves.
   */
  readonly mayDepose?: (() => boolean) | undefined;
}

export type ProposerEffect =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RegistryMessage }
  | { readonly type: 'outcome'; readonly outcome: ProposalOutcome };

/** An unanswered question is asked again after this time; datagrams may be lost. */
const RESEND_MS = 40;
/** Pause before a new ballot after a refusal, and how much longer each rank waits. */
const RIVAL_PAUSE_MS = 10;
const RIVAL_STAGGER_MS = 17;
/** Pauses double up to so many times the first: over slow links rivals need long ones to miss each other. */
const PAUSE_FACTOR_MAX = 64;
/** A refused promise that has this long to go is asked again a little after it ended. */
const PROMISE_MARGIN_MS = 2;

const KEPT_OUTSIDE =
  'the records are in etcd, and the configuration of this node has no "registry"';

type Phase = 'own' | 'prepare' | 'accept' | 'pause';

interface Answer {
  readonly seat: SeatId;
  readonly accepted: VotedRecord | undefined;
}

export class Proposer {
  readonly #options: ProposerOptions;
  readonly change: RecordChange;
  readonly #deadline: Instant;
  #phase: Phase = 'own';
  #ballot: Ballot;
  #round = 0;
  #answers = new Map<NodeId, Answer>();
  /** When to ask each voter that has not answered. */
  #askAt = new Map<NodeId, Instant>();
  #pauseUntil: Instant = NEVER;
  #record: OwnershipRecord | undefined;
  /** Those of which a majority is needed for the accept. */
  #electorates: readonly Electorate[] = [];
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
    this.#ballot = this.#ballotAt((start.highest?.counter ?? 0) + 1);
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
      return this.#prepared(from, message, now);
    }
    if (message.type === 'accepted' && this.#phase === 'accept') {
      return this.#accepted(from, message.seat);
    }
    return [];
  }

  #prepared(from: NodeId, answer: Answer, now: Instant): readonly ProposerEffect[] {
    this.#answers.set(from, answer);
    this.#askAt.delete(from);
    if (this.#phase === 'own') {
      this.#phase = 'prepare';
      for (const member of this.#options.members) {
        if (member !== this.#options.me) this.#askAt.set(member, now);
      }
    }
    const latest = this.#latest();
    if (!this.#readEnough(latest?.record)) return this.tick(now);
    if (latest?.record?.registry !== undefined && this.change.type !== 'force') {
      return this.#finish({ type: 'noQuorum', uncertain: false, why: KEPT_OUTSIDE });
    }
    const evaluation = evaluate(this.change, latest?.record, this.#seats());
    if (evaluation.type === 'rejected') return this.#finish(evaluation);
    if (evaluation.type === 'empty') return this.#finish(evaluation);
    const { me, mayDepose } = this.#options;
    const deposes = evaluation.record.owner !== me && this.change.type !== 'transfer';
    if (deposes && mayDepose?.() === false) {
      const { record: rival } = evaluation;
      const why = `${rival.owner} claims the group at epoch ${rival.epoch}`;
      const uncertain = this.#reachedAccept;
      return this.#finish({ type: 'noQuorum', uncertain, why, rival });
    }
    this.#record = evaluation.record;
    this.#electorates = electoratesOf(evaluation.record);
    // Once asked for, it binds: new voters that do not answer now would keep it from ever ending.
    const joins = this.change.type === 'joinVoters';
    if (joins && this.#lackOfVotes() !== undefined) return this.tick(now);
    this.#phase = 'accept';
    this.#reachedAccept = true;
    this.#previous = latest?.record?.owner;
    this.#answers.clear();
    this.#askAt = new Map(this.#options.members.map((member) => [member, now]));
    return this.tick(now);
  }

  #latest(): VotedRecord | undefined {
    let latest: VotedRecord | undefined;
    for (const { accepted } of this.#answers.values()) {
      if (accepted === undefined) continue;
      if (latest === undefined || compareVotes(accepted, latest) > 0) {
        latest = accepted;
      }
    }
    return latest;
  }

  /** Whether nothing that was chosen can have been missed. */
  #readEnough(record: OwnershipRecord | undefined): boolean {
    if (this.change.type === 'force') return this.#unheard().length === 0;
    if (record !== undefined) return lacking(electoratesOf(record), this.#seats()) === undefined;
    return this.#unheard().length === 0;
  }

  /**
   * That there is no record yet can only be told by all; what to force, by all that are not off.
   */
  #unheard(): readonly NodeId[] {
    const off = this.change.type === 'force' ? this.change.off : [];
    return this.#options.members.filter(
      (member) => !this.#answers.has(member) && !off.includes(member),
    );
  }

  #seats(): ReadonlyMap<NodeId, SeatId> {
    return new Map([...this.#answers].map(([node, { seat }]) => [node, seat]));
  }

  #accepted(from: NodeId, seat: SeatId): readonly ProposerEffect[] {
    this.#answers.set(from, { seat, accepted: undefined });
    this.#askAt.delete(from);
    if (this.#lackOfVotes() !== undefined) return [];
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
        this.#ballot = this.#ballotAt(highest.counter);
      }
      this.#phase = 'pause';
      this.#refusals = `${from} has answered a rival`;
      const pauseMs = RIVAL_PAUSE_MS + this.#options.rank * RIVAL_STAGGER_MS;
      this.#pauseUntil = plus(now, pauseMs * Math.min(2 ** this.#round, PAUSE_FACTOR_MAX));
      return [];
    }
    this.#refusals = `${from} is bound to the owner for another ${Math.ceil(message.remainingMs)} ms`;
    this.#askAt.set(from, plus(now, message.remainingMs + PROMISE_MARGIN_MS));
    return [];
  }

  #restart(now: Instant): void {
    this.#round += 1;
    this.#phase = 'own';
    this.#record = undefined;
    this.#ballot = this.#ballotAt(this.#ballot.counter + 1);
    this.#answers.clear();
    this.#askAt = new Map([[this.#options.me, now]]);
    this.#pauseUntil = NEVER;
  }

  #ballotAt(counter: number): Ballot {
    return { counter, node: this.#options.me, seat: this.#options.seat };
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
    return `${this.#options.me}/${this.#options.seat}/${this.#ballot.counter}/${phase}`;
  }

  /** What is missing, in words; undefined when nothing is. */
  #lackOfVotes(): string | undefined {
    const seats = this.#seats();
    const heard = [...seats.keys()].sort().join(', ') || 'nobody';
    const { type } = this.change;
    if (this.#phase === 'accept' && (type === 'create' || type === 'force')) {
      const needed = this.#record?.voters.length ?? 0;
      const got = this.#record === undefined ? 0 : present(this.#record.voters, seats).length;
      return got < needed
        ? `${got} of ${needed} needed votes in time (heard: ${heard})`
        : undefined;
    }
    const record = this.#latest()?.record;
    const known = record === undefined ? [] : electoratesOf(record);
    const joining = type === 'joinVoters' && this.#record !== undefined;
    const needed = this.#phase === 'accept' || joining ? this.#electorates : known;
    const short = lacking(needed, seats);
    if (short !== undefined) {
      const [got, majority] = [present(short, seats).length, majorityOf(short)];
      const voters = short.map(({ node }) => node).join(', ');
      return `${got} of ${majority} needed votes of ${voters} in time (heard: ${heard})`;
    }
    if (this.#phase === 'accept' || known.length > 0) return undefined;
    const missing = this.#unheard().join(', ');
    return `whoever answered has no record of the group (${heard}); to be heard first: ${missing}`;
  }

  #giveUp(): readonly ProposerEffect[] {
    const lack = this.#lackOfVotes() ?? 'the vote was ended before its time';
    const why = this.#refusals === '' ? lack : `${lack}; ${this.#refusals}`;
    return this.#finish({ type: 'noQuorum', uncertain: this.#reachedAccept, why });
  }

  #finish(outcome: ProposalOutcome): readonly ProposerEffect[] {
    this.#done = true;
    this.#askAt.clear();
    return [{ type: 'outcome', outcome }];
  }
}
