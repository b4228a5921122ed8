/**
 * What the parts of one group's core share: the options, the instruments (voice, mirrors, peers,
 * engine, votes) and the few facts that more than one of them reads or changes.
 *
 * Invariants: `phase` is changed by the part that the group goes to (`Moves`), never by the one
 * that it leaves; the outcome of every vote and each notice of the engine goes through the
 * handlers, in the order in which they came about.
 */
import { type Instant, NEVER } from '../../base/time.ts';
import type { GroupConfig, Timing } from '../../protocol/config.ts';
import type { HookFacts } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type {
  Ballot,
  Maintenance,
  OwnershipRecord,
  RegistryMessage,
} from '../../protocol/record.ts';
import type { StoreReading, SwapOutcome } from '../../protocol/stored-record.ts';
import { isWithinWindow, type WeekMinute, type WeekWindow } from '../../protocol/week-window.ts';
import { type EngineEffect, type EngineNotice, GroupEngine } from '../group/engine.ts';
import { blockingOf, electoratesOf, majorityOf } from '../registry/electorate.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { isUp, type Situation } from './candidacy.ts';
import { Hooks, type HooksOptions } from './hooks.ts';
import { MirrorOrders } from './mirror-orders.ts';
import { PeerView } from './peer-view.ts';
import type { GroupPlacing } from './placing.ts';
import { type Proposal, Proposals, type ProposalsEffect } from './proposals.ts';
import { Voice } from './voice.ts';
import { VoterKeeper } from './voter-keeper.ts';

export type GroupPhase =
  | 'probing'
  | 'waiting'
  | 'sealing'
  | 'claiming'
  | 'owning'
  | 'suspended'
  | 'handing'
  | 'stopping'
  | 'offline'
  | 'yielding';

export interface GroupCoreOptions {
  readonly me: NodeId;
  readonly group: GroupConfig;
  readonly timing: Timing;
  readonly members: readonly NodeId[];
  /** The records are in a store outside the cluster, not with its members. */
  readonly outside: boolean;
  /** The identity of this node's acceptor. */
  readonly seat: SeatId;
  /** The acceptor's view, for ballots and for a first guess of the record. */
  readonly promised: () => Ballot | undefined;
  readonly accepted: () => OwnershipRecord | undefined;
  /** Nodes that are in standby for other groups: for a group that is new. */
  readonly inStandby: () => readonly NodeId[];
  /** Nodes that come and go: they come after all others. */
  readonly quarantined: () => ReadonlySet<NodeId>;
  /** Maintenance of nodes and of the cluster that other groups are in: the same. */
  readonly inMaintenance: () => readonly Maintenance[];
  /** A maintenance that lasts longer is worth a word; undefined: none is. */
  readonly maintenanceWarnMs?: number | undefined;
  /** Of the copies here, what is from before that epoch may be on no other; see the acceptor. */
  readonly gaveUp?: ((record: OwnershipRecord) => Epoch | undefined) | undefined;
  /** The node that is known to be off by its fence; none: nobody is. */
  readonly knownOff?: (() => NodeId | undefined) | undefined;
  /** Whether another group is being moved away from this node at the moment. */
  readonly othersMove: () => boolean;
  /** Undefined where no group of the cluster has words of placement. */
  readonly placing?: GroupPlacing | undefined;
}

/** What a vote of this node is for. */
export type Purpose =
  'learn' | 'create' | 'claim' | 'transfer' | 'copy' | 'want' | 'bar' | 'maintain' | 'voters';

/** Ways from one phase to another that belong to a part other than the one that takes them. */
export interface Moves {
  /** To `owning`: a vote has named this node. */
  own(record: OwnershipRecord, reason: string, now: Instant): void;
  /** To `waiting`: nothing of the group runs here. */
  wait(now: Instant): void;
  /** From `owning` to `handing`: stop in order, then vote for another owner. */
  handOver(record: OwnershipRecord, to: NodeId, reason: string, now: Instant): void;
  /** From `sealing` or `claiming` to `waiting`, as soon as it is known what became of the vote. */
  standDown(now: Instant): void;
  /** The same, without waiting for mirrors whose process does not answer. */
  leaveBehind(record: OwnershipRecord, to: NodeId, reason: string, now: Instant): void;
  /** To `handing` with nothing to stop: start here, at an epoch of its own. */
  startAnew(record: OwnershipRecord, now: Instant): void;
  /** To `stopping`: in order, and stay the owner. */
  stop(now: Instant): void;
  /** The same as the plan of placement says; to this node itself: stop, and start when there is room. */
  place(to: NodeId, reason: string, now: Instant): void;
  /** To `yielding`: authority is lost, everything is stopped by force. */
  yield(reason: string, now: Instant): void;
  /** From `waiting` to `probing`: what runs here is not known any more. */
  probe(now: Instant): void;
}

/** How this node came to own the group, for its hooks. */
export type Arrival = Pick<HookFacts, 'cause' | 'from'>;

export interface GroupHandlers {
  settled(proposal: Proposal<Purpose>, outcome: ProposalOutcome, now: Instant): void;
  noticed(notice: EngineNotice, now: Instant): void;
}

const VOTE_TIMEOUT_MS = 3000;
/** Pause before a failed claim, reading or order is tried again. */
export const RETRY_MS = 300;

const OWNING_PHASES: readonly GroupPhase[] = ['owning', 'suspended', 'handing', 'stopping'];

export class GroupContext {
  readonly options: GroupCoreOptions;
  readonly id: GroupId;
  readonly me: NodeId;
  readonly voice: Voice;
  readonly mirrors: MirrorOrders;
  readonly peers: PeerView;
  readonly engine: GroupEngine;
  readonly voters: VoterKeeper;
  readonly hooks: Hooks;
  /** How long a promise of the voters may bind: after it no lease that rests on it lives. */
  readonly leaseTermMs: number;
  readonly #votes: Proposals<Purpose>;
  readonly #handlers: GroupHandlers;
  phase: GroupPhase = 'probing';
  /** The newest record that this node knows of. */
  record: OwnershipRecord | undefined;
  /** The record is what those who could be asked had accepted: it may never have been chosen. */
  presumed = false;
  /** When a vote of this process was last chosen, and so told what is true. */
  readAt: Instant | undefined;
  /** Another node claims what this one owned: what became of that is read before anything is claimed. */
  readFirst = false;
  /** The newest line of records that anybody was seen to vote on; older ones count no longer. */
  newestLine = 0;
  /** A vote found that the group has never had a record. */
  knownEmpty = false;
  /** Why the group is where and as it is. */
  reason = 'Tako has just started on this node';
  /** While this node owns the group: the heart holds the lease for exactly the epoch owned. */
  leaseHeld = false;
  /** The epoch that the heart last spoke of. */
  leaseEpoch: Epoch | undefined;
  /** This node is being stopped: it takes nothing over any more. */
  leaving = false;
  /** Civil time, as last told; no window is open before. */
  weekMinute: WeekMinute | undefined;
  /** Civil time in milliseconds since 1970, and when this node was told. */
  civil: { readonly ms: number; readonly at: Instant } | undefined;
  /** When what failed or found no answer is tried again; what it is depends on the phase. */
  retryAt: Instant = NEVER;

  /** Until the group is online here for the first time since. */
  arrival: Arrival | undefined;
  /** Why the group can't leave this node, on which it shall not run. */
  cannotLeave: string | undefined;
  /** Why what this node owns does not start, or not yet: other groups stand in the way. */
  heldBack: string | undefined;
  /** It was stopped here to make room, and waits for room again. */
  gaveWay = false;
  /** A person wants the group to start: until it is online no hook may veto that. */
  overruled = false;
  /** Of that epoch everything ran until it was stopped for want of a lease. */
  restoredEpoch: Epoch | undefined;

  constructor(options: GroupCoreOptions, handlers: GroupHandlers) {
    this.options = options;
    this.#handlers = handlers;
    const { me, group, timing, members, outside, seat } = options;
    this.id = group.id;
    this.me = me;
    const others = members.filter((member) => member !== me);
    this.voice = new Voice(group.id, others);
    const mirrors = group.resources.flatMap((r) => (r.agent === 'mirror' ? [r.id] : []));
    this.mirrors = new MirrorOrders(me, mirrors, (mirror, order) => {
      this.voice.emit({ type: 'mirrorOrder', group: group.id, mirror, order });
    });
    this.peers = new PeerView(group.id, members, timing.nodeLostMs);
    this.engine = new GroupEngine(group, () => this.leaseHeld);
    const { voice } = this;
    const advise: HooksOptions['advise'] = (question, advice, now) =>
      this.engineDid(this.engine.advised(question, advice, now), now);
    this.hooks = new Hooks({ me, group, voice, advise });
    const rank = members.indexOf(me);
    const mayDepose = (): boolean => this.epochOwned === undefined;
    const votes = { me, seat, group: group.id, members, rank, mayDepose };
    const store = { outside, known: options.accepted };
    this.#votes = new Proposals({ ...votes, ...store }, options.promised);
    this.leaseTermMs = timing.leaseMs * (1 + timing.clockDrift);
    const { leaseTermMs } = this;
    this.voters = new VoterKeeper({ me, members, nodes: group.nodes, leaseTermMs, outside });
  }

  /** What became of a vote of this node is not known, or nothing was read by this process yet. */
  get inDoubt(): boolean {
    return this.#votes.inDoubt;
  }

  /** A vote of this process was chosen: the record is no mere guess from this node's own vote. */
  get hasRead(): boolean {
    return this.readAt !== undefined;
  }

  /** Whether there is a record, and what it says, is still to be learned. */
  get isUnknown(): boolean {
    return this.record === undefined && !this.knownEmpty;
  }

  /** The epoch at which resources may run here; undefined while this node is not the owner. */
  get epochOwned(): Epoch | undefined {
    return OWNING_PHASES.includes(this.phase) ? this.record?.epoch : undefined;
  }

  get pausedUntil(): Instant {
    return this.retryAt === NEVER ? (0 as Instant) : this.retryAt;
  }

  situation(record: OwnershipRecord): Situation {
    const { group, placing } = this.options;
    const quarantined = this.options.quarantined();
    return { me: this.me, group, record, peers: this.peers.reports, placing, quarantined };
  }

  /**
   * Lost to the heart, or heard without a lease for as long; a record that names this node itself,
   * which runs nothing, counts too.
   */
  ownerIsLost(): boolean {
    const { me, peers, record } = this;
    if (record === undefined || !peers.heartConnected) return false;
    const { epoch, owner } = record;
    if (owner === me || peers.isLost(owner)) return true;
    return peers.isPowerless(owner, epoch) && this.#couldReplace(record);
  }

  /**
   * Whether this node hears enough voters to do without the owner. Otherwise the two may share their
   * misfortune, and the owner needs but a moment to go on when it ends.
   */
  #couldReplace(record: OwnershipRecord): boolean {
    const situation = { me: this.me, peers: this.peers.reports };
    return electoratesOf(record).every((voters) => {
      const heard = voters.filter(({ node }) => node !== record.owner && isUp(situation, node));
      const enough = this.options.outside ? blockingOf : majorityOf;
      return heard.length >= enough(voters);
    });
  }

  /** Civil time now, as far as this node was told. */
  civilMs(now: Instant): number | undefined {
    return this.civil === undefined ? undefined : this.civil.ms + (now - this.civil.at);
  }

  /** By the calendar. */
  isTimeFor({ windows }: { readonly windows?: readonly WeekWindow[] | undefined }): boolean {
    if (windows === undefined) return true;
    return this.weekMinute !== undefined && isWithinWindow(windows, this.weekMinute);
  }

  // Votes.

  votesWakeAt(): Instant {
    return this.#votes.nextWakeAt();
  }

  propose(purpose: Purpose, change: RecordChange, now: Instant): void {
    const proposal = { change, purpose, timeoutMs: VOTE_TIMEOUT_MS };
    this.#voted(this.#votes.propose(proposal, now), now);
  }

  /** A reading: it tells what is true, and completes what was left unfinished. */
  learn(now: Instant): void {
    this.propose('learn', { type: 'read' }, now);
  }

  /** Ends votes of that purpose, under way or waiting; what became of the former is unknown. */
  withdraw(purpose: Purpose, now: Instant): void {
    this.#voted(
      this.#votes.withdraw((proposal) => proposal.purpose === purpose),
      now,
    );
  }

  /** The mirror waits for that copy no longer: nobody may count on it by a vote that is still to come. */
  withdrawAdmission(mirror: ResourceId, peer: NodeId, now: Instant): void {
    const admits = ({ change }: Proposal<Purpose>): boolean =>
      change.type === 'admit' && change.mirror === mirror && change.peer === peer;
    this.#voted(this.#votes.withdraw(admits), now);
  }

  tickVotes(now: Instant): void {
    this.#voted(this.#votes.tick(now), now);
  }

  voteMessage(from: NodeId, message: RegistryMessage, now: Instant): void {
    this.#voted(this.#votes.message(from, message, now), now);
  }

  fetched(id: number, reading: StoreReading, now: Instant): void {
    this.#voted(this.#votes.fetched(id, reading, now), now);
  }

  swapped(id: number, outcome: SwapOutcome, now: Instant): void {
    this.#voted(this.#votes.swapped(id, outcome, now), now);
  }

  /** Tells the other members; they check it where it matters. */
  announce(record: OwnershipRecord, now: Instant): void {
    this.voice.announce(record, this.reason, [...this.peers.avoided(now)]);
  }

  // The engine.

  engineDid(effects: readonly EngineEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.voice.emit(effect);
      else if (effect.type === 'ask') this.hooks.askFailure(effect, this.#epochKnown(), now);
      else this.#handlers.noticed(effect.notice, now);
    }
  }

  #epochKnown(): Epoch {
    return this.record?.epoch ?? (0 as Epoch);
  }

  #voted(effects: readonly ProposalsEffect<Purpose>[], now: Instant): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.voice.emit({ ...effect, after: undefined });
      else if (effect.type === 'fetch' || effect.type === 'swap') {
        this.voice.emit({ ...effect, group: this.id });
      } else if (effect.type === 'note') {
        this.voice.emit({ type: 'vote', group: this.id, note: effect.note });
      } else {
        this.#handlers.settled(effect.proposal, effect.outcome, now);
        this.tickVotes(now);
      }
    }
  }
}
