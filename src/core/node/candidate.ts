/**
 * This node while another one owns the group, or nobody: it follows the owner, and takes over when
 * the owner is lost.
 *
 *   waiting ── owner lost, own turn ──► sealing ── all sealed ──► claiming ── chosen ──► (owning)
 *      ▲                                   │                         │
 *      └──── owner heard, record moved on ─┴─────── vote lost ───────┘
 *
 * Invariants: nothing of the group runs here; a claim starts only while the owner is lost, every
 * copy here is in sync and every mirror is sealed; a mirror is unsealed only when it is known that
 * this node's claim was not and will not be chosen.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Epoch, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { ForceChange } from '../registry/forced-line.ts';
import type { ProposalOutcome } from '../registry/proposer.ts';
import { barOf } from '../registry/bars.ts';
import { isMaintained, leftAlone } from '../registry/maintenance.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { candidates, claimAt, handOverTarget, staleCopies } from './candidacy.ts';
import { type GroupContext, type Moves, RETRY_MS } from './group-context.ts';
import type { MirrorOrder } from './node-io.ts';
import { MaintenanceKeeper } from './maintenance.ts';
import { isKeptBack, sayKeptBack } from './maintenance-requests.ts';
import { sayBarred } from './standing.ts';

/** An owner that is up but claims nothing for this long is asked about at the registry. */
const UNCLAIMED_MS = 600;
/** A mirror that is not sealed by then is named; its disk or its process hangs. */
const SEAL_PATIENCE_MS = 5000;
/** The owner of before waits so long for its own mirror before it gives the group to another node. */
const OWN_MIRROR_MS = 5000;
/** A mirror that refuses to be sealed is asked again after a while. */
const REFUSED_RETRY_MS = 3000;
/** A hook that said no is asked again. */
const VETO_RETRY_MS = 10_000;
const LEAVING = 'the node is being stopped';

export class Candidate {
  readonly #context: GroupContext;
  readonly #moves: Moves;
  readonly #maintenance: MaintenanceKeeper;
  /** The group, or this node, was left alone when this was looked at last. */
  #wasLeftAlone = false;
  #ownerLostAt: Instant = NEVER;
  #ownerSilentSince: Instant = NEVER;
  /** A claim that ended without success is not begun again before. */
  #claimPausedUntil = 0 as Instant;
  #sealingSince: Instant = NEVER;
  #claimedFrom: NodeId | undefined;
  /** The owner that was followed last. */
  #followed: NodeId | undefined;
  #vetoedUntil = 0 as Instant;
  /** A hook is asked whether to take over; its answer wakes this node. */
  #asking = false;
  /** A mirror here refused to be sealed for the claim that follows this epoch. */
  #sealRefusedAt: Epoch | undefined;
  /** The claim under way is by an administrator's word. */
  #forcing: ForceChange | undefined;
  /** Since when that of the recorded owner has refused, of the same epoch. */
  #ownRefusedSince: Instant = NEVER;

  constructor(context: GroupContext, moves: Moves) {
    this.#context = context;
    this.#moves = moves;
    this.#maintenance = new MaintenanceKeeper(context);
  }

  /** When it is this node's turn to claim; never while that is nothing to wait for. */
  #claimDueAt(): Instant {
    const { leaving, phase, record } = this.#context;
    if (phase !== 'waiting' || leaving || this.#ownerLostAt === NEVER) return NEVER;
    if (!this.#mayRun()) return NEVER;
    if (record === undefined || record.want !== 'online') return NEVER;
    if (staleCopies(record, this.#context.me).length > 0) return NEVER;
    if (this.#barred(record) || isKeptBack(this.#context, record)) return NEVER;
    const due = this.#turnAt(record);
    const vetoedUntil = this.#context.overruled ? due : this.#vetoedUntil;
    return Math.max(due, this.#claimPausedUntil, vetoedUntil) as Instant;
  }

  /** In order of the group's nodes; with other groups to think of, the plan says who is first. */
  #turnAt(record: OwnershipRecord): Instant {
    const { me, options } = this.#context;
    const { placing } = options;
    if (placing === undefined || record.owner === me) {
      return claimAt(this.#context.situation(record), this.#ownerLostAt);
    }
    return placing.turn(record).mine ? this.#ownerLostAt : NEVER;
  }

  // Waiting.

  wait(now: Instant): void {
    const { id, leaving, voice } = this.#context;
    this.#context.phase = 'waiting';
    this.#ownerLostAt = NEVER;
    this.#ownerSilentSince = NEVER;
    this.#context.arrival = undefined;
    if (leaving) voice.done(`"${id}" does not run here`);
    this.advanceWaiting(now);
  }

  advanceWaiting(now: Instant): void {
    const context = this.#context;
    const { record } = context;
    if (record === undefined) return this.#waitForFirstRecord(now);
    if (!this.#mayRun()) return this.#watch(record, now);
    if (record.owner !== context.me) this.#follow(record, now);
    if (context.leaving) return;
    if (this.#takesUpAgain(record)) return this.#moves.probe(now);
    // What others told of the record says nothing of a claim of this node that was under way.
    if (context.mirrors.mayBeLeftSealed) this.#readAgain(now);
    if (!context.ownerIsLost()) {
      this.#ownerLostAt = NEVER;
      this.#ownerIsBack();
      return this.#checkUnclaimed(record, now);
    }
    if (this.#ownerLostAt === NEVER) this.#ownerLostAt = now;
    if (record.want !== 'online') {
      context.reason = `${record.owner} is lost, and the group is wanted offline`;
      // Somebody may have wanted it online since.
      return this.#readAgain(now);
    }
    const stale = staleCopies(record, context.me);
    if (stale.length > 0) {
      this.#readAgain(now);
      if (now - this.#ownerLostAt >= UNCLAIMED_MS) this.#sayStale(record, stale);
      return;
    }
    // Its successor is at work, and the word of that has not come yet. Nor may the voters that the
    // record names be any that others still count.
    if (context.peers.someoneClaimsAfter(record.epoch)) return this.#readAgain(now);
    if (isKeptBack(context, record)) {
      this.#readAgain(now);
      this.#maintenance.endWhatIsOver(record, now);
      if (now - this.#ownerLostAt >= UNCLAIMED_MS) sayKeptBack(context, record);
      return;
    }
    if (this.#barred(record)) {
      this.#readAgain(now);
      if (now - this.#ownerLostAt >= UNCLAIMED_MS) sayBarred(context, record);
      return;
    }
    if (context.readFirst) return this.#readAgain(now);
    if (now < this.#claimDueAt()) return this.#sayNowhere(record, now);
    if (!this.#mayTakeOver(record, now)) return;
    this.#beginClaim(record, now);
  }

  /** While people were at work they may have started something here. */
  #takesUpAgain(record: OwnershipRecord): boolean {
    const before = this.#wasLeftAlone;
    this.#wasLeftAlone = leftAlone(record) !== undefined || isMaintained(record, this.#context.me);
    return before && !this.#wasLeftAlone;
  }

  /** What this node owned before is started here again, whatever it is barred from. */
  #barred(record: OwnershipRecord): boolean {
    const { me } = this.#context;
    return record.owner !== me && barOf(record, me) !== undefined;
  }

  #ownerIsBack(): void {
    this.#asking = false;
    this.#vetoedUntil = 0 as Instant;
    this.#context.overruled = false;
    this.#context.hooks.forget('before-failover');
  }

  /** Asks the hook, once for as long as the owner is lost; after a veto again and again. */
  #mayTakeOver({ epoch, owner }: OwnershipRecord, now: Instant): boolean {
    const { hooks, id, me, overruled, peers, voice } = this.#context;
    if (owner === me) return true;
    const reason = peers.lostReason(owner, epoch);
    const facts = { cause: 'failover', from: owner, to: me, reason } as const;
    const about = `epoch ${epoch}${overruled ? ', a person asked' : ''}`;
    const matter = { ...facts, about, epoch, mayVeto: !overruled };
    const verdict = hooks.gate('before-failover', matter, now);
    this.#asking = verdict === undefined;
    if (verdict?.type !== 'veto') return verdict !== undefined;
    hooks.forget('before-failover');
    this.#vetoedUntil = plus(now, VETO_RETRY_MS);
    const why = `${reason}, but the hook before-failover on ${me} says no: ${verdict.reason}`;
    this.#context.reason = why;
    const next = `next: "tako group start ${id}" overrules it; it is asked again and again`;
    const text = `not taking over: ${why}; ${next}`;
    voice.sayOnce(`before-failover ${epoch}`, 'error', 'held-by-hook', text);
    return false;
  }

  #mayRun(): boolean {
    const { me, options } = this.#context;
    return options.group.nodes.includes(me);
  }

  /** A voter for a group that never runs here. */
  #watch(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    if (!context.ownerIsLost()) return this.#checkUnclaimed(record, now);
    const lost = context.peers.lostReason(record.owner, record.epoch);
    context.reason = `${lost}, and ${context.me} only votes for it`;
    this.#readAgain(now);
  }

  /** A new epoch was learned while waiting: hand-overs to this node begin here. */
  movedOn(record: OwnershipRecord, reason: string, now: Instant): void {
    const context = this.#context;
    this.#ownerLostAt = NEVER;
    this.#ownerSilentSince = NEVER;
    if (record.owner !== context.me || context.leaving) {
      context.reason = reason;
      return;
    }
    context.voice.say('info', 'taking-over', `${context.me} is the new owner: ${reason}`);
    context.arrival = { cause: this.#causeOfMove(now), from: this.#followed };
    this.#moves.own(record, reason, now);
  }

  #causeOfMove(now: Instant): 'failover' | 'failback' | 'move' {
    const { me, options, peers } = this.#context;
    if (this.#followed !== undefined && peers.avoided(now).has(this.#followed)) return 'failover';
    return options.group.nodes[0] === me ? 'failback' : 'move';
  }

  #waitForFirstRecord(now: Instant): void {
    const context = this.#context;
    const first = context.options.group.nodes[0];
    if (first === context.me && context.knownEmpty && !context.leaving) {
      context.reason = 'the group starts for the first time, with the data of this node';
      context.phase = 'claiming';
      const { mirrors } = context.mirrors;
      const standby = context.options.inStandby();
      const maintenance = context.options.inMaintenance();
      const change: RecordChange = {
        ...{ type: 'create', owner: first, mirrors },
        ...(standby.length > 0 && { standby }),
        ...(maintenance.length > 0 && { maintenance }),
      };
      return context.propose('create', change, now);
    }
    context.reason = `the group waits for ${first}, whose data count at the very first start`;
    if (now < context.pausedUntil) return;
    context.retryAt = plus(now, RETRY_MS * 3);
    context.learn(now);
  }

  /** The owner answers but claims nothing: the record may have moved on without our hearing it. */
  #checkUnclaimed(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    if (context.peers.someoneClaimsAfter(record.epoch)) return this.#readAgain(now);
    const claims = context.peers.claims(record.owner, record.epoch);
    if (record.owner !== context.me && (claims || record.want === 'offline')) {
      this.#ownerSilentSince = NEVER;
      return;
    }
    if (this.#ownerSilentSince === NEVER) this.#ownerSilentSince = now;
    if (now - this.#ownerSilentSince < UNCLAIMED_MS) {
      context.retryAt = earliest([context.retryAt, plus(this.#ownerSilentSince, UNCLAIMED_MS)]);
      return;
    }
    this.#ownerSilentSince = now;
    context.learn(now);
  }

  /** The word that this node's copy was admitted may not have come. */
  #readAgain(now: Instant): void {
    const context = this.#context;
    if (now < context.pausedUntil) return;
    context.retryAt = plus(now, RETRY_MS * 10);
    context.learn(now);
  }

  #follow(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    // Whoever was followed at an epoch may not be served at it any more.
    if (context.presumed) return;
    this.#followed = record.owner;
    const gaveUp = context.options.gaveUp?.(record);
    context.mirrors.follow(record, now >= context.pausedUntil, gaveUp);
  }

  /** No node takes it at the moment, because of other groups. */
  #sayNowhere(record: OwnershipRecord, now: Instant): void {
    const { options, peers, voice } = this.#context;
    const why = options.placing?.turn(record).why;
    if (why === undefined || record.owner === this.#context.me) return;
    if (now - this.#ownerLostAt < UNCLAIMED_MS) return;
    this.#context.reason = `${peers.lostReason(record.owner, record.epoch)}; ${why}`;
    const text = `not taking over: ${this.#context.reason}`;
    voice.sayOnce(`nowhere ${why}`, 'error', 'nowhere-to-run', text);
  }

  #sayStale(record: OwnershipRecord, stale: readonly ResourceId[]): void {
    const context = this.#context;
    const ready = candidates(context.situation(record)).join(', ') || record.owner;
    context.reason =
      `${context.peers.lostReason(record.owner, record.epoch)}, but the copy of "${stale.join('", "')}" on ` +
      `${context.me} is not in sync; waiting for ${ready}`;
    const next = `next: bring ${record.owner} back; its copy has everything`;
    const about = `copy-stale ${record.owner}@${record.epoch}`;
    const text = `not taking over: ${context.reason}; ${next}`;
    context.voice.sayOnce(about, 'error', 'copy-stale', text);
  }

  // Sealing and claiming.

  #beginClaim(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    const { owner } = record;
    const again = owner === context.me;
    const lost = context.peers.lostReason(owner, record.epoch);
    this.#claimedFrom = owner;
    const ran = context.restoredEpoch === record.epoch;
    const before = ran ? 'it ran here until the lease was out for too long' : undefined;
    context.reason = again
      ? (before ?? `${owner} owned it before it was restarted`)
      : `${lost}; ${this.#whyHere()}`;
    const what = again ? 'claiming the group anew' : `taking over from ${owner}`;
    if (this.#sealRefusedAt !== record.epoch) {
      context.voice.say('info', 'claiming', `${what}: ${context.reason}`);
    }
    context.phase = 'sealing';
    const nothingToSeal = context.mirrors.mirrors.length === 0;
    if (nothingToSeal || (again && !this.#isCountedOn(record))) return this.#claim(record, now);
    this.#sealingSince = now;
    context.mirrors.seal(record.epoch);
  }

  /** A claim under way needs no votes of those who are off. */
  get isForcing(): boolean {
    return this.#forcing !== undefined;
  }

  #whyHere(): string {
    const { me, options } = this.#context;
    const planned = options.placing?.placement();
    return planned?.target === me ? planned.reason : `${me} has everything that was acknowledged`;
  }

  /** Sealed and voted like any claim, but by those who are left (forced.ts, fenced-takeover.ts). */
  force(change: ForceChange, now: Instant): void {
    const context = this.#context;
    const record = must(context.record, 'what is forced has a record');
    const off = change.off.join(', ') || 'nobody';
    const vouched = `an administrator forced it onto ${context.me} and vouched that ${off} is off`;
    const fenced = change.by === 'fence';
    context.reason = fenced ? `${off} is off, its fence says` : vouched;
    if (!fenced) context.voice.say('warning', 'forcing', `taking over by force: ${vouched}`);
    this.#claimedFrom = record.owner;
    context.phase = 'sealing';
    // A claim that found no majority: what became of it does not matter to what is forced.
    context.withdraw('claim', now);
    context.withdraw('learn', now);
    this.#forcing = change;
    if (context.mirrors.mirrors.length === 0) return this.#claim(record, now);
    this.#sealingSince = now;
    context.mirrors.seal(record.epoch);
  }

  /** What rests on a fence's word that somebody is off ends; a vote on it is read up. */
  withdrawFenced(why: string, now: Instant): void {
    const { phase } = this.#context;
    if (this.#forcing?.by !== 'fence') return;
    if (phase === 'sealing') return this.unseal(why, now);
    if (phase === 'claiming') this.#context.withdraw('claim', now);
  }

  /**
   * Whether somebody rests on what the copies of this node have, which it owned before. Not where
   * it began to serve perhaps never: what lies there then is what the group begins with.
   */
  #isCountedOn(record: OwnershipRecord): boolean {
    const { me, options } = this.#context;
    if (Object.values(record.inSync).some((nodes) => nodes.some((node) => node !== me)))
      return true;
    return record.voters.some(({ node, seat }) => node === me && seat !== options.seat);
  }

  advanceSealing(now: Instant): void {
    const context = this.#context;
    if (!context.ownerIsLost()) return this.unseal('the owner is heard again', now);
    if (now < this.#sealDueAt()) return;
    const which = context.mirrors.unsealed.join('", "');
    const [first] = context.mirrors.unsealed;
    const { record } = context;
    if (record?.owner === context.me && first !== undefined) {
      if (this.#giveToOther(record, first, 'its process does not answer', now)) return;
    }
    const text =
      `the take-over waits for "${which}" on ${context.me}, which does not answer; ` +
      `next: look at its disk, or end that mirror process`;
    context.reason = text;
    context.voice.sayOnce(`seal ${which}`, 'error', 'mirror-stuck', text);
  }

  #sealDueAt(): Instant {
    return plus(this.#sealingSince, SEAL_PATIENCE_MS);
  }

  /** When a seal without an answer is worth a word; it is waited for all the same. */
  nextWakeAt(now: Instant): Instant {
    const { phase, record } = this.#context;
    if (phase === 'waiting' && record !== undefined && this.#ownerLostAt === NEVER) {
      const at = this.#context.peers.powerlessAt(record.owner, record.epoch);
      return at > now ? at : NEVER;
    }
    if (phase !== 'sealing') return this.#asking ? NEVER : this.#claimDueAt();
    return now < this.#sealDueAt() ? this.#sealDueAt() : NEVER;
  }

  advanceClaiming(now: Instant): void {
    const context = this.#context;
    const owner = context.record?.owner;
    if (owner === undefined || owner === context.me || context.ownerIsLost()) return;
    context.withdraw('claim', now);
  }

  /** The node ends. A claim that was begun is read up first: it may have been chosen. */
  standDown(now: Instant): void {
    const context = this.#context;
    if (context.phase === 'sealing') return this.unseal(LEAVING, now);
    if (context.phase !== 'claiming') return;
    context.withdraw('claim', now);
    context.withdraw('create', now);
    if (context.phase === 'claiming') context.learn(now);
  }

  mirrorAnswered(
    mirror: ResourceId,
    order: MirrorOrder,
    answer: { readonly ok: boolean; readonly copyGone: boolean; readonly message: string },
    now: Instant,
  ): void {
    const { mirrors, phase, record, voice } = this.#context;
    if (order.type === 'follow' && !answer.ok) {
      mirrors.refused(mirror);
      this.#context.retryAt = earliest([this.#context.retryAt, plus(now, RETRY_MS * 10)]);
      const text = `"${mirror}": ${answer.message}; it is tried again every few seconds`;
      return voice.sayOnce(`${mirror} follows: ${text}`, 'error', 'mirror-refused', text, mirror);
    }
    if (order.type === 'follow') voice.mended(`${mirror} follows: `);
    if (order.type !== 'seal') return;
    const latest = mirrors.sealAnswered(mirror);
    if (!latest || phase !== 'sealing') return;
    if (!answer.ok) return this.#sealRefused(mirror, answer, now);
    if (mirrors.sealed(mirror)) this.#claim(must(record, 'sealed for it'), now);
  }

  /** Told once, and tried again as long as the owner is lost. */
  #sealRefused(
    mirror: ResourceId,
    { copyGone, message: why }: { readonly copyGone: boolean; readonly message: string },
    now: Instant,
  ): void {
    const { me, record, voice } = this.#context;
    if (this.#forcing !== undefined) {
      return this.unseal(`"${mirror}" cannot be sealed: ${why}`, now);
    }
    const next = 'next: repair it; it is tried again every few seconds';
    const text = `not taking over: "${mirror}" cannot be sealed: ${why}; ${next}`;
    if (record?.owner === me) {
      if (this.#sealRefusedAt !== record.epoch) this.#ownRefusedSince = now;
      // After a power-off it may take a moment until the mirror's process is there.
      const early = !copyGone && now < plus(this.#ownRefusedSince, OWN_MIRROR_MS);
      if (early || this.#giveToOther(record, mirror, why, now)) {
        this.#sealRefusedAt = record.epoch;
        if (!early) return;
        this.#endClaim(RETRY_MS, now);
        this.#context.reason = text;
        return;
      }
      voice.sayOnce(`seal ${mirror} ${record.epoch}`, 'error', 'mirror-refused', text, mirror);
    } else if (this.#sealRefusedAt !== record?.epoch) {
      voice.say('error', 'mirror-refused', text, mirror);
    }
    this.#sealRefusedAt = record?.epoch;
    this.#endClaim(REFUSED_RETRY_MS, now);
  }

  /**
   * Nothing runs here: who has a copy gets the group, without a claim, which would void it. False
   * when there is nobody.
   */
  #giveToOther(record: OwnershipRecord, mirror: ResourceId, why: string, now: Instant): boolean {
    const { me, mirrors, peers } = this.#context;
    const target = handOverTarget(this.#context.situation(record), peers.avoided(now));
    if (target.node === undefined) return false;
    mirrors.unseal();
    peers.failedOn(me, now);
    const reason = `"${mirror}" cannot be served on ${me}: ${why}`;
    this.#moves.handOver(record, target.node, reason, now);
    return true;
  }

  unseal(why: string, now: Instant): void {
    const { voice } = this.#context;
    voice.say('info', 'claim-ended', `not taking over: ${why}`);
    if (voice.request?.type === 'force') voice.failed('not-forced', `Nothing was forced: ${why}`);
    this.#sealRefusedAt = undefined;
    this.#endClaim(RETRY_MS, now);
  }

  #endClaim(pauseMs: number, now: Instant): void {
    const context = this.#context;
    context.mirrors.unseal();
    this.#forcing = undefined;
    this.#claimPausedUntil = plus(now, pauseMs);
    context.retryAt = this.#claimPausedUntil;
    context.phase = 'waiting';
    context.withdraw('claim', now);
    this.wait(now);
  }

  #claim(record: OwnershipRecord, now: Instant): void {
    const context = this.#context;
    context.phase = 'claiming';
    const claim = { type: 'claim', owner: context.me, epoch: record.epoch } as const;
    context.propose('claim', this.#forcing ?? claim, now);
  }

  // Outcomes of votes.

  claimSettled(purpose: 'create' | 'claim', outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    if (context.phase !== 'claiming') return;
    if (outcome.type === 'chosen' && outcome.record.owner === context.me) {
      return this.#won(outcome.record, purpose, now);
    }
    if (outcome.type === 'noQuorum' && this.#forcing !== undefined && !outcome.uncertain) {
      return this.unseal(outcome.why, now);
    }
    if (outcome.type === 'noQuorum') {
      this.#forcedInDoubt(outcome.why);
      context.voice.say('warning', 'no-majority', `cannot take over yet: ${outcome.why}`);
      context.knownEmpty = false;
      return context.learn(now);
    }
    // Those who are left know better than this node did.
    const better = outcome.type === 'rejected' && this.#forcing !== undefined;
    if (better && outcome.record !== undefined) {
      context.record = outcome.record;
      context.presumed = true;
    }
    this.unseal(outcome.type === 'rejected' ? outcome.why : 'the record is gone', now);
    // What stands against it is in the record, and may stand there for long.
    context.learn(now);
  }

  /** What was asked for is answered; its vote is read up like any other, and taken up if it won. */
  #forcedInDoubt(why: string): void {
    const forced = this.#forcing;
    this.#forcing = undefined;
    if (forced === undefined || forced.by === 'fence') return;
    const next = 'look at "tako status" in a moment, and force it again if it did not come about';
    const text = `It is not known yet whether it was forced: ${why}; ${next}`;
    this.#context.voice.failed('not-forced', text);
  }

  #won(record: OwnershipRecord, purpose: 'create' | 'claim', now: Instant): void {
    const context = this.#context;
    const again = this.#claimedFrom === context.me ? 'restarted' : 'failover';
    const kind = purpose === 'create' ? 'first-start' : again;
    if (record.forced?.at === record.epoch) this.#wasForced(record);
    const text = `${context.me} owns the group at epoch ${record.epoch}: ${context.reason}`;
    context.voice.say('info', kind, text);
    const cause = kind === 'restarted' ? 'restart' : kind;
    context.arrival = { cause, from: this.#claimedFrom };
    this.#moves.own(record, context.reason, now);
  }

  #wasForced({ epoch, forced, keptAside }: OwnershipRecord): void {
    const { id, me, voice } = this.#context;
    this.#forcing = undefined;
    const { by, epoch: before, off, owner } = must(forced, 'a forced record says so');
    if (by === 'fence') {
      const why = `${off.join(', ')} is off, its fence says`;
      const what = `epoch ${before} of ${owner} is followed by epoch ${epoch} of ${me}`;
      const text = `${what}, without votes of others: ${why}; nothing acknowledged is lost`;
      return voice.say('warning', 'fenced-takeover', text);
    }
    const kept = [...new Set(Object.values(keptAside ?? {}).flat())].sort().join(', ');
    const lost =
      kept === '' ? '' : `; what ${kept} has and ${me} lacks is given up, and kept aside there`;
    const text =
      `${id} was forced onto ${me}: epoch ${before} of ${owner} is followed by epoch ${epoch}, ` +
      `on an administrator's word that ${off.join(', ') || 'nobody'} is off${lost}`;
    voice.say('error', 'forced', text);
    voice.done(text);
  }

  /**
   * A reading after a claim without a clear outcome. The mirrors stay sealed until it is known
   * what became of the vote: nothing of the old epoch may be acknowledged once the new one may
   * exist.
   */
  doubtSettled(before: OwnershipRecord | undefined, outcome: ProposalOutcome, now: Instant): void {
    const context = this.#context;
    const { record } = context;
    if (outcome.type === 'noQuorum') {
      if (context.leaving) context.voice.done(`"${context.id}" does not run here`);
      return context.learn(now);
    }
    if (record === undefined) return this.wait(now);
    if (record.owner === context.me && record.epoch !== before?.epoch) {
      return this.#won(record, before === undefined ? 'create' : 'claim', now);
    }
    // A reading at the old epoch was chosen: by that, an earlier vote that was not is void.
    if (context.leaving) return this.unseal(LEAVING, now);
    if (record.epoch === before?.epoch && context.ownerIsLost()) return this.#claim(record, now);
    this.unseal(`${record.owner} owns the group at epoch ${record.epoch}`, now);
  }
}
