/**
 * Carries one change of one group's record through, where the records are in a store outside the
 * cluster (docs/decisions/0026-etcd.md). The store says which record is the latest; the members keep
 * their promises to its owner, and have to let it go before the store names another one.
 *
 *   fetch ──► gather   first record, or a forced one: all members who can be asked ──► swap ──► chosen
 *     ^  └──► release  another owner: voters without which the old one has no lease ──┘
 *     └────── pause ◄── moved, unknown, refused for a higher ballot
 *
 * Invariants:
 *   E1  The owner in the store is replaced, by another than itself, only from a revision at which
 *       voters have let it go that are in every majority of one of its electorates.
 *   E2  A voter that let go at a revision takes no record of that revision any more.
 *   E3  A swap with an unknown outcome is never reported as failed; its own record, found later, is
 *       recognised.
 *   E5  Of a store that holds less than members have voted on, nothing is read and nothing is
 *       changed; only by force a record is made there whose ballots are above all that were voted on.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import type {
  Ballot,
  OwnershipRecord,
  RegistryMessage,
  VotedRecord,
} from '../../protocol/record.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../../protocol/stored-record.ts';
import { compareBallots } from './ballot.ts';
import {
  blockingOf,
  type Seats,
  electorate,
  electoratesOf,
  hasMajority,
  present,
} from './electorate.ts';
import { compareVotes } from './forced-line.ts';
import type { ProposalOutcome, ProposerOptions } from './proposer.ts';
import { type RecordChange, evaluate } from './record-change.ts';
import { counterOf, nextCounter, revisionOf } from './swap-ballot.ts';

export type SwapEffect =
  | { readonly type: 'send'; readonly to: NodeId; readonly message: RegistryMessage }
  /** To be answered by `fetched` with the same id. */
  | { readonly type: 'fetch'; readonly id: number }
  /** To be answered by `swapped` with the same id. */
  | {
      readonly type: 'swap';
      readonly id: number;
      readonly expected: number;
      readonly vote: StoredVote;
    }
  | { readonly type: 'outcome'; readonly outcome: ProposalOutcome };

const RESEND_MS = 40;
const PAUSE_MS = 20;
const STAGGER_MS = 17;
const PAUSE_FACTOR_MAX = 16;
const PROMISE_MARGIN_MS = 2;
/** A majority that may still come in is waited for so long, for then the voters stay as they are. */
const MAJORITY_MS = 50;

/**
 * How far a forced record's ballots are raised above all that is known: members that are off may
 * know more.
 */
const FORCED_MARGIN = 1_000_000_000;

const LOST_BY_STORE = 'the store has no record of the group, but';

export interface SwapOptions extends ProposerOptions {
  /** What this node's own acceptor accepted. */
  readonly known: () => OwnershipRecord | undefined;
  /** What became of an earlier swap of this node is not known yet: a reading has to settle it. */
  readonly inDoubt?: boolean | undefined;
}

type Phase = 'fetch' | 'gather' | 'release' | 'swap' | 'pause';

/** What an attempt found in the store; no record: revision 0. */
interface Found {
  /** What a swap has to expect. */
  readonly revision: number;
  readonly base: number;
  readonly record: OwnershipRecord | undefined;
}

export class SwapProposer {
  readonly #options: SwapOptions;
  readonly change: RecordChange;
  readonly #deadline: Instant;
  #phase: Phase = 'pause';
  #pauseUntil: Instant;
  #round = 0;
  #operation = 0;
  #found: Found = { revision: 0, base: 0, record: undefined };
  #next: OwnershipRecord | undefined;
  #highest: Ballot | undefined;
  #ballot: Ballot;
  #seats = new Map<NodeId, SeatId>();
  /** What members that were asked before a forced record have accepted. */
  readonly #accepted: VotedRecord[] = [];
  #askAt = new Map<NodeId, Instant>();
  #releasedSince: Instant = NEVER;
  /** Records that may have been written, as text. */
  readonly #tried = new Set<string>();
  /** A write was begun of which it is not known what became. */
  #uncertain = false;
  #why = 'the store was not reached in time';
  #done = false;

  constructor(
    options: SwapOptions,
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
    this.#pauseUntil = start.now;
    this.#highest = start.highest;
    this.#ballot = this.#ballotAt(0);
  }

  get done(): boolean {
    return this.#done;
  }

  nextWakeAt(): Instant {
    if (this.#done) return NEVER;
    const at = this.#phase === 'pause' ? [this.#pauseUntil] : [...this.#askAt.values()];
    const settleAt = this.#releasedSince === NEVER ? NEVER : plus(this.#releasedSince, MAJORITY_MS);
    return earliest([...at, settleAt, this.#deadline]);
  }

  tick(now: Instant): readonly SwapEffect[] {
    if (this.#done) return [];
    if (now >= this.#deadline) return this.#giveUp();
    if (this.#phase === 'pause' && now >= this.#pauseUntil) return [this.#fetch()];
    if (this.#phase === 'release' && now >= plus(this.#releasedSince, MAJORITY_MS)) {
      return this.#swap(this.#withVoters());
    }
    const effects: SwapEffect[] = [];
    for (const [member, at] of this.#askAt) {
      if (at > now) continue;
      this.#askAt.set(member, plus(now, RESEND_MS));
      effects.push({ type: 'send', to: member, message: this.#question() });
    }
    return effects;
  }

  cancel(): readonly SwapEffect[] {
    return this.#done ? [] : this.#giveUp();
  }

  fetched(id: number, reading: StoreReading, now: Instant): readonly SwapEffect[] {
    if (this.#done || this.#phase !== 'fetch' || id !== this.#operation) return [];
    if (reading.type === 'foreign') {
      this.#why = `the store holds something that is no record of this group: ${reading.why}`;
      return this.#giveUp();
    }
    if (reading.type === 'unreachable') {
      return this.#pause(`the store does not answer: ${reading.why}`, now);
    }
    const record = reading.type === 'found' ? reading.vote.record : undefined;
    const revision = reading.type === 'found' ? reading.revision : 0;
    const base = reading.type === 'found' ? (reading.vote.base ?? 0) : 0;
    this.#found = { revision, base, record };
    if (reading.type === 'found' && this.#tried.has(asText(reading.vote))) {
      return this.#chosen(reading.vote.record, revision + base);
    }
    if (this.change.type === 'force') return this.#beginForce(now);
    if (
      record === undefined &&
      this.change.type !== 'create' &&
      this.#options.known() !== undefined
    ) {
      return this.#pause(`${LOST_BY_STORE} this node knows one`, now);
    }
    return this.#begin(now);
  }

  swapped(id: number, outcome: SwapOutcome, now: Instant): readonly SwapEffect[] {
    if (this.#done || this.#phase !== 'swap' || id !== this.#operation) return [];
    switch (outcome.type) {
      case 'swapped':
        return this.#chosen(must(this.#next, 'it was sent'), outcome.revision + this.#base());
      case 'moved':
        return this.#pause('the record has moved on', now);
      case 'refused':
        return this.#pause(`the store refused: ${outcome.why}`, now);
      case 'unknown':
        this.#uncertain = true;
        return this.#pause(`what became of the write is unknown: ${outcome.why}`, now);
    }
  }

  step(from: NodeId, message: RegistryMessage, now: Instant): readonly SwapEffect[] {
    if (this.#done || message.id !== this.#questionId() || !this.#askAt.has(from)) return [];
    if (message.type === 'refused') return this.#refused(from, message, now);
    if (message.type === 'prepared' && this.#phase === 'gather') {
      return this.#prepared(from, message);
    }
    if (message.type !== 'accepted' || this.#phase !== 'release') return [];
    this.#heard(from, message.seat);
    const old = must(this.#found.record, 'there is an owner to be let go');
    if (electoratesOf(old).every((voters) => hasMajority(voters, this.#seats))) {
      return this.#swap(this.#withVoters());
    }
    if (this.#releasedSince === NEVER && isLetGo(old, this.#seats)) this.#releasedSince = now;
    return [];
  }

  #prepared(
    from: NodeId,
    { accepted, seat }: Extract<RegistryMessage, { type: 'prepared' }>,
  ): readonly SwapEffect[] {
    const { change } = this;
    if (change.type !== 'force' && accepted?.record !== undefined) {
      this.#why = `${LOST_BY_STORE} ${from} knows one`;
      return this.#giveUp();
    }
    if (accepted !== undefined) this.#accepted.push(accepted);
    this.#heard(from, seat);
    const missing = [...this.#askAt.keys()];
    if (change.type !== 'force') return missing.length > 0 ? [] : this.#swap(this.#evaluated());
    // Those who are off need not answer, and shall not.
    if (missing.some((member) => !change.off.includes(member))) return [];
    return this.#force();
  }

  /** Everybody who is not vouched for is asked what was voted on, whatever the store holds. */
  #beginForce(now: Instant): readonly SwapEffect[] {
    const { base, revision } = this.#found;
    const highest = this.#highest?.counter ?? 0;
    this.#ballot = this.#ballotAt(Math.max(counterOf(base + revision), highest) + 1);
    this.#highest = this.#ballot;
    this.#accepted.length = 0;
    this.#phase = 'gather';
    this.#askAt = new Map(this.#options.members.map((member) => [member, now]));
    return this.tick(now);
  }

  /** On the latest record that the store or one of them knows. */
  #force(): readonly SwapEffect[] {
    const { base, record, revision } = this.#found;
    const ballot = this.#ballotAt(counterOf(base + revision));
    const all = record === undefined ? this.#accepted : [...this.#accepted, { ballot, record }];
    const latest = all.toSorted(compareVotes).at(-1);
    const evaluation = evaluate(this.change, latest?.record, this.#seats);
    if (evaluation.type === 'empty' || evaluation.type === 'rejected') {
      return this.#finish(evaluation);
    }
    return this.#swap(evaluation.record);
  }

  /** Of the record to be written. */
  #base(): number {
    const { base } = this.#found;
    if (this.change.type !== 'force') return base;
    return Math.max(base, revisionOf(this.#ballot.counter)) + FORCED_MARGIN;
  }

  #vote(record: OwnershipRecord): StoredVote {
    const base = this.#base();
    return { record, by: this.#ballot, ...(base > 0 && { base }) };
  }

  #begin(now: Instant): readonly SwapEffect[] {
    const { record } = this.#found;
    const revision = this.#found.base + this.#found.revision;
    const { me, members } = this.#options;
    if (revisionOf(this.#highest?.counter ?? 0) > revision) {
      return this.#pause('members have voted on a later state than the store holds', now);
    }
    const evaluation = evaluate(this.change, record, new Map());
    if (evaluation.type === 'empty' || evaluation.type === 'rejected') {
      return this.#finish(evaluation);
    }
    // What an earlier swap of unknown outcome may yet make is void only once this one has been made.
    const reads = this.change.type === 'read' && record?.owner === me;
    const rewrite = reads || this.#options.inDoubt === true;
    if (evaluation.type === 'settled' && !rewrite) return this.#chosen(evaluation.record, revision);
    const asks =
      record === undefined || (record.owner !== evaluation.record.owner && record.owner !== me);
    const counter = nextCounter(revision, this.#highest);
    if (counter === undefined) return this.#beyond(now);
    this.#next = evaluation.record;
    this.#ballot = this.#ballotAt(counter);
    if (!asks) return this.#swap(evaluation.record);
    this.#highest = this.#ballot;
    this.#phase = record === undefined ? 'gather' : 'release';
    this.#askAt = new Map(members.map((member) => [member, now]));
    return this.tick(now);
  }

  /** No round is left: a record written anew gets a revision with rounds of its own. */
  #beyond(now: Instant): readonly SwapEffect[] {
    const { base, record, revision } = this.#found;
    if (record === undefined) return this.#pause('too many rivals', now);
    this.#ballot = this.#ballotAt(counterOf(base + revision) + 1);
    this.#phase = 'swap';
    this.#operation += 1;
    return [{ type: 'swap', id: this.#operation, expected: revision, vote: this.#vote(record) }];
  }

  #refused(
    from: NodeId,
    message: Extract<RegistryMessage, { type: 'refused' }>,
    now: Instant,
  ): readonly SwapEffect[] {
    if (message.why !== 'ballot') {
      const ms = Math.ceil(message.remainingMs);
      this.#why = `${from} is bound to the owner for another ${ms} ms`;
      this.#askAt.set(from, plus(now, message.remainingMs + PROMISE_MARGIN_MS));
      return [];
    }
    const { highest } = message;
    const known = this.#highest;
    if (highest !== undefined && (known === undefined || compareBallots(highest, known) > 0)) {
      this.#highest = highest;
    }
    return this.#pause(`${from} has answered a rival`, now);
  }

  #heard(from: NodeId, seat: SeatId): void {
    this.#seats.set(from, seat);
    this.#askAt.delete(from);
  }

  #evaluated(): OwnershipRecord {
    const evaluation = evaluate(this.change, this.#found.record, this.#seats);
    if (evaluation.type === 'write') return evaluation.record;
    throw new Error('the same change of the same record was a write before');
  }

  /** Voters of which a majority is not there could not give the new owner a lease. */
  #withVoters(): OwnershipRecord {
    const next = must(this.#next, 'it was evaluated');
    const electorates = electoratesOf(next);
    if (electorates.every((voters) => hasMajority(voters, this.#seats))) return next;
    const there = new Map(
      electorates.flatMap((voters) => present(voters, this.#seats)).map((v) => [v.node, v]),
    );
    return { ...next, voters: electorate(there.values()), formerVoters: undefined };
  }

  #fetch(): SwapEffect {
    this.#phase = 'fetch';
    this.#seats.clear();
    this.#askAt.clear();
    this.#releasedSince = NEVER;
    this.#operation += 1;
    return { type: 'fetch', id: this.#operation };
  }

  #swap(made: OwnershipRecord): readonly SwapEffect[] {
    const record: OwnershipRecord = { ...made, registry: 'etcd' };
    this.#next = record;
    this.#phase = 'swap';
    this.#askAt.clear();
    this.#releasedSince = NEVER;
    this.#operation += 1;
    const vote = this.#vote(record);
    this.#tried.add(asText(vote));
    return [{ type: 'swap', id: this.#operation, expected: this.#found.revision, vote }];
  }

  #pause(why: string, now: Instant): readonly SwapEffect[] {
    this.#why = why;
    this.#phase = 'pause';
    this.#askAt.clear();
    this.#releasedSince = NEVER;
    const pauseMs = PAUSE_MS + this.#options.rank * STAGGER_MS;
    this.#pauseUntil = plus(now, pauseMs * Math.min(2 ** this.#round, PAUSE_FACTOR_MAX));
    this.#round += 1;
    return [];
  }

  #chosen(record: OwnershipRecord, revision: number): readonly SwapEffect[] {
    const { group, me, members } = this.#options;
    const ballot = this.#ballotAt(counterOf(revision));
    const id = `${me}/told/${ballot.counter}`;
    const message = { type: 'accept', id, group, ballot, record, previous: undefined } as const;
    const told = members.map((to) => ({ type: 'send', to, message }) as const);
    return [...told, ...this.#finish({ type: 'chosen', record })];
  }

  #ballotAt(counter: number): Ballot {
    return { counter, node: this.#options.me, seat: this.#options.seat };
  }

  #question(): RegistryMessage {
    const { group } = this.#options;
    const asked = { id: this.#questionId(), group, ballot: this.#ballot };
    if (this.#phase === 'gather') return { type: 'prepare', ...asked };
    const record = must(this.#next, 'it was evaluated');
    return { type: 'accept', ...asked, record, previous: this.#found.record?.owner };
  }

  #questionId(): string {
    const { me, seat } = this.#options;
    return `${me}/${seat}/${this.#ballot.counter}/${this.#phase}`;
  }

  #giveUp(): readonly SwapEffect[] {
    const missing = [...this.#askAt.keys()].join(', ');
    const why = missing === '' ? this.#why : `no answer yet from ${missing}; ${this.#why}`;
    const uncertain = this.#uncertain || this.#phase === 'swap';
    return this.#finish({ type: 'noQuorum', uncertain, why });
  }

  #finish(outcome: ProposalOutcome): readonly SwapEffect[] {
    this.#done = true;
    this.#askAt.clear();
    return [{ type: 'outcome', outcome }];
  }
}

/** Whether every majority of one of its electorates has somebody among these. */
export function isLetGo(record: OwnershipRecord, seats: Seats): boolean {
  return electoratesOf(record).some(
    (voters) => present(voters, seats).length >= blockingOf(voters),
  );
}

/** The same for the same vote, in whatever order a store gives its fields back. */
function asText({ by, record }: StoredVote): string {
  return JSON.stringify([by, record], (_key, value: unknown) =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}
