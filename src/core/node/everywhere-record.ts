/**
 * The record of a group of type `everywhere`, as one of its members knows it: whether the group is
 * wanted, and which nodes shall not run it. Nobody owns such a group: the record names as its owner
 * who made it, at epoch 1 for ever, no lease rests on it, and every member may propose changes.
 *
 * The registry alone is believed. A word of another member, a peer that is back, another vote that
 * this node's own voter has stored, and the passing of time are reasons to read it anew.
 *
 * Votes do not follow any data here: all members vote. A voter that lost its memory, or a member
 * that is new, is voted in by whoever meets it first; in two steps, as for every record.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage, Voter } from '../../protocol/record.ts';
import type { StoreReading, SwapOutcome } from '../../protocol/stored-record.ts';
import { sameBars } from '../registry/bars.ts';
import { electorate, sameVoters } from '../registry/electorate.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import type { GroupCoreOptions } from './group-context.ts';
import { type Proposal, Proposals, type ProposalsEffect } from './proposals.ts';
import type { Voice } from './voice.ts';
import { VoterKeeper } from './voter-keeper.ts';

type Purpose = 'learn' | 'create' | 'want' | 'bar' | 'voters';
/** What people ask for. */
export type AskedPurpose = Extract<Purpose, 'want' | 'bar'>;

const VOTE_TIMEOUT_MS = 3000;
/** Pause before a reading that came to nothing is tried again, while nothing is known. */
const RETRY_MS = 300;
/** The same, when this node knows what counts unless somebody changed it; a peer is back sooner. */
const KNOWN_RETRY_MS = 10_000;
/** A change whose word was lost is noticed that late at most. */
const READ_MS = 30_000;
/** Members that have the same reason to read at the same moment do so one after the other. */
const STAGGER_MS = 20;
/** The same for a change of voters, which is one vote after the other. */
const VOTERS_STAGGER_MS = 500;

export class EverywhereRecord {
  readonly #options: GroupCoreOptions;
  readonly #voice: Voice;
  readonly #settled: (change: RecordChange, outcome: ProposalOutcome, now: Instant) => void;
  readonly #votes: Proposals<Purpose>;
  readonly #voters: VoterKeeper;
  readonly #rank: number;
  /** The memory with which each member votes, as its answers tell. */
  readonly #seats = new Map<NodeId, SeatId>();
  #up: ReadonlySet<NodeId> = new Set();
  #readAt: Instant = NEVER;
  #votersAt: Instant = NEVER;
  #stored: OwnershipRecord | undefined;
  /** A majority was read in this process: what is known is no mere memory of this node. */
  certain = false;
  /** All members were heard, and the group has never had a record. */
  knownEmpty = false;
  /** Why it could not be read the last time. */
  doubt = 'nobody was asked yet';
  present: OwnershipRecord | undefined;

  constructor(
    options: GroupCoreOptions,
    voice: Voice,
    settled: (change: RecordChange, outcome: ProposalOutcome, now: Instant) => void,
  ) {
    const { me, group, members, outside, seat } = options;
    this.#options = options;
    this.#voice = voice;
    this.#settled = settled;
    this.#rank = members.indexOf(me);
    const proposer = { me, seat, group: group.id, members, rank: this.#rank };
    const store = { outside, known: options.accepted };
    this.#votes = new Proposals<Purpose>({ ...proposer, ...store }, options.promised);
    this.#voters = new VoterKeeper({ me, members, nodes: group.nodes, leaseTermMs: 0, outside });
    this.#seats.set(me, seat);
  }

  nextWakeAt(): Instant {
    return earliest([this.#votes.nextWakeAt(), this.#readAt, this.#votersAt]);
  }

  /** From now on it is read, again and again. */
  begin(now: Instant): void {
    this.#stored = this.#options.accepted();
    this.#readAt = now;
  }

  tick(now: Instant): void {
    this.#did(this.#votes.tick(now), now);
  }

  message(from: NodeId, message: RegistryMessage, now: Instant): void {
    if (message.type === 'prepared' || message.type === 'accepted') {
      this.#seats.set(from, message.seat);
    }
    this.#did(this.#votes.message(from, message, now), now);
  }

  fetched(id: number, reading: StoreReading, now: Instant): void {
    this.#did(this.#votes.fetched(id, reading, now), now);
  }

  swapped(id: number, outcome: SwapOutcome, now: Instant): void {
    this.#did(this.#votes.swapped(id, outcome, now), now);
  }

  /** Another member says what was decided. */
  heard(record: OwnershipRecord, now: Instant): void {
    if (!sameContent(record, this.present)) this.#readSoon(now);
  }

  /** Who was away may know what this node missed. */
  peers(reports: readonly PeerReport[], now: Instant): void {
    const up = new Set(reports.filter(({ state }) => state === 'up').map(({ node }) => node));
    if ([...up].some((node) => !this.#up.has(node))) this.#readSoon(now);
    this.#up = up;
  }

  /** What this node's own voter has stored, where no majority can be read. */
  presume(): boolean {
    this.present ??= this.#options.accepted();
    return this.present !== undefined;
  }

  /** Asks for a vote; its end is told. */
  propose(purpose: AskedPurpose, change: RecordChange, now: Instant): void {
    this.#propose(purpose, change, now);
  }

  /** Whatever is due. */
  advance(now: Instant): void {
    const stored = this.#options.accepted();
    if (stored !== this.#stored) {
      this.#stored = stored;
      if (stored !== undefined && !sameContent(stored, this.present)) this.#readSoon(now);
    }
    if (now >= this.#readAt) {
      this.#readAt = plus(now, READ_MS);
      this.#read(now);
    }
    this.#advanceVoters(now);
  }

  #readSoon(now: Instant): void {
    this.#readAt = earliest([this.#readAt, plus(now, this.#rank * STAGGER_MS)]);
  }

  #read(now: Instant): void {
    const { group, inStandby, me } = this.#options;
    if (!this.knownEmpty || group.nodes[0] !== me) {
      return this.#propose('learn', { type: 'read' }, now);
    }
    const standby = inStandby();
    const known = standby.length > 0 && { standby };
    this.#propose('create', { type: 'create', owner: me, mirrors: [], ...known }, now);
  }

  #advanceVoters(now: Instant): void {
    const change = this.#votersDue();
    if (change === undefined) this.#votersAt = NEVER;
    else if (this.#votersAt === NEVER) {
      this.#votersAt = plus(now, this.#rank * VOTERS_STAGGER_MS);
    }
    if (change === undefined || now < this.#votersAt) return;
    this.#votersAt = plus(now, VOTERS_STAGGER_MS * (1 + this.#rank));
    this.#propose('voters', change, now);
  }

  /** All members shall vote, each with the memory that it has at present. */
  #votersDue(): RecordChange | undefined {
    const record = this.certain ? this.present : undefined;
    if (record === undefined) return undefined;
    const all = this.#options.members.flatMap((node): Voter[] => {
      const seat = this.#seats.get(node);
      if (seat !== undefined) return [{ node, seat }];
      return record.voters.filter((voter) => voter.node === node);
    });
    return this.#voters.step(record, electorate(all));
  }

  #propose(purpose: Purpose, change: RecordChange, now: Instant): void {
    const proposal = { change, purpose, timeoutMs: VOTE_TIMEOUT_MS };
    this.#did(this.#votes.propose(proposal, now), now);
  }

  #did(effects: readonly ProposalsEffect<Purpose>[], now: Instant): void {
    const group = this.#options.group.id;
    for (const effect of effects) {
      if (effect.type === 'send') this.#voice.emit({ ...effect, after: undefined });
      else if (effect.type === 'fetch' || effect.type === 'swap') {
        this.#voice.emit({ ...effect, group });
      } else if (effect.type === 'note') {
        this.#voice.emit({ type: 'vote', group, note: effect.note });
      } else {
        this.#ended(effect.proposal, effect.outcome, now);
        this.#did(this.#votes.tick(now), now);
      }
    }
  }

  #ended({ change, purpose }: Proposal<Purpose>, outcome: ProposalOutcome, now: Instant): void {
    this.knownEmpty = outcome.type === 'empty';
    if (outcome.type === 'chosen') this.#chosen(purpose, outcome.record, now);
    else {
      if (outcome.type !== 'empty') this.doubt = outcome.why;
      const pauseMs = this.present === undefined ? RETRY_MS : KNOWN_RETRY_MS;
      this.#readAt = earliest([this.#readAt, plus(now, pauseMs)]);
    }
    if (purpose === 'want' || purpose === 'bar') this.#settled(change, outcome, now);
  }

  /** This node's votes come one after the other, so the latest one knows most. */
  #chosen(purpose: Purpose, record: OwnershipRecord, now: Instant): void {
    this.present = record;
    this.certain = true;
    this.#voters.chosen(record);
    this.#readAt = plus(now, READ_MS);
    if (purpose !== 'learn') this.#voice.announce(record, '', []);
  }
}

function sameContent(a: OwnershipRecord, b: OwnershipRecord | undefined): boolean {
  if (b === undefined || a.want !== b.want || !sameBars(a, b)) return false;
  return sameVoters(a.voters, b.voters) && sameVoters(a.formerVoters, b.formerVoters);
}
