/**
 * This node while it owns the group: it runs the resources, keeps the list of copies in sync true,
 * and gives up its authority when the lease does not come back.
 *
 *   owning ◄── lease back ── suspended ── grace over, record moved on ──► (yielding)
 *      └────── lease lost ──────►
 *
 * Invariants: resources start only after `own`, that is after a vote that named this node, and only
 * while the heart holds the lease of that epoch; a copy is expelled from a mirror only after the
 * vote that took it out.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, instant, plus } from '../../base/time.ts';
import type { HookFacts } from '../../protocol/hook.ts';
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord } from '../../protocol/record.ts';
import type { Observation } from '../group/engine.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { handOverTarget, obstacle } from './candidacy.ts';
import { CopyKeeper } from './copy-keeper.ts';
import { leftAlone } from '../registry/maintenance.ts';
import { Drain } from './drain.ts';
import { type GroupContext, type Moves, RETRY_MS } from './group-context.ts';
import { MaintenanceKeeper } from './maintenance.ts';
import type { CoreEvent, MirrorNews } from './node-io.ts';
import { Placed } from './placed.ts';
import { linkTrouble, ServiceNetwork } from './service-network.ts';

/** So often a mirror whose process does not answer is tried to be stopped before it is left behind. */
const MIRROR_STOPS_MAX = 2;
/** What a restart cannot help may mend by itself: a plug that is put back. */
const LASTING_RETRY_MS = 2000;
/** How often the owner of a stopped group reads whether it is still to be stopped. */
const OFFLINE_READ_MS = 5000;
/** What others recorded is noticed that late at most, should their word have been lost. */
const READ_MS = 30_000;
/** What failed too often is tried here all the same where nobody else can take over. */
const NOBODY_ELSE_RETRY_MS = 10_000;
/** A hook that said no to a failback is asked again; one that came to nothing is tried again, ever later. */
const FAILBACK_RETRY_MS = 60_000;
const FAILBACK_RETRY_MS_MAX = 3_600_000;
/** A hook that said no to a start is asked again where nobody else can take over. */
const VETO_RETRY_MS = 10_000;

export class Owner {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #copies: CopyKeeper;
  readonly #drain: Drain;
  readonly #maintenance: MaintenanceKeeper;
  readonly #placed: Placed;
  readonly #network = new ServiceNetwork();
  #leaseSoughtAt: Instant = NEVER;
  /** When the heart last said that it holds the lease, after it had not. */
  #leaseBackAt = 0 as Instant;
  #suspendedAt: Instant = NEVER;
  /** Everything ran when the lease was lost. */
  #wasWhole = false;
  #gaveUpAt: Instant = NEVER;
  #refreshedAt = 0 as Instant;
  #readAskedAt = 0 as Instant;
  #heldDownVoteAt = 0 as Instant;
  /** The hook has still to say whether the resources may start here. */
  #startPending = false;
  /** It said no, and is asked again then. */
  #startAskedAgainAt: Instant = NEVER;
  /** A hook is asked about a failback; its answer wakes this node. */
  #failbackAsking = false;
  #failbackNotBefore = 0 as Instant;
  /** How often it was begun since the group came here. */
  #failbacks = 0;
  /** It began before anything was read: its mirrors wait for every copy that there may be. */
  #unread = false;
  /** Mirrors that may wait for copies which do not count. */
  readonly #unlisted = new Set<ResourceId>();
  /** What the heart last said of the support for a claim. */
  #support: { readonly epoch: Epoch; readonly by: Electorate } | undefined;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
    this.#drain = new Drain(context, moves);
    this.#maintenance = new MaintenanceKeeper(context);
    this.#placed = new Placed(context, moves);
    this.#copies = new CopyKeeper(context.options.timing.secondaryLostMs);
  }

  nextWakeAt(now: Instant): Instant {
    const { engine, epochOwned, leaseHeld, options, peers, phase, record, voters } = this.#context;
    if (epochOwned === undefined) return NEVER;
    const graceEndsAt = plus(this.#suspendedAt, options.timing.suspendGraceMs);
    const owning = phase === 'owning';
    const ends = phase === 'handing' || (phase === 'stopping' && engine.isStopped());
    const acts = owning && leftAlone(record) === undefined && !engine.isResting;
    return earliest([
      this.#copies.nextWakeAt(now),
      phase === 'suspended' ? graceEndsAt : NEVER,
      !ends && (leaseHeld || options.outside) ? voters.nextWakeAt(record, now) : NEVER,
      owning && this.#startPending ? this.#startAskedAgainAt : NEVER,
      owning && engine.heldDown() !== undefined ? this.#heldDownVoteAt : NEVER,
      owning && !leaseHeld ? this.#leaseDueAt() : NEVER,
      owning ? this.#readDueAt() : NEVER,
      owning ? this.#maintenance.nextWakeAt(now) : NEVER,
      acts ? this.#gaveUpAt : NEVER,
      acts && engine.hasGivenUp() ? peers.avoidEndsAt(now) : NEVER,
      acts ? this.#drain.nextWakeAt(now) : NEVER,
      acts ? this.#placed.nextWakeAt(now) : NEVER,
      acts && !this.#failbackAsking ? this.#failbackDueAt(now) : NEVER,
    ]);
  }

  /** Resources start as soon as the heart holds the lease of that epoch. */
  own(record: OwnershipRecord, reason: string, now: Instant): void {
    const context = this.#context;
    // What is taken up as it runs has been told while it was probed, and is told once.
    const takenUp = context.phase === 'probing';
    if (!takenUp) this.#copies.reset();
    this.#unread = !context.hasRead;
    this.#unlisted.clear();
    if (takenUp) for (const mirror of context.mirrors.mirrors) this.#unlisted.add(mirror);
    if (context.arrival !== undefined && context.arrival.from !== context.me) {
      this.#failbackNotBefore = 0 as Instant;
      this.#failbacks = 0;
    }
    context.record = record;
    context.reason = reason;
    context.phase = 'owning';
    // One that still waits for its turn would depose this node by a newer epoch of its own.
    context.withdraw('claim', now);
    context.voice.allWell();
    this.#leaseSoughtAt = now;
    context.leaseHeld = false;
    this.#gaveUpAt = NEVER;
    context.retryAt = context.presumed || context.inDoubt ? plus(now, RETRY_MS) : NEVER;
    context.mirrors.forget();
    context.voters.begin(now);
    if (this.#support?.epoch === record.epoch) context.voters.supported(this.#support.by, now);
    this.#claim(now);
    context.announce(record, now);
    const { engine, hooks } = context;
    hooks.forget('before-start');
    this.#startAskedAgainAt = NEVER;
    context.restoredEpoch = undefined;
    this.#placed.reset();
    const online = record.want === 'online';
    if (takenUp && online && this.#maintenance.takenUp(record, now)) {
      this.#startPending = false;
      context.mirrors.takenUp(record);
      if (context.leaving) this.#moves.stop(now);
      return;
    }
    const asks = hooks.has('before-start') || context.options.placing !== undefined;
    this.#startPending = asks && engine.isStopped();
    if (!this.#startPending) context.engineDid(engine.start(record.epoch, now), now);
    if (takenUp) context.mirrors.takenUp(record);
    if (record.want === 'offline') context.reason = 'an administrator stopped it';
    if (record.want === 'offline' || context.leaving) this.#moves.stop(now);
  }

  /** All that was to start runs: whoever is told of that is told. */
  cameOnline(now: Instant): void {
    const { arrival, hooks, me, reason, record } = this.#context;
    this.#context.arrival = undefined;
    this.#context.overruled = false;
    if (arrival === undefined || record === undefined) return;
    const matter = { ...arrival, to: me, reason, epoch: record.epoch };
    hooks.tell('after-start', matter, now);
    if (arrival.cause === 'failover') hooks.tell('after-failover', matter, now);
    if (arrival.cause === 'failback') hooks.tell('after-failback', matter, now);
  }

  advanceOwning(now: Instant): void {
    const context = this.#context;
    const record = must(context.record, 'an owner has a record');
    if (context.peers.someoneClaimsAfter(record.epoch)) return this.#superseded(record, now);
    if (now >= this.#readDueAt()) this.#read(now);
    this.advanceCopies(record, now);
    this.#advanceVoters(record, now);
    this.#maintenance.watch(record, now);
    if (!context.leaseHeld && now >= this.#leaseDueAt()) {
      const { heartConnected } = context.peers;
      const why = heartConnected ? 'no majority of voters answers' : 'the heart does not answer';
      return this.#suspend(why, now);
    }
    if (record.want === 'offline') return this.#unwanted(record, now);
    if (this.#startPending) return this.#advanceStart(record, now);
    if (context.engine.heldDown() !== undefined) this.#recordHeldDown(now);
    if (this.#maintenance.advance(record, now)) {
      this.#gaveUpAt = NEVER;
      this.#failbackAsking = false;
      return;
    }
    if (this.#leaveBehind(record, now)) return;
    if (context.engine.hasGivenUp()) return this.#advanceGivenUp(record, now);
    this.#gaveUpAt = NEVER;
    if (this.#leaveDeadLink(record, now)) return;
    if (this.#drain.advance(record, now)) return;
    if (this.#placed.advance(record, now)) return;
    if (now >= this.#failbackDueAt(now)) this.#failBack(record, now);
    else this.#failbackAsking = false;
  }

  /** Recorded by somebody else, or while the lease was out, or because a failure keeps it down. */
  #unwanted(record: OwnershipRecord, now: Instant): void {
    const held = this.#context.engine.heldDown();
    const reason =
      held === undefined ? 'an administrator stopped it' : `"${held.id}" failed: ${held.reason}`;
    // What a failure keeps down is stopping already.
    const asked = held === undefined && !this.#startPending;
    if (asked && !this.#toldBeforeStop(record, { cause: 'stop', to: undefined, reason }, now))
      return;
    this.#context.reason = reason;
    this.#moves.stop(now);
  }

  /** A hook may do its part before it stops, in its time; it has no say in it. */
  #toldBeforeStop(
    { epoch, owner: from }: OwnershipRecord,
    facts: Pick<HookFacts, 'cause' | 'to' | 'reason'>,
    now: Instant,
  ): boolean {
    const about = `${facts.cause} at epoch ${epoch}`;
    const matter = { ...facts, from, about, epoch, mayVeto: false };
    return this.#context.hooks.gate('before-stop', matter, now) !== undefined;
  }

  /** The resources start when the hook has answered, or its time is over. */
  #advanceStart(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    if (!this.#placed.mayStart(record, now)) return;
    const { arrival, engine, hooks, me, overruled, reason, voice } = context;
    if (this.#startAskedAgainAt !== NEVER && now < this.#startAskedAgainAt && !overruled) return;
    const { epoch } = record;
    const mayVeto = !overruled && voice.request?.type !== 'start';
    const facts = { cause: arrival?.cause ?? 'start', from: arrival?.from, to: me, reason };
    const matter = { ...facts, about: `epoch ${epoch}, ${mayVeto}`, epoch, mayVeto };
    const verdict = hooks.gate('before-start', matter, now);
    this.#startAskedAgainAt = NEVER;
    if (verdict === undefined && engine.target !== 'online') return;
    hooks.forget('before-start');
    if (verdict?.type === 'veto') return this.#startVetoed(record, verdict.reason, now);
    this.#startPending = false;
    context.engineDid(engine.start(epoch, now), now);
  }

  /** It goes to another node, as after a failure; where there is none, the hook is asked again. */
  #startVetoed(record: OwnershipRecord, why: string, now: Instant): void {
    const context = this.#context;
    const { me, peers } = context;
    const reason = `the hook before-start on ${me} says no: ${why}`;
    const target = handOverTarget(context.situation(record), peers.avoided(now));
    if (target.node !== undefined) {
      this.#startPending = false;
      peers.failedOn(me, now);
      return this.#moves.handOver(record, target.node, reason, now);
    }
    context.reason = `${reason}; nobody else can take over: ${target.why}`;
    const next = `next: "tako group start ${context.id}" overrules it; it is asked again and again`;
    context.voice.sayOnce('before-start', 'error', 'held-by-hook', `${context.reason}; ${next}`);
    this.#startAskedAgainAt = plus(now, VETO_RETRY_MS);
  }

  /** A failure for which the group is stopped here until a person starts it again. */
  heldDown(): void {
    const { engine, id, me, voice } = this.#context;
    const held = engine.heldDown();
    if (held === undefined) return;
    const failure = `"${held.id}" failed: ${held.reason}`;
    const next = `next: repair it, then run "tako group start ${id}"`;
    const text = `kept down on ${me}: ${failure}; ${next}`;
    voice.sayOnce(text, 'error', 'held-down', text, held.id);
    voice.failed('agent-failed', failure);
  }

  /** Nobody else starts what a failure keeps down here, also when this node is lost by then. */
  #recordHeldDown(now: Instant): void {
    if (now < this.#heldDownVoteAt) return;
    this.heldDown();
    this.#heldDownVoteAt = plus(now, RETRY_MS);
    this.#context.propose('want', { type: 'want', want: 'offline' }, now);
  }

  /** Stopped by a wish that was withdrawn while it was carried out. */
  advanceOffline(now: Instant): void {
    const context = this.#context;
    const { leaving, me, record } = context;
    if (record === undefined || leaving) return;
    if (record.owner === me && record.want === 'online') {
      context.reason = 'an administrator started it';
      return this.#moves.startAnew(record, now);
    }
    // The word that it is wanted again may not have come; without a claim no voter tells.
    if (now < context.pausedUntil) return;
    context.retryAt = plus(now, OFFLINE_READ_MS);
    context.learn(now);
  }

  advanceSuspended(now: Instant): void {
    const context = this.#context;
    const record = must(context.record, 'an owner has a record');
    if (context.peers.someoneClaimsAfter(record.epoch)) return this.#superseded(record, now);
    if (now - this.#suspendedAt >= context.options.timing.suspendGraceMs) {
      const restored = leftAlone(record) !== undefined && this.#wasWhole;
      context.restoredEpoch = restored ? record.epoch : undefined;
      return this.#moves.yield('the lease did not come back in time', now);
    }
    if (context.options.outside) {
      this.advanceCopies(record, now);
      this.#advanceVoters(record, now);
    }
    if (now < context.pausedUntil) return;
    this.#read(now);
  }

  /** What is in doubt is read soon; of the rest every vote of this node has told as well. */
  #readDueAt(): Instant {
    const { inDoubt, presumed, readAt, retryAt } = this.#context;
    if (inDoubt || presumed) return retryAt;
    return plus(instant(Math.max(readAt ?? 0, this.#readAskedAt)), READ_MS);
  }

  #read(now: Instant): void {
    this.#readAskedAt = now;
    this.#context.retryAt = plus(now, RETRY_MS);
    this.#context.learn(now);
  }

  #superseded(record: OwnershipRecord, now: Instant): void {
    this.#context.learn(now);
    this.#moves.yield(`another node owns the group since epoch ${record.epoch + 1}`, now);
  }

  // The lease.

  /** A heart may be a new one: it is told the claim, and says itself whether it holds the lease. */
  heartConnected(now: Instant): void {
    this.#context.peers.heartConnected = true;
    this.#leaseUnknown(now);
    this.#claim(now);
  }

  /** The marks that it left end by themselves; so does this node's authority. */
  heartLost(now: Instant): void {
    this.#context.peers.heartConnected = false;
    this.#leaseUnknown(now);
  }

  #leaseUnknown(now: Instant): void {
    if (this.#context.epochOwned === undefined) return;
    this.#context.leaseHeld = false;
    this.#leaseSoughtAt = now;
  }

  /** What this node owns was read for the first time: by what it accepted once it was only taken up. */
  recordRead(now: Instant): void {
    this.#claim(now);
  }

  /**
   * What this node's own acceptor holds may be from before the last change of voters: by that alone
   * nothing is claimed, and the heart goes on by what it counts, or by nothing if it is a new one.
   */
  #claim(now: Instant): void {
    const { epochOwned, presumed, record, voters } = this.#context;
    if (epochOwned === undefined || record === undefined || presumed) return;
    voters.toCount(record, now);
    this.#tellClaim();
  }

  #tellClaim(): void {
    const { epochOwned: epoch, id, voice, voters } = this.#context;
    if (epoch === undefined) return;
    voice.emit({ type: 'claim', group: id, epoch, electorates: voters.counted });
  }

  /**
   * What runs is being stopped, and the end of its writes waits for copies and for the lease. Once all
   * is stopped the copies are equal, and their connections end as they should.
   */
  advanceEnding(now: Instant): void {
    const { engine, phase, record } = this.#context;
    if (engine.isStopped()) return;
    const owned = must(record, 'an owner has a record');
    this.advanceCopies(owned, now);
    // A hand-over moves the votes by itself.
    if (phase === 'stopping') this.#advanceVoters(owned, now);
  }

  // Voters.

  supported(epoch: Epoch, by: Electorate, now: Instant): void {
    this.#support = { epoch, by };
    if (epoch === this.#context.epochOwned) this.#context.voters.supported(by, now);
  }

  /** Moves the votes to where the group is safest, one step at a time, while the lease is held. */
  #advanceVoters(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    const { voters } = context;
    const { leaseHeld, options, peers, phase, presumed } = context;
    if (presumed) return;
    const lost = phase === 'suspended' || phase === 'stopping';
    const standing = leaseHeld ? 'leased' : lost ? 'suspended' : 'beginning';
    // Without its heart this node knows neither who answers nor whether the marks have ended.
    const alone = !leaseHeld && options.outside && peers.heartConnected;
    if (leaseHeld || alone) voters.aim(record, now, standing);
    if (voters.toCount(record, now) !== undefined) this.#tellClaim();
    if (!leaseHeld && !alone) return;
    const change = voters.due(record, now);
    if (change !== undefined) context.propose('voters', change, now);
  }

  votersSettled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    if (outcome.type !== 'chosen') {
      context.voters.refused(outcome.type === 'noQuorum' && outcome.uncertain, now);
      if (context.epochOwned !== undefined) context.learn(now);
      return;
    }
    if (change.type !== 'settleVoters' && change.type !== 'setVoters') return;
    const { record } = outcome;
    const voters = record.voters.map(({ node }) => node).join(', ');
    const text = `the votes on "${context.id}" are now with ${voters}`;
    context.voice.say('info', 'voters-changed', text);
    context.announce(record, now);
  }

  leaseReported(epoch: Epoch, held: boolean, reason: string, now: Instant): void {
    const context = this.#context;
    if (context.phase !== 'probing' && epoch !== context.record?.epoch) return;
    if (held && !context.leaseHeld) this.#leaseBackAt = now;
    context.leaseHeld = held;
    context.leaseEpoch = epoch;
    if (!held && context.phase === 'owning') this.#suspend(reason, now);
    if (held && context.phase === 'suspended') this.#resume(now);
    context.engineDid(context.engine.tick(now), now);
  }

  /** An owner that has no lease by then is suspended. */
  #leaseDueAt(): Instant {
    return plus(this.#leaseSoughtAt, 2 * this.#context.options.timing.leaseMs);
  }

  #suspend(reason: string, now: Instant): void {
    const context = this.#context;
    context.phase = 'suspended';
    this.#wasWhole = context.engine.isOnline();
    this.#suspendedAt = now;
    context.reason = `the lease is out: ${reason}`;
    const text = `suspended: ${reason}; addresses are withdrawn and writes wait`;
    context.voice.say('warning', 'suspended', text);
    if (!context.options.outside) this.#standByVoters(now);
  }

  /** Those who were to vote as well are left out again, unless they may have the vote already. */
  #standByVoters(now: Instant): void {
    const { record, voters } = this.#context;
    this.#context.withdraw('voters', now);
    voters.leaseLost(now);
    if (record !== undefined && voters.toCount(record, now) !== undefined) this.#tellClaim();
  }

  #resume(now: Instant): void {
    const context = this.#context;
    const seconds = ((now - this.#suspendedAt) / 1000).toFixed(2);
    context.phase = 'owning';
    if (!context.presumed && !context.inDoubt) context.retryAt = NEVER;
    this.#copies.hearsAgain(2 * context.options.timing.heartbeatMs, now);
    context.reason = `the lease came back after ${seconds} s`;
    const text = `resumed after ${seconds} s: the lease is back, nothing restarted`;
    context.voice.say('info', 'resumed', text);
  }

  /** Reading tells what is true, and writes it once more, which brings a late voter up. */
  recordDiffers(now: Instant): void {
    if (this.#context.epochOwned === undefined || now - this.#refreshedAt < RETRY_MS) return;
    this.#refreshedAt = now;
    this.#context.learn(now);
  }

  // Copies.

  /** Votes copies out and in, as long as writes or the end of writes wait for them. */
  advanceCopies(record: OwnershipRecord, now: Instant): void {
    const { hasRead, me, mirrors, peers, voice, voters } = this.#context;
    if (hasRead) this.#expelUnlisted(record, now);
    const liveness = {
      silentMs: peers.silentMs.bind(peers),
      mayAdmit: (peer: NodeId) => voters.mayAdmit(peer, record, now),
    };
    for (const vote of this.#copies.due(liveness, now)) {
      const { type, mirror, peer } = vote;
      const counted = this.countedCopies(mirror).includes(peer);
      if (type === 'expel' && !counted) {
        mirrors.expel(mirror, peer);
        this.#expelled(mirror, peer, now);
        continue;
      }
      if (type === 'expel') {
        const text = `voting the copy of "${mirror}" on ${peer} out: ${vote.reason}`;
        voice.sayOnce(copyLost(mirror, peer), 'warning', 'copy-lost', text, mirror);
      }
      const change: RecordChange = { type, owner: me, epoch: record.epoch, mirror, peer };
      this.#context.propose('copy', change, now);
    }
  }

  /** The record names other copies, by whichever vote. */
  copiesChanged(before: OwnershipRecord, after: OwnershipRecord, now: Instant): void {
    for (const { mirror, peer } of this.#context.mirrors.copiesChanged(before, after)) {
      this.#expelled(mirror, peer, now);
    }
  }

  /**
   * A mirror that served before this process began may wait for a copy that was voted out meanwhile, as
   * one may that began before the record was read: told so, it says when that is in again. Only what was
   * read can tell who is out.
   */
  #expelUnlisted(record: OwnershipRecord, now: Instant): void {
    const { mirrors, options } = this.#context;
    for (const mirror of this.#unlisted) {
      this.#unlisted.delete(mirror);
      for (const peer of options.group.nodes) {
        const counted = peer === record.owner || this.countedCopies(mirror).includes(peer);
        if (counted || this.#copies.hasCaughtUp(mirror, peer)) continue;
        mirrors.expel(mirror, peer);
        this.#expelled(mirror, peer, now);
      }
    }
  }

  #expelled(mirror: ResourceId, peer: NodeId, now: Instant): void {
    this.#copies.expelled(mirror, peer);
    this.#context.withdrawAdmission(mirror, peer, now);
  }

  /** The copies that a mirror has to wait for that begins to serve now; this node's among them. */
  countedCopies(mirror: ResourceId): readonly NodeId[] {
    const { hasRead, me, options, record } = this.#context;
    if (!hasRead) return options.group.nodes;
    const listed = record?.inSync[mirror] ?? [me];
    return [...new Set([...listed, ...this.#copies.admitting(mirror)])].sort();
  }

  copySettled(change: RecordChange, outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    if (change.type !== 'expel' && change.type !== 'admit') return;
    if (outcome.type === 'noQuorum' || outcome.type === 'empty') return;
    if (outcome.type === 'rejected') {
      if (context.epochOwned !== undefined) this.#moves.yield(outcome.why, now);
      return;
    }
    const { type, mirror, peer } = change;
    this.#copies.settled(change);
    // It was out before, and the mirror that waited for it all the same has heard nothing yet.
    if (type === 'expel' && !context.mirrors.isExpelling(mirror, peer)) {
      context.mirrors.expel(mirror, peer);
      this.#expelled(mirror, peer, now);
    }
    context.voice.mended(copyLost(mirror, peer));
    const nodes = outcome.record.inSync[mirror]?.join(', ') ?? '';
    const what = type === 'admit' ? 'is in sync' : 'is no longer counted on';
    const text = `the copy of "${mirror}" on ${peer} ${what}; in sync: ${nodes}`;
    const kind = type === 'admit' ? 'copy-admitted' : 'copy-expelled';
    context.voice.say(type === 'admit' ? 'info' : 'warning', kind, text, mirror);
    context.announce(outcome.record, now);
  }

  /** One that serves again counts only those that it is told of then, until it says more. */
  actionFinished({ action, result }: Extract<CoreEvent, { type: 'actionFinished' }>): void {
    if (result.outcome !== 'ok') return;
    if (action === 'stop') this.#copies.stopped(result.resource);
    const { mirrors } = this.#context.mirrors;
    if (action === 'start' && this.#unread && mirrors.includes(result.resource)) {
      this.#unlisted.add(result.resource);
    }
  }

  mirrorNews(mirror: ResourceId, news: MirrorNews, now: Instant): void {
    const { engine, epochOwned, phase } = this.#context;
    if (news.type === 'failed') {
      const seen: Observation = { resource: mirror, state: 'failed', detail: news.reason };
      return this.#context.engineDid(engine.observed(seen, now), now);
    }
    if (news.type === 'bypassed') return this.#bypassed(mirror, news.by);
    const { mirrors } = this.#context;
    if (news.type === 'peerCaughtUp' && !mirrors.waitsAgain(mirror, news.peer)) return;
    const told = epochOwned !== undefined || phase === 'probing';
    if (news.type === 'peerAnswers') this.#context.voice.mended(copyLost(mirror, news.peer));
    if (told) this.#copies.news(mirror, news, now);
  }

  #bypassed(mirror: ResourceId, by: readonly string[]): void {
    const who = by.join('; ');
    const next = 'next: end those programs, and let Tako alone start them';
    const text = `written to below the mirror, which no copy gets: ${who}; ${next}`;
    this.#context.voice.say('error', 'written-below', text, mirror);
  }

  // Resources.

  /** Whether a probe was asked for here. */
  probed(found: readonly Observation[], now: Instant): boolean {
    return this.#maintenance.probed(found, now);
  }

  /** Without a lease an address is meant to be gone; that is no failure of it. */
  observed(event: Extract<CoreEvent, { type: 'observed' }>, now: Instant): void {
    const { engine, leaseHeld, options } = this.#context;
    const config = options.group.resources.find((r) => r.id === event.seen.resource);
    // A check that began before the lease was back may have looked before the address was, too.
    const soon = config !== undefined && now < plus(this.#leaseBackAt, config.monitorMs);
    const excused = config?.agent === 'virtual-ip' && (!leaseHeld || soon);
    const seen: Observation = excused ? { ...event.seen, state: 'unknown' } : event.seen;
    this.#context.engineDid(engine.observed(seen, now, event.monitorId), now);
  }

  /**
   * A mirror whose process does not answer does not stop, either, and can only wait here. Where another
   * node has its copy, the group goes on there.
   */
  #leaveBehind(record: OwnershipRecord, now: Instant): boolean {
    const { engine, me, peers } = this.#context;
    const left = engine.unstopped();
    const [first] = left;
    if (first === undefined) return false;
    if (left.some(({ leased, tries }) => !leased || tries < MIRROR_STOPS_MAX)) return false;
    const target = handOverTarget(this.#context.situation(record), peers.avoided(now));
    if (target.node === undefined) return false;
    peers.failedOn(me, now);
    const reason = `it failed on ${me}: "${first.id}" ${first.reason}`;
    this.#moves.leaveBehind(record, target.node, reason, now);
    return true;
  }

  /** What cannot run here goes to another node; where there is none, it is tried again here. */
  #advanceGivenUp(record: OwnershipRecord, now: Instant): void {
    const { engine, id, me, peers, voice } = this.#context;
    const failed = must(engine.givenUp(), 'a resource gave up');
    const failure = `"${failed.id}" failed: ${failed.reason}`;
    const target = handOverTarget(this.#context.situation(record), peers.avoided(now));
    if (target.node !== undefined) {
      const reason = `it failed on ${me}: ${failure}`;
      const facts = { cause: 'failure', to: target.node, reason } as const;
      if (!this.#toldBeforeStop(record, facts, now)) return;
      peers.failedOn(me, now);
      return this.#moves.handOver(record, target.node, reason, now);
    }
    if (this.#gaveUpAt === NEVER) {
      this.#gaveUpAt = plus(now, failed.lasting ? LASTING_RETRY_MS : NOBODY_ELSE_RETRY_MS);
      const next = `next: repair it, then run "tako group start ${id}"`;
      const text = `${failure}; nobody can take over: ${target.why}; ${next}`;
      voice.sayOnce(text, 'error', 'failed', text);
      voice.failed('agent-failed', text);
    } else if (now >= this.#gaveUpAt) {
      this.#gaveUpAt = NEVER;
      this.#context.reason = `it is tried again on ${me}, for nobody else could take over`;
      this.#context.engineDid(engine.start(record.epoch, now), now);
    }
  }

  /**
   * Clients need the link on which this node hears nobody. True when the group goes where somebody is
   * heard there, or is about to.
   */
  #leaveDeadLink(record: OwnershipRecord, now: Instant): boolean {
    const { engine, leaseHeld, me, options, peers, voice } = this.#context;
    const found = leaseHeld ? linkTrouble(options.group, peers.reports) : undefined;
    const trouble = this.#network.review(found, now);
    if (found === undefined) voice.mended('link ');
    if (trouble === undefined || !engine.isOnline()) return false;
    const { link, own } = trouble;
    const what = `${me} hears nobody on link "${link}", which the group's address needs`;
    const target = own
      ? handOverTarget(this.#context.situation(record), peers.avoided(now))
      : { node: undefined, why: 'nobody can tell which end of the link is dead' };
    if (target.node === undefined) {
      const next = `next: look at the network card, cable and switch port of ${me}`;
      const text = `${what}; the group stays on ${me}: ${target.why}; ${next}`;
      voice.sayOnce(`link ${text}`, 'error', 'link-dead', text);
      return false;
    }
    const reason = `${what}, while others are heard there`;
    const facts = { cause: 'failure', to: target.node, reason } as const;
    if (!this.#toldBeforeStop(record, facts, now)) return true;
    peers.failedOn(me, now);
    this.#moves.handOver(record, target.node, reason, now);
    return true;
  }

  // Failback.

  /** When the group may return to the first of its nodes; never, as long as anything is against it. */
  #failbackDueAt(now: Instant): Instant {
    const { engine, leaseHeld, me, options, peers, record, voice } = this.#context;
    const { failback, nodes } = options.group;
    const [first] = nodes;
    if (failback.policy === 'never' || record === undefined || record.byHand === true) return NEVER;
    if (first === undefined || first === me || !leaseHeld || !engine.isOnline()) return NEVER;
    if (voice.request !== undefined || record.formerVoters !== undefined) return NEVER;
    // With other groups to think of, the plan says when.
    const planned = options.placing?.placement();
    const goes = planned?.action === 'move' && planned.target === first;
    if (options.placing !== undefined && !goes) return NEVER;
    if (options.quarantined().has(first)) return NEVER;
    const upSince = peers.upSince(first);
    if (upSince === undefined || !this.#context.isTimeFor(failback)) return NEVER;
    const situation = this.#context.situation(record);
    if (obstacle(situation, first, peers.avoided(now)) !== undefined) return NEVER;
    return Math.max(plus(upSince, failback.healthyForMs), this.#failbackNotBefore) as Instant;
  }

  #failBack(record: OwnershipRecord, now: Instant): void {
    const first = must(this.#context.options.group.nodes[0], 'a group has nodes');
    const reason = `${first} comes first and is fit again`;
    const { epoch, owner: from } = record;
    const facts = { cause: 'failback', from, to: first, reason } as const;
    const matter = { ...facts, about: `failback at epoch ${epoch}`, epoch, mayVeto: true };
    const { hooks } = this.#context;
    const verdict = hooks.gateLeaving(matter, now);
    this.#failbackAsking = verdict === undefined;
    if (verdict === undefined) return;
    if (verdict.type === 'go') {
      // Each try interrupts the service: one that comes to nothing is not tried again at once.
      const pauseMs = Math.min(FAILBACK_RETRY_MS * 2 ** this.#failbacks, FAILBACK_RETRY_MS_MAX);
      this.#failbackNotBefore = plus(now, pauseMs);
      this.#failbacks += 1;
      return this.#moves.handOver(record, first, reason, now);
    }
    hooks.forgetLeaving();
    this.#failbackNotBefore = plus(now, FAILBACK_RETRY_MS);
  }
}

/** One trouble, however often the vote about it is tried. */
function copyLost(mirror: ResourceId, peer: NodeId): string {
  return `copy-lost ${mirror} ${peer}`;
}
