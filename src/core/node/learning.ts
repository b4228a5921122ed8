/**
 * How this node comes to know the group's record: by the outcomes of its own votes and readings,
 * and by what other members say was decided.
 *
 * Invariant: a record never gives way to one of an older epoch.
 */
import { unreachable } from '../../base/assert.ts';
import { earliest, type Instant, NEVER, plus } from '../../base/time.ts';
import type { Ballot, OwnershipRecord } from '../../protocol/record.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { compareBallots } from '../registry/ballot.ts';
import { lineOf } from '../registry/forced-line.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import { sameBars } from '../registry/bars.ts';
import type { RecordChange } from '../registry/record-change.ts';
import type { Candidate } from './candidate.ts';
import type { Departure } from './departure.ts';
import {
  type GroupContext,
  type GroupPhase,
  type Moves,
  type Purpose,
  RETRY_MS,
} from './group-context.ts';
import type { Decided } from './node-io.ts';
import type { Owner } from './owner.ts';
import type { Proposal } from './proposals.ts';
import type { Requests } from './requests.ts';

/** A record that cannot be read for so long is worth a word. */
const UNREAD_MS = 5000;
/** In which nothing of the group runs here. */
const RESTING: readonly GroupPhase[] = ['waiting', 'sealing', 'claiming', 'offline'];

export interface LearningParts {
  readonly candidate: Candidate;
  readonly owner: Owner;
  readonly departure: Departure;
  readonly requests: Requests;
}

/** A line of records that somebody claims by, or asks for votes on. */
export interface Line {
  readonly line: number;
  readonly owner: NodeId;
  /** Undefined where it is claimed by, and so is known to be chosen. */
  readonly asked: { readonly by: NodeId; readonly ballot: Ballot } | undefined;
}

export class Learning {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #parts: LearningParts;
  /** That of which this node reads until it finds it. */
  #newest: Line | undefined;
  /** Since when no reading has found a majority. */
  #unreadSince: Instant = NEVER;

  constructor(context: GroupContext, moves: Moves, parts: LearningParts) {
    this.#context = context;
    this.#moves = moves;
    this.#parts = parts;
  }

  /** A vote of this node has ended. */
  settled(proposal: Proposal<Purpose>, outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const { candidate, departure, owner, requests } = this.#parts;
    const before = context.record;
    const owned = context.epochOwned;
    const { presumed } = context;
    if (outcome.type === 'empty') context.knownEmpty = true;
    if (outcome.type === 'noQuorum' && outcome.uncertain) this.#readSoon(now);
    if (outcome.type === 'chosen') {
      context.voters.chosen(outcome.record);
      context.readAt = now;
      if (lineOf(outcome.record) >= context.newestLine) {
        context.readFirst = false;
        this.#newest = undefined;
      }
      // A claim that turns out to be chosen is taken up, or made anew, sealed as it is.
      const atRest = context.phase === 'probing' || context.phase === 'waiting';
      if (atRest && outcome.record.owner !== context.me) context.mirrors.claimsBeforeAreVoid();
    }
    this.#take(outcome, now);
    const { record } = context;
    if (presumed && !context.presumed && owned === record?.epoch) owner.recordRead(now);
    if (outcome.type === 'noQuorum' && outcome.rival !== undefined && owned !== undefined) {
      if (proposal.purpose === 'want') requests.wantSettled(proposal.change, outcome, now);
      if (proposal.purpose === 'bar') requests.barSettled(proposal.change, outcome, now);
      requests.maintenanceSettled(proposal.change, outcome, before, now);
      context.readFirst = true;
      return this.#moves.yield(outcome.why, now);
    }
    const overtaken = owned !== undefined && record !== undefined && record.epoch > owned;
    if (overtaken && proposal.purpose !== 'transfer') {
      if (proposal.purpose === 'want') requests.wantRecorded(outcome, now);
      if (proposal.purpose === 'bar') requests.barSettled(proposal.change, outcome, now);
      requests.maintenanceSettled(proposal.change, outcome, before, now);
      return this.#moves.yield(owns(record), now);
    }
    this.#leaveOffline(now);
    switch (proposal.purpose) {
      case 'learn':
        return this.#learned(before, outcome, now);
      case 'create':
      case 'claim':
        return candidate.claimSettled(proposal.purpose, outcome, now);
      case 'transfer':
        departure.transferSettled(outcome, now);
        return this.#claimOvertaken(before, now);
      case 'copy':
        return owner.copySettled(proposal.change, outcome, now);
      case 'voters':
        return this.#votersSettled(proposal.change, outcome, now);
      case 'bar':
        return requests.barSettled(proposal.change, outcome, now);
      case 'maintain':
        return requests.maintenanceSettled(proposal.change, outcome, before, now);
      case 'want':
        return requests.wantSettled(proposal.change, outcome, now);
      default:
        return unreachable(proposal.purpose);
    }
  }

  /** By what was chosen since, a claim that rests on what went before is void. */
  #claimOvertaken(before: OwnershipRecord | undefined, now: Instant): void {
    const { me, phase, record } = this.#context;
    const claims = phase === 'sealing' || phase === 'claiming';
    if (!claims || record === undefined || record.owner === me) return;
    if (record.epoch > (before?.epoch ?? 0)) this.#parts.candidate.unseal(owns(record), now);
  }

  /** An owner reads what became of it, for others may count by it already. */
  #readSoon(now: Instant): void {
    const context = this.#context;
    if (context.epochOwned === undefined) return;
    context.retryAt = earliest([context.retryAt, plus(now, RETRY_MS)]);
  }

  #votersSettled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    const { departure, owner } = this.#parts;
    if (this.#context.phase === 'handing') return departure.votersSettled(outcome, now);
    owner.votersSettled(change, outcome, now);
  }

  /** Another member says what was decided. */
  heard(decided: Decided, now: Instant): void {
    const context = this.#context;
    const { record } = decided;
    const before = context.record;
    for (const node of decided.failedOn) context.peers.failedOn(node, now);
    if (before !== undefined && record.epoch < before.epoch) return;
    const newer = before === undefined || record.epoch > before.epoch;
    // The word of others is no ground to take up what a probe may find running here.
    if (context.phase === 'probing' && record.owner === context.me) return context.learn(now);
    if (context.epochOwned !== undefined || context.phase === 'offline') {
      // The same epoch with another wish: somebody recorded it elsewhere.
      if (!newer && record.want !== before.want) return context.learn(now);
      if (!newer && !sameBars(record, before)) return context.learn(now);
      if (!newer || (context.phase === 'offline' && record.owner === context.me)) return;
    }
    // An own claim that somebody else has completed: sealed as it is, it is read, not given up.
    const claiming = context.phase === 'sealing' || context.phase === 'claiming';
    if (claiming && record.owner === context.me) return context.learn(now);
    const owned = context.epochOwned;
    context.record = record;
    context.presumed = false;
    if (owned !== undefined) return this.#moves.yield(owns(record), now);
    if (context.phase === 'probing' || context.phase === 'yielding') return;
    this.#leaveOffline(now);
    if (!newer) return;
    const { candidate } = this.#parts;
    if (context.phase === 'waiting') return candidate.movedOn(record, decided.reason, now);
    candidate.unseal(owns(record), now);
  }

  /**
   * A vote for a record that was forced, or a claim of whoever owns the group by one, perhaps while
   * this node was thought to be off. Whatever this node owns or claims is of an older line, even
   * where its own votes alone uphold that.
   */
  lineSeen(seen: Line, now: Instant): void {
    const { line, owner } = seen;
    const context = this.#context;
    const known = context.record ?? context.options.accepted();
    this.#lineGivenUp(seen);
    if (line <= lineOf(known)) return;
    context.readFirst = true;
    if (line >= context.newestLine) this.#newest = seen;
    context.newestLine = Math.max(context.newestLine, line);
    const why = `${owner} was made its owner by force`;
    if (context.epochOwned !== undefined) return this.#moves.yield(why, now);
    // Nothing runs: what the heart still claims from before this process keeps voters from that line.
    if (RESTING.includes(context.phase)) context.voice.emit({ type: 'release', group: context.id });
    if (context.phase === 'sealing') return this.#parts.candidate.unseal(why, now);
    if (context.phase === 'claiming') context.withdraw('claim', now);
  }

  /** Who tried to begin that line asks for votes for an older one: it has read that it came to nothing. */
  #lineGivenUp({ line, asked }: Line): void {
    const newest = this.#newest;
    if (newest?.asked === undefined || asked === undefined) return;
    // Whoever else asked for votes on it had found it accepted.
    const begins = newest.asked.by === newest.owner;
    if (!begins || asked.by !== newest.owner || line >= newest.line) return;
    if (compareBallots(asked.ballot, newest.asked.ballot) <= 0) return;
    this.#context.newestLine = line;
    this.#newest = undefined;
  }

  /** A line was seen that no reading has found yet: every question for votes may tell of it. */
  get awaitsLine(): boolean {
    return this.#newest !== undefined;
  }

  /** A group that was stopped here and started elsewhere is followed like any other. */
  #leaveOffline(now: Instant): void {
    const { me, phase, record } = this.#context;
    if (phase === 'offline' && record?.owner !== me) this.#moves.wait(now);
  }

  /**
   * Whatever a vote was for, it tells the present record. One that was only found on the way may
   * never have been chosen: it is read first.
   */
  #take(outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const before = context.record;
    if (outcome.type === 'rejected') {
      const newer = (outcome.record?.epoch ?? 0) > (before?.epoch ?? 0);
      if (newer || !sameBars(outcome.record ?? before, before)) context.learn(now);
      return;
    }
    if (outcome.type !== 'chosen') return;
    const { record } = outcome;
    if (before !== undefined && record.epoch < before.epoch && !this.#corrects(record)) return;
    context.record = record;
    context.presumed = false;
    if (before?.epoch === record.epoch && context.epochOwned !== undefined) {
      this.#parts.owner.copiesChanged(before, record, now);
    }
  }

  /** What was only presumed, and not by force since, has not been chosen. */
  #corrects(chosen: OwnershipRecord): boolean {
    const { presumed, record } = this.#context;
    return presumed && lineOf(chosen) === lineOf(record);
  }

  /** Members come up one after the other: nothing is said of that before it has lasted. */
  #unread(why: string, now: Instant): void {
    const context = this.#context;
    if (context.record !== undefined && context.phase !== 'probing') return;
    context.reason = `who owns the group is not known yet: ${why}`;
    if (this.#unreadSince === NEVER) this.#unreadSince = now;
    if (now - this.#unreadSince < UNREAD_MS) return;
    // Those who are known to be missing are named by `Probing`.
    const voters = context.options.accepted()?.voters ?? [];
    if (context.phase === 'probing' && voters.some(({ node }) => context.peers.isLost(node)))
      return;
    const text = `${context.reason}; next: bring up more of them, or look at the links to them`;
    context.voice.sayOnce('unread', 'warning', 'no-majority', text);
  }

  #learned(before: OwnershipRecord | undefined, outcome: ProposalOutcome, now: Instant): void {
    const { phase, record } = this.#context;
    const { candidate } = this.#parts;
    if (outcome.type === 'noQuorum') this.#unread(outcome.why, now);
    else this.#unreadSince = NEVER;
    // What was said before may be lost, or have come behind something older.
    if (phase === 'owning' && outcome.type === 'chosen')
      this.#context.announce(outcome.record, now);
    if (phase === 'claiming') return candidate.doubtSettled(before, outcome, now);
    if (record === undefined || record.epoch === before?.epoch) return;
    if (phase === 'waiting' && before !== undefined) {
      candidate.movedOn(record, 'the registry names this node as its owner', now);
    } else if (phase === 'sealing') {
      if (record.owner === this.#context.me) return this.#moves.own(record, owns(record), now);
      candidate.unseal(owns(record), now);
    }
  }
}

function owns(record: OwnershipRecord): string {
  return `${record.owner} owns the group at epoch ${record.epoch}`;
}
