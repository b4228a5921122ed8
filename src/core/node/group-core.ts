/**
 * One group as one node sees it: whether this node owns it, may own it, follows its owner, or
 * must let go of it. All decisions about where a group runs are made here.
 *
 *   probing ──► waiting ──► sealing ──► claiming ──► owning ◄──► suspended
 *      │           ▲           │(owner    │ (vote       │ │           │ grace over, or
 *      │ own and   │           │ is back) │ lost)       │ │ lease     │ record moved on
 *      │ running   └───────────┴──────────┘             │ └───────────┤
 *      └──────────────────────────────────► owning      │             ▼
 *                  ▲                                     ├────────► yielding ──► waiting
 *                  └──── handing ◄───────────────────────┤  by force, at once
 *                        (stop in order, then vote)      └──► stopping ──► offline
 *
 * Invariants (SPEC.md): resources start only in `owning`, after a vote that named this node; every
 * way out of `owning` ends with the resources stopped before anyone else is voted owner, or with
 * the lease lost, which by itself stops acknowledgements and addresses.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { GroupConfig, Timing } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord } from '../../protocol/record.ts';
import {
  type EngineEffect,
  type EngineNotice,
  GroupEngine,
  type Observation,
} from '../group/engine.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import {
  type Situation,
  candidates,
  claimAt,
  handOverTarget,
  obstacle,
  staleCopies,
} from './candidacy.ts';
import { CopyKeeper } from './copy-keeper.ts';
import { MirrorOrders } from './mirror-orders.ts';
import type {
  CoreEvent,
  Decided,
  Effect,
  MirrorNews,
  MirrorOrder,
  OperatorRequest,
} from './node-io.ts';
import { AVOID_MS, PeerView } from './peer-view.ts';
import { Voice } from './voice.ts';
import { type Proposal, Proposals, type ProposalsEffect } from './proposals.ts';

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
  readonly voters: readonly NodeId[];
  readonly members: readonly NodeId[];
  /** The acceptor's view, for ballots and for a first guess of the record. */
  readonly promised: () => Ballot | undefined;
  readonly accepted: () => OwnershipRecord | undefined;
}

type Purpose = 'learn' | 'create' | 'claim' | 'transfer' | 'copy' | 'want';

const FAILURE_ENDINGS = {
  restart: 'restarting it here',
  gaveUp: 'no restarts are left',
  lasting: 'a restart here cannot help',
} as const;

const VOTE_TIMEOUT_MS = 3000;
/** Pause before a failed claim, reading or order is tried again. */
const RETRY_MS = 300;
/** What a restart cannot help may mend by itself: a plug that is put back. */
const LASTING_RETRY_MS = 2000;
/** An owner that is up but claims nothing for this long is asked about at the registry. */
const UNCLAIMED_MS = 600;

export class GroupCore {
  readonly #o: GroupCoreOptions;
  readonly #id: GroupId;
  readonly #voice: Voice;
  readonly #mirrors: MirrorOrders;
  readonly #peers: PeerView;
  readonly #engine: GroupEngine;
  readonly #copies: CopyKeeper;
  readonly #proposals: Proposals<Purpose>;
  #phase: GroupPhase = 'probing';
  #record: OwnershipRecord | undefined;
  #knownEmpty = false;
  #found: readonly Observation[] | undefined;
  #leaseHeld = false;
  /** Why the group is where and as it is. */
  #reason = 'Tako has just started on this node';
  #suspendedAt: Instant = NEVER;
  #ownedSince: Instant = NEVER;
  #ownerLostAt: Instant = NEVER;
  #ownerSilentSince: Instant = NEVER;
  #retryAt: Instant = NEVER;
  #gaveUpAt: Instant = NEVER;
  #refreshedAt = 0 as Instant;
  #handTo: NodeId | undefined;
  #claimedFrom: NodeId | undefined;
  #leaving = false;

  constructor(options: GroupCoreOptions) {
    this.#o = options;
    this.#id = options.group.id;
    const others = options.members.filter((member) => member !== options.me);
    this.#voice = new Voice(this.#id, others);
    const mirrors = options.group.resources.flatMap((r) => (r.agent === 'mirror' ? [r.id] : []));
    this.#mirrors = new MirrorOrders(mirrors, (mirror, order) => {
      this.#voice.emit({ type: 'mirrorOrder', group: this.#id, mirror, order });
    });
    this.#peers = new PeerView(this.#id, options.members);
    this.#engine = new GroupEngine(options.group);
    this.#copies = new CopyKeeper(options.timing.secondaryLostMs);
    const { me, voters } = options;
    const rank = voters.indexOf(me);
    const proposer = { me, group: this.#id, voters, rank };
    this.#proposals = new Proposals(proposer, options.promised);
  }

  get phase(): GroupPhase {
    return this.#phase;
  }

  get record(): OwnershipRecord | undefined {
    return this.#record;
  }

  get reason(): string {
    return this.#reason;
  }

  get engine(): GroupEngine {
    return this.#engine;
  }

  get epochOwned(): Epoch | undefined {
    const owning: readonly GroupPhase[] = ['owning', 'suspended', 'handing', 'stopping'];
    return owning.includes(this.#phase) ? this.#record?.epoch : undefined;
  }

  nextWakeAt(now: Instant): Instant {
    return earliest([
      this.#engine.nextWakeAt(),
      this.#proposals.nextWakeAt(),
      this.epochOwned !== undefined ? this.#copies.nextWakeAt(now) : NEVER,
      this.#phase === 'suspended' ? plus(this.#suspendedAt, this.#o.timing.suspendGraceMs) : NEVER,
      this.#phase === 'owning' ? this.#gaveUpAt : NEVER,
      this.#phase === 'owning' && !this.#leaseHeld ? this.#leaseDueAt() : NEVER,
      this.#retryAt,
      this.#claimDueAt(),
    ]);
  }

  start(now: Instant): readonly Effect[] {
    this.#voice.emit({ type: 'probe', group: this.#id });
    this.#propose('learn', { type: 'read' }, now);
    return this.#voice.drain();
  }

  step(event: CoreEvent): readonly Effect[] {
    const { now } = event;
    switch (event.type) {
      case 'timePassed':
        this.#voted(this.#proposals.tick(now), now);
        this.#engineDid(this.#engine.tick(now), now);
        break;
      case 'heartConnected':
        this.#peers.heartConnected = true;
        if (this.epochOwned !== undefined) this.#emitClaim();
        break;
      case 'heartLost':
        this.#peers.heartConnected = false;
        break;
      case 'peers':
        this.#peersReported(event.peers, now);
        break;
      case 'lease':
        this.#leaseReported(event.epoch, event.held, event.reason, now);
        break;
      case 'recordDiffers':
        this.#recordDiffers(now);
        break;
      case 'registryMessage':
        this.#voted(this.#proposals.message(event.from, event.message, now), now);
        break;
      case 'decided':
        this.#heardDecided(event.decided, now);
        break;
      case 'probed':
        this.#found = event.found.map((seen) => this.#knownAddress(seen));
        break;
      case 'actionFinished':
        this.#actionFinished(event, now);
        break;
      case 'observed':
        this.#observed(event, now);
        break;
      case 'mirrorNews':
        this.#mirrorNews(event.mirror, event.news, now);
        break;
      case 'mirrorAnswered':
        this.#mirrorAnswered(event.mirror, event.order, event, now);
        break;
      case 'mirrorConnected':
        this.#mirrors.forget(event.mirror);
        break;
      case 'asked':
        this.#asked(event.id, event.request, now);
        break;
      case 'persisted':
      case 'revoked':
        break;
    }
    this.#advance(now);
    return this.#voice.drain();
  }

  // What follows from the present state, whatever the event was.

  #advance(now: Instant): void {
    switch (this.#phase) {
      case 'probing':
        this.#advanceProbing(now);
        break;
      case 'waiting':
        this.#advanceWaiting(now);
        break;
      case 'owning':
        this.#advanceOwning(now);
        break;
      case 'suspended':
        this.#advanceSuspended(now);
        break;
      case 'claiming':
        this.#advanceClaiming(now);
        break;
      case 'handing':
      case 'stopping':
        // Once all is stopped the copies are equal, and their connections end as they should.
        if (!this.#engine.isStopped()) {
          this.#advanceCopies(must(this.#record, 'an owner has a record'), now);
        }
        break;
      case 'sealing':
        if (!this.#ownerIsLost()) this.#unseal('the owner is heard again', now);
        break;
      default:
        break;
    }
    if (now >= this.#retryAt) this.#retryAt = NEVER;
  }

  #advanceProbing(now: Instant): void {
    if (this.#found === undefined) return;
    const found = this.#found;
    const running = found.some((seen) => seen.state !== 'stopped');
    const accepted = this.#o.accepted();
    if (
      this.#record === undefined &&
      this.#leaseHeld &&
      running &&
      accepted?.owner === this.#o.me
    ) {
      // Control was restarted while too few voters answer, but the heart holds the lease.
      this.#record = accepted;
    }
    if (this.#record === undefined && !this.#knownEmpty) {
      if (now >= this.#retryAt || this.#retryAt === NEVER) {
        this.#propose('learn', { type: 'read' }, now);
        this.#retryAt = plus(now, RETRY_MS);
      }
      return;
    }
    this.#engine.adopt(found, now);
    const mine = this.#record?.owner === this.#o.me;
    if (!running) return this.#enterWaiting(now);
    if (!mine) return this.#yield('this node does not own the group, yet its resources run', now);
    this.#voice.say('info', 'adopted', 'control was restarted and took up the running group');
    const held = this.#leaseHeld;
    this.#own(must(this.#record, 'mine implies a record'), this.#reason, now);
    this.#leaseHeld = held;
  }

  #advanceWaiting(now: Instant): void {
    const record = this.#record;
    if (record === undefined) return this.#waitForFirstRecord(now);
    if (record.owner !== this.#o.me) this.#follow(record, now);
    if (this.#leaving) return;
    if (!this.#ownerIsLost()) {
      this.#ownerLostAt = NEVER;
      return this.#checkUnclaimed(record, now);
    }
    if (this.#ownerLostAt === NEVER) this.#ownerLostAt = now;
    if (record.want !== 'online') {
      this.#reason = `${record.owner} is lost, and the group is wanted offline`;
      return;
    }
    const stale = staleCopies(record, this.#o.me);
    if (stale.length > 0) {
      if (now - this.#ownerLostAt >= UNCLAIMED_MS) this.#sayStale(record, stale);
      return;
    }
    if (now < this.#claimDueAt()) return;
    this.#beginClaim(record, now);
  }

  #pausedUntil(): Instant {
    return this.#retryAt === NEVER ? (0 as Instant) : this.#retryAt;
  }

  #claimDueAt(): Instant {
    if (this.#phase !== 'waiting' || this.#ownerLostAt === NEVER) return NEVER;
    const record = this.#record;
    if (record === undefined || record.want !== 'online') return NEVER;
    if (staleCopies(record, this.#o.me).length > 0) return NEVER;
    const due = claimAt(this.#situation(record), this.#ownerLostAt);
    const paused = this.#pausedUntil();
    return due > paused ? due : paused;
  }

  #waitForFirstRecord(now: Instant): void {
    const first = this.#o.group.nodes[0];
    if (first === this.#o.me && this.#knownEmpty) {
      this.#reason = 'the group starts for the first time, with the data of this node';
      this.#phase = 'claiming';
      const change: RecordChange = { type: 'create', owner: first, mirrors: this.#mirrors.mirrors };
      return this.#propose('create', change, now);
    }
    this.#reason = `the group waits for ${first}, whose data count at the very first start`;
    if (now < this.#pausedUntil()) return;
    this.#retryAt = plus(now, RETRY_MS * 3);
    this.#propose('learn', { type: 'read' }, now);
  }

  /** The owner answers but claims nothing: the record may have moved on without our hearing it. */
  #checkUnclaimed(record: OwnershipRecord, now: Instant): void {
    const claims = this.#peers.claims(record.owner, record.epoch);
    if (record.owner !== this.#o.me && (claims || record.want === 'offline')) {
      this.#ownerSilentSince = NEVER;
      return;
    }
    if (this.#ownerSilentSince === NEVER) this.#ownerSilentSince = now;
    if (now - this.#ownerSilentSince < UNCLAIMED_MS) {
      this.#retryAt = earliest([this.#retryAt, plus(this.#ownerSilentSince, UNCLAIMED_MS)]);
      return;
    }
    this.#ownerSilentSince = now;
    this.#propose('learn', { type: 'read' }, now);
  }

  #advanceOwning(now: Instant): void {
    const record = must(this.#record, 'an owner has a record');
    if (this.#peers.someoneClaimsAfter(record.epoch)) return this.#yieldSuperseded(record, now);
    this.#advanceCopies(record, now);
    if (!this.#leaseHeld && now >= this.#leaseDueAt()) {
      return this.#suspend('no majority of voters answers', now);
    }
    if (this.#engine.hasGivenUp()) this.#advanceGivenUp(record, now);
    else this.#gaveUpAt = NEVER;
  }

  /** Votes copies out and in, as long as writes or the end of writes wait for them. */
  #advanceCopies(record: OwnershipRecord, now: Instant): void {
    for (const vote of this.#copies.due(
      { silentMs: (p, at) => this.#peers.silentMs(p, at) },
      now,
    )) {
      const listed = record.inSync[vote.mirror]?.includes(vote.peer) ?? false;
      if (vote.type === 'expel' && !listed) {
        this.#copies.settled(vote.mirror, vote.peer);
        this.#mirrors.expel(vote.mirror, vote.peer);
        continue;
      }
      if (vote.type === 'expel') {
        const text = `voting the copy of "${vote.mirror}" on ${vote.peer} out: ${vote.reason}`;
        this.#voice.say('warning', 'copy-lost', text, vote.mirror);
      }
      const { type, mirror, peer } = vote;
      const change: RecordChange = { type, owner: this.#o.me, epoch: record.epoch, mirror, peer };
      this.#propose('copy', change, now);
    }
  }

  /** A new owner that has no lease by then is suspended. */
  #leaseDueAt(): Instant {
    return plus(this.#ownedSince, 2 * this.#o.timing.leaseMs);
  }

  #advanceGivenUp(record: OwnershipRecord, now: Instant): void {
    const target = handOverTarget(this.#situation(record), this.#peers.avoided(now));
    if (target.node !== undefined) {
      this.#peers.failedOn(this.#o.me, now);
      const reason = `it failed on ${this.#o.me}: ${this.#failure()}`;
      return this.#beginHandOver(record, target.node, reason, now);
    }
    const pauseMs = this.#engine.givenUp()?.lasting === true ? LASTING_RETRY_MS : AVOID_MS;
    if (this.#gaveUpAt === NEVER) {
      this.#gaveUpAt = plus(now, pauseMs);
      const next = `next: repair it, then run "tako group start ${this.#id}"`;
      const text = `${this.#failure()}; nobody can take over: ${target.why}; ${next}`;
      this.#voice.sayOnce(text, 'error', 'failed', text);
    } else if (now >= this.#gaveUpAt) {
      this.#gaveUpAt = NEVER;
      this.#engineDid(this.#engine.start(record.epoch, now), now);
    }
  }

  #advanceSuspended(now: Instant): void {
    const record = must(this.#record, 'an owner has a record');
    if (this.#peers.someoneClaimsAfter(record.epoch)) return this.#yieldSuperseded(record, now);
    if (now - this.#suspendedAt >= this.#o.timing.suspendGraceMs) {
      return this.#yield('the lease did not come back in time', now);
    }
    if (now < this.#pausedUntil()) return;
    this.#retryAt = plus(now, RETRY_MS);
    this.#propose('learn', { type: 'read' }, now);
  }

  #advanceClaiming(now: Instant): void {
    const owner = this.#record?.owner;
    if (owner === undefined || owner === this.#o.me || this.#ownerIsLost()) return;
    if (this.#proposals.active === 'claim') this.#voted(this.#proposals.cancel(now), now);
  }

  // Taking over.

  #beginClaim(record: OwnershipRecord, now: Instant): void {
    const owner = record.owner;
    this.#claimedFrom = owner;
    this.#reason =
      owner === this.#o.me
        ? `${owner} owned it before it was restarted`
        : `${this.#peers.lostReason(owner)}; ${this.#o.me} has everything that was acknowledged`;
    const what = owner === this.#o.me ? 'claiming the group anew' : `taking over from ${owner}`;
    this.#voice.say('info', 'claiming', `${what}: ${this.#reason}`);
    this.#phase = 'sealing';
    const nothingToSeal = owner === this.#o.me || this.#mirrors.mirrors.length === 0;
    if (nothingToSeal) return this.#claim(record, now);
    this.#mirrors.seal(record.epoch);
  }

  #claim(record: OwnershipRecord, now: Instant): void {
    this.#phase = 'claiming';
    this.#propose('claim', { type: 'claim', owner: this.#o.me, epoch: record.epoch }, now);
  }

  #unseal(why: string, now: Instant): void {
    this.#voice.say('info', 'claim-ended', `not taking over: ${why}`);
    this.#mirrors.unseal();
    this.#retryAt = plus(now, RETRY_MS);
    this.#enterWaiting(now);
  }

  #own(record: OwnershipRecord, reason: string, now: Instant): void {
    this.#record = record;
    this.#reason = reason;
    this.#phase = 'owning';
    this.#voice.allWell();
    this.#ownedSince = now;
    this.#leaseHeld = false;
    this.#gaveUpAt = NEVER;
    this.#retryAt = NEVER;
    this.#mirrors.forget();
    this.#copies.reset();
    this.#emitClaim();
    this.#announce(record, now);
    this.#engineDid(this.#engine.start(record.epoch, now), now);
    if (record.want === 'offline' || this.#leaving) this.#beginStop(now);
  }

  #emitClaim(): void {
    const epoch = this.#record?.epoch;
    if (epoch !== undefined) this.#voice.emit({ type: 'claim', group: this.#id, epoch });
  }

  // Letting go.

  #suspend(reason: string, now: Instant): void {
    this.#phase = 'suspended';
    this.#suspendedAt = now;
    this.#reason = `the lease is out: ${reason}`;
    const text = `suspended: ${reason}; addresses are withdrawn and writes wait`;
    this.#voice.say('warning', 'suspended', text);
  }

  #yieldSuperseded(record: OwnershipRecord, now: Instant): void {
    this.#propose('learn', { type: 'read' }, now);
    this.#yield(`another node owns the group since epoch ${record.epoch + 1}`, now);
  }

  #yield(reason: string, now: Instant): void {
    this.#phase = 'yielding';
    this.#reason = reason;
    this.#leaseHeld = false;
    this.#voice.say('warning', 'yielding', `stopping by force what runs here: ${reason}`);
    this.#voice.failed('not-owner', reason);
    this.#engineDid(this.#engine.stop('abandon', now), now);
  }

  #enterWaiting(now: Instant): void {
    this.#phase = 'waiting';
    this.#ownerLostAt = NEVER;
    this.#ownerSilentSince = NEVER;
    this.#advanceWaiting(now);
  }

  #beginHandOver(record: OwnershipRecord, to: NodeId, reason: string, now: Instant): void {
    this.#phase = 'handing';
    this.#handTo = to;
    this.#reason = reason;
    const kind = this.#voice.request === undefined ? 'failover' : 'switchover';
    this.#voice.say('info', kind, `moving from ${record.owner} to ${to}: ${reason}`);
    this.#engineDid(this.#engine.stop('orderly', now), now);
  }

  #beginStop(now: Instant): void {
    this.#phase = 'stopping';
    this.#voice.say('info', 'stopping', `stopping on ${this.#o.me}: ${this.#reason}`);
    this.#engineDid(this.#engine.stop('orderly', now), now);
  }

  // Requests of people.

  #asked(id: number, request: OperatorRequest, now: Instant): void {
    if (request.type === 'leave') return this.#askedToLeave(id, now);
    if (this.#voice.request !== undefined) {
      return this.#voice.reply(id, 'busy', 'another request for this group is under way');
    }
    if (request.type === 'move') return this.#askedToMove(id, request, now);
    const want = request.type === 'start' ? 'online' : 'offline';
    if (request.type === 'start' && this.#phase === 'owning') {
      this.#engineDid(this.#engine.start(must(this.#record, 'owned').epoch, now), now);
      if (this.#engine.isOnline())
        return this.#voice.reply(id, undefined, 'the group is online already');
    }
    this.#voice.begin(id, request);
    this.#propose('want', { type: 'want', want }, now);
  }

  #askedToMove(
    id: number,
    request: Extract<OperatorRequest, { type: 'move' }>,
    now: Instant,
  ): void {
    const record = this.#record;
    if (record === undefined || this.#phase !== 'owning') {
      const why = `${this.#o.me} does not run "${this.#id}" at the moment: ${this.#reason}`;
      return this.#voice.reply(id, 'not-owner', why);
    }
    if (request.to === this.#o.me) {
      return this.#voice.reply(id, undefined, `"${this.#id}" runs on ${this.#o.me} already`);
    }
    const why = obstacle(this.#situation(record), request.to, new Set());
    if (why !== undefined) {
      const code = staleCopies(record, request.to).length > 0 ? 'copy-stale' : 'not-owner';
      return this.#voice.reply(id, code, `Cannot move "${this.#id}" to ${request.to}: it ${why}`);
    }
    this.#voice.begin(id, request);
    this.#beginHandOver(record, request.to, request.reason, now);
  }

  #askedToLeave(id: number, now: Instant): void {
    this.#leaving = true;
    const record = this.#record;
    if (record === undefined || this.epochOwned === undefined) {
      return this.#voice.reply(id, undefined, `"${this.#id}" does not run here`);
    }
    this.#voice.failed('busy', 'the node is being stopped');
    this.#voice.begin(id, { type: 'leave' });
    const target = handOverTarget(this.#situation(record), this.#peers.avoided(now));
    this.#reason = `${this.#o.me} is being stopped`;
    if (this.#phase === 'owning' && target.node !== undefined) {
      return this.#beginHandOver(record, target.node, this.#reason, now);
    }
    if (this.#phase === 'suspended') return this.#yield(this.#reason, now);
    this.#beginStop(now);
  }

  // Outcomes of votes.

  #voted(effects: readonly ProposalsEffect<Purpose>[], now: Instant): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#voice.emit({ ...effect, after: undefined });
      else this.#settled(effect.proposal, effect.outcome, now);
    }
  }

  #settled(proposal: Proposal<Purpose>, outcome: ProposalOutcome, now: Instant): void {
    if (outcome.type === 'empty') this.#knownEmpty = true;
    const record =
      outcome.type === 'chosen' || outcome.type === 'rejected' ? outcome.record : undefined;
    const before = this.#record;
    if (record !== undefined && (before === undefined || record.epoch >= before.epoch)) {
      this.#record = record;
      const sameEpoch = before?.epoch === record.epoch && this.epochOwned !== undefined;
      if (sameEpoch) this.#mirrors.copiesChanged(before, record);
    }
    switch (proposal.purpose) {
      case 'learn':
        return this.#settledLearn(before, outcome, now);
      case 'create':
      case 'claim':
        return this.#settledClaim(proposal.purpose, outcome, now);
      case 'transfer':
        return this.#settledTransfer(outcome, now);
      case 'copy':
        return this.#settledCopy(proposal.change, outcome, now);
      case 'want':
        return this.#settledWant(outcome, now);
    }
  }

  #settledLearn(before: OwnershipRecord | undefined, outcome: ProposalOutcome, now: Instant): void {
    const record = this.#record;
    if (this.#phase === 'claiming') return this.#settledDoubt(before, outcome, now);
    if (record === undefined || record.epoch === before?.epoch) return;
    if (this.epochOwned !== undefined && before !== undefined) {
      this.#yield(`${record.owner} owns the group at epoch ${record.epoch}`, now);
    } else if (this.#phase === 'waiting' && before !== undefined) {
      this.#movedOn(record, 'the registry names this node as its owner', now);
    } else if (this.#phase === 'sealing') {
      this.#unseal(`${record.owner} owns the group at epoch ${record.epoch}`, now);
    }
  }

  /**
   * After a claim without a clear outcome. The mirrors stay sealed until it is known what became
   * of the vote: nothing of the old epoch may be acknowledged once the new one may exist.
   */
  #settledDoubt(before: OwnershipRecord | undefined, outcome: ProposalOutcome, now: Instant): void {
    const record = this.#record;
    if (outcome.type === 'noQuorum') {
      return this.#propose('learn', { type: 'read' }, now);
    }
    if (record === undefined) return this.#enterWaiting(now);
    if (record.owner === this.#o.me && record.epoch !== before?.epoch) {
      return this.#own(record, this.#reason, now);
    }
    if (record.epoch === before?.epoch && this.#ownerIsLost()) return this.#claim(record, now);
    this.#unseal(`${record.owner} owns the group at epoch ${record.epoch}`, now);
  }

  /** A new epoch was learned while waiting: hand-overs to this node begin here. */
  #movedOn(record: OwnershipRecord, reason: string, now: Instant): void {
    this.#ownerLostAt = NEVER;
    this.#ownerSilentSince = NEVER;
    if (record.owner === this.#o.me && !this.#leaving) {
      this.#voice.say('info', 'taking-over', `${this.#o.me} is the new owner: ${reason}`);
      this.#own(record, reason, now);
    } else {
      this.#reason = reason;
    }
  }

  #settledClaim(purpose: 'create' | 'claim', outcome: ProposalOutcome, now: Instant): void {
    if (this.#phase !== 'claiming') return;
    if (outcome.type === 'chosen' && outcome.record.owner === this.#o.me) {
      const again = this.#claimedFrom === this.#o.me ? 'restarted' : 'failover';
      const kind = purpose === 'create' ? 'first-start' : again;
      const text = `${this.#o.me} owns the group at epoch ${outcome.record.epoch}: ${this.#reason}`;
      this.#voice.say('info', kind, text);
      return this.#own(outcome.record, this.#reason, now);
    }
    if (outcome.type === 'noQuorum') {
      this.#voice.say('warning', 'no-majority', `cannot take over yet: ${outcome.why}`);
      this.#knownEmpty = false;
      return this.#propose('learn', { type: 'read' }, now);
    }
    this.#unseal(outcome.type === 'rejected' ? outcome.why : 'the record is gone', now);
  }

  #settledTransfer(outcome: ProposalOutcome, now: Instant): void {
    const me = this.#o.me;
    if (outcome.type === 'chosen') {
      const record = outcome.record;
      if (record.owner === me) return this.#own(record, this.#reason, now);
      this.#voice.emit({ type: 'release', group: this.#id });
      this.#announce(record, now);
      this.#voice.done(`"${this.#id}" was handed over to ${record.owner}`);
      this.#leaseHeld = false;
      return this.#enterWaiting(now);
    }
    const why = outcome.type === 'empty' ? 'the record is gone' : outcome.why;
    const record = this.#record;
    if (record === undefined || record.owner !== me || this.#phase === 'yielding') {
      return this.#yield(why, now);
    }
    this.#voice.say(
      'warning',
      'no-majority',
      `the hand-over found no majority, trying again: ${why}`,
    );
    this.#voice.failed('no-quorum', `The hand-over failed: ${why}`);
    this.#handTo = me;
    this.#transfer(record, now);
  }

  #settledCopy(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    if (change.type !== 'expel' && change.type !== 'admit') return;
    if (outcome.type === 'noQuorum' || outcome.type === 'empty') return;
    if (outcome.type === 'rejected') {
      if (this.epochOwned !== undefined) this.#yield(outcome.why, now);
      return;
    }
    const { type, mirror, peer } = change;
    this.#copies.settled(mirror, peer);
    const nodes = outcome.record.inSync[mirror]?.join(', ') ?? '';
    const what = type === 'admit' ? 'is in sync' : 'is no longer counted on';
    const text = `the copy of "${mirror}" on ${peer} ${what}; in sync: ${nodes}`;
    const kind = type === 'admit' ? 'copy-admitted' : 'copy-expelled';
    this.#voice.say(type === 'admit' ? 'info' : 'warning', kind, text, mirror);
    this.#announce(outcome.record, now);
  }

  #settledWant(outcome: ProposalOutcome, now: Instant): void {
    const pending = this.#voice.request;
    if (outcome.type !== 'chosen') {
      const why = outcome.type === 'empty' ? 'the group was never started' : outcome.why;
      return this.#voice.failed('no-quorum', `Cannot record what is wanted: ${why}`);
    }
    this.#announce(outcome.record, now);
    if (pending === undefined) return;
    const start = pending.type === 'start';
    this.#reason = `an administrator ${start ? 'started' : 'stopped'} it`;
    if (!start && this.#phase === 'owning') return this.#beginStop(now);
    if (start && this.#phase === 'offline') {
      this.#handTo = this.#o.me;
      return this.#transfer(outcome.record, now);
    }
    if (start && this.#phase === 'owning') return;
    const wanted = `"${this.#id}" is wanted ${outcome.record.want}`;
    const soon = start && this.#ownerIsLost();
    this.#voice.done(soon ? `${wanted} and starts now` : `${wanted}; it runs on no reachable node`);
  }

  #transfer(record: OwnershipRecord, now: Instant): void {
    const to = must(this.#handTo, 'a hand-over has a target');
    this.#phase = 'handing';
    this.#propose('transfer', { type: 'transfer', to, epoch: record.epoch }, now);
  }

  // What the engine reports.

  #actionFinished(event: Extract<CoreEvent, { type: 'actionFinished' }>, now: Instant): void {
    this.#engineDid(this.#engine.actionFinished(event.result, now), now);
  }

  /** What the heart does not report of an address it does not hold. */
  #knownAddress(seen: Observation): Observation {
    const config = this.#o.group.resources.find((r) => r.id === seen.resource);
    const gone = config?.agent === 'virtual-ip' && seen.state === 'unknown';
    return gone ? { ...seen, state: 'stopped' } : seen;
  }

  /** Without a lease an address is meant to be gone; that is no failure of it. */
  #observed(event: Extract<CoreEvent, { type: 'observed' }>, now: Instant): void {
    const config = this.#o.group.resources.find((r) => r.id === event.seen.resource);
    const excused = config?.agent === 'virtual-ip' && !this.#leaseHeld;
    const seen: Observation = excused ? { ...event.seen, state: 'unknown' } : event.seen;
    this.#engineDid(this.#engine.observed(seen, now, event.monitorId), now);
  }

  #engineDid(effects: readonly EngineEffect[], now: Instant): void {
    for (const effect of effects) {
      if (effect.type === 'action') this.#voice.emit(effect);
      else this.#noticed(effect.notice, now);
    }
  }

  #noticed(notice: EngineNotice, now: Instant): void {
    switch (notice.type) {
      case 'online':
        this.#voice.allWell();
        this.#voice.say('info', 'online', `online on ${this.#o.me}: ${this.#reason}`);
        if (this.#voice.request?.type === 'start') this.#voice.done(`"${this.#id}" is online`);
        break;
      case 'stopped':
        this.#engineStopped(now);
        break;
      case 'resourceFailed': {
        const then = FAILURE_ENDINGS[notice.then];
        const text = `"${notice.resource}" failed: ${notice.reason}; ${then}`;
        if (notice.then === 'restart') {
          this.#voice.say('warning', 'resource-failed', text, notice.resource);
        } else this.#voice.sayOnce(text, 'warning', 'resource-failed', text, notice.resource);
        break;
      }
      case 'resourceOnline':
        this.#voice.say(
          'info',
          'resource-online',
          `"${notice.resource}" is online`,
          notice.resource,
        );
        break;
      case 'stopFailed':
        this.#stopFailed(notice.resource, notice.reason, now);
        break;
    }
  }

  #engineStopped(now: Instant): void {
    const record = this.#record;
    switch (this.#phase) {
      case 'handing':
        return this.#transfer(must(record, 'an owner has a record'), now);
      case 'stopping':
        this.#phase = 'offline';
        this.#leaseHeld = false;
        this.#voice.emit({ type: 'release', group: this.#id });
        this.#voice.say('info', 'stopped', `stopped on ${this.#o.me}: ${this.#reason}`);
        return this.#voice.done(`"${this.#id}" is stopped`);
      case 'yielding':
        this.#voice.emit({ type: 'release', group: this.#id });
        this.#voice.say('info', 'stopped', `nothing of the group runs on ${this.#o.me} any more`);
        this.#voice.done(`"${this.#id}" is stopped`);
        this.#propose('learn', { type: 'read' }, now);
        return this.#enterWaiting(now);
      default:
        return undefined;
    }
  }

  #stopFailed(resource: ResourceId, reason: string, now: Instant): void {
    const record = this.#record;
    if (this.#phase === 'handing' && record !== undefined && !this.#leaving) {
      const text = `"${resource}" ${reason}; the group stays on ${this.#o.me}`;
      this.#voice.say('error', 'stop-failed', text, resource);
      this.#voice.failed('agent-failed', `Cannot move "${this.#id}": "${resource}" ${reason}`);
      this.#phase = 'owning';
      this.#reason = `it could not be stopped: "${resource}" ${reason}`;
      return this.#engineDid(this.#engine.start(record.epoch, now), now);
    }
    const next = 'nobody else starts the group until it is stopped; next: end what holds it';
    this.#voice.say('error', 'stop-failed', `"${resource}" ${reason}; ${next}`, resource);
    this.#voice.failed('agent-failed', `"${resource}" ${reason}`);
  }

  // News from mirrors, peers and the heart.

  #mirrorNews(mirror: ResourceId, news: MirrorNews, now: Instant): void {
    if (news.type === 'failed') {
      const seen: Observation = { resource: mirror, state: 'failed', detail: news.reason };
      return this.#engineDid(this.#engine.observed(seen, now), now);
    }
    if (this.epochOwned !== undefined) this.#copies.news(mirror, news, now);
  }

  #mirrorAnswered(
    mirror: ResourceId,
    order: MirrorOrder,
    answer: { readonly ok: boolean; readonly message: string },
    now: Instant,
  ): void {
    if (order.type === 'follow' && !answer.ok) {
      this.#mirrors.refused(mirror);
      this.#retryAt = earliest([this.#retryAt, plus(now, RETRY_MS * 10)]);
      return this.#voice.say('error', 'mirror-refused', `"${mirror}": ${answer.message}`, mirror);
    }
    if (order.type !== 'seal' || this.#phase !== 'sealing') return;
    if (!answer.ok) return this.#unseal(`"${mirror}" cannot be sealed: ${answer.message}`, now);
    if (this.#mirrors.sealed(mirror)) this.#claim(must(this.#record, 'sealed for it'), now);
  }

  #peersReported(peers: readonly PeerReport[], now: Instant): void {
    this.#peers.update(peers);
    const record = this.#record;
    if (this.#phase !== 'waiting' || record === undefined) return;
    if (this.#peers.someoneClaimsAfter(record.epoch)) this.#propose('learn', { type: 'read' }, now);
  }

  #leaseReported(epoch: Epoch, held: boolean, reason: string, now: Instant): void {
    if (this.#phase !== 'probing' && epoch !== this.#record?.epoch) return;
    this.#leaseHeld = held;
    if (!held && this.#phase === 'owning') this.#suspend(reason, now);
    if (held && this.#phase === 'suspended') {
      const seconds = ((now - this.#suspendedAt) / 1000).toFixed(2);
      this.#phase = 'owning';
      this.#retryAt = NEVER;
      this.#reason = `the lease came back after ${seconds} s`;
      this.#voice.say(
        'info',
        'resumed',
        `resumed after ${seconds} s: the lease is back, nothing restarted`,
      );
    }
  }

  /** Reading tells what is true, and writes it once more, which brings a late voter up. */
  #recordDiffers(now: Instant): void {
    if (this.epochOwned === undefined || now - this.#refreshedAt < RETRY_MS) return;
    this.#refreshedAt = now;
    this.#propose('learn', { type: 'read' }, now);
  }

  #heardDecided(decided: Decided, now: Instant): void {
    const before = this.#record;
    for (const node of decided.failedOn) this.#peers.failedOn(node, now);
    if (before !== undefined && decided.record.epoch < before.epoch) return;
    if (this.epochOwned !== undefined) {
      if (before !== undefined && decided.record.epoch > before.epoch) {
        this.#record = decided.record;
        this.#yield(`${decided.record.owner} owns the group at epoch ${decided.record.epoch}`, now);
      }
      return;
    }
    if (this.#phase === 'offline' && decided.record.owner === this.#o.me) return;
    this.#record = decided.record;
    if (this.#phase === 'probing' || this.#phase === 'yielding') return;
    const newer = before === undefined || decided.record.epoch > before.epoch;
    if (this.#phase === 'offline') this.#enterWaiting(now);
    if (!newer) return;
    if (this.#phase === 'waiting') return this.#movedOn(decided.record, decided.reason, now);
    this.#unseal(`${decided.record.owner} owns the group at epoch ${decided.record.epoch}`, now);
  }

  #follow(record: OwnershipRecord, now: Instant): void {
    if (!this.#o.group.nodes.includes(this.#o.me)) return;
    this.#mirrors.follow(record, now >= this.#pausedUntil());
  }

  // Small questions.

  #situation(record: OwnershipRecord): Situation {
    return { me: this.#o.me, group: this.#o.group, record, peers: this.#peers.reports };
  }

  /** Lost to the heart; a record that names this node itself, which runs nothing, counts too. */
  #ownerIsLost(): boolean {
    const owner = this.#record?.owner;
    if (owner === undefined || !this.#peers.heartConnected) return false;
    return owner === this.#o.me || this.#peers.isLost(owner);
  }

  #failure(): string {
    const failed = this.#engine.givenUp();
    return failed === undefined ? 'a resource failed' : `"${failed.id}" failed: ${failed.reason}`;
  }

  #sayStale(record: OwnershipRecord, stale: readonly ResourceId[]): void {
    const ready = candidates(this.#situation(record)).join(', ') || record.owner;
    this.#reason =
      `${this.#peers.lostReason(record.owner)}, but the copy of "${stale.join('", "')}" on ` +
      `${this.#o.me} is not in sync; waiting for ${ready}`;
    const next = `next: bring ${record.owner} back; its copy has everything`;
    const about = `copy-stale ${record.owner}@${record.epoch}`;
    const text = `not taking over: ${this.#reason}; ${next}`;
    this.#voice.sayOnce(about, 'error', 'copy-stale', text);
  }

  // Effects.

  #propose(purpose: Purpose, change: RecordChange, now: Instant): void {
    const proposal = { change, purpose, timeoutMs: VOTE_TIMEOUT_MS };
    this.#voted(this.#proposals.propose(proposal, now), now);
  }

  #announce(record: OwnershipRecord, now: Instant): void {
    this.#voice.announce(record, this.#reason, [...this.#peers.avoided(now)]);
  }
}
