/**
 * The heart's decisions: pure, synchronous, told the time. Every `step` first takes away what the
 * time since the last one has ended (leases, addresses), then looks at the event, then does what
 * is due, so that a heart that slept gives up its authority before it says a word.
 *
 *     detector   who is up, suspect, lost            promises   this node as a voter
 *     leases     this node as an owner               addresses  what it holds under its leases
 */
import { assert } from '../../base/assert.ts';
import { earliest, type Instant, NEVER, plus } from '../../base/time.ts';
import type { FromHeart } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';
import type { AnswerBody, Claim, HeartbeatBody } from '../../protocol/packet.ts';
import { Addresses } from './addresses.ts';
import { Detector } from './detector.ts';
import type { HeartEffect, HeartEvent, HeartOptions } from './heart-types.ts';
import { type LeaseChange, Leases, VOID } from './leases.ts';
import { Promises, termOf } from './promises.ts';

/** Peers are reported at least this often. */
const REPORT_EVERY_MS = 1000;
/** A new claim is repeated this often until it is upheld, for the length of a lease. */
const EAGER_ROUND_MS = 5;
/** A voter that stays behind is reported this often. */
const NOTICE_EVERY_MS = 500;

type Heard = Extract<HeartEvent, { type: 'heard' }>;

export class HeartCore {
  readonly #options: HeartOptions;
  readonly #detector: Detector;
  readonly #promises: Promises;
  readonly #leases: Leases;
  readonly #addresses: Addresses;
  /** When control was last told that a voter is behind or ahead, by voter and group. */
  readonly #noticedAt = new Map<string, Instant>();
  #nextRoundAt: Instant;
  #lastRoundAt: Instant;
  #eagerUntil: Instant;
  #nextReportAt: Instant;
  #stopped = false;
  /** The longest term of promises that was asked to be remembered. */
  #termAsked = 0;
  #lastStepAt: Instant;
  #effects: HeartEffect[] = [];

  constructor(options: HeartOptions) {
    const { timing, startedAt } = options;
    assert(timing.heartbeatMs < timing.leaseMs, 'several heartbeats within a lease');
    assert(timing.leaseMs <= timing.nodeLostMs, 'a lease ends before silence alone is a loss');
    this.#options = options;
    this.#detector = new Detector(options);
    this.#promises = new Promises({
      timing,
      startedAt,
      formerTermMs: options.formerTermMs,
      isPowerless: (owner, group, now) => this.#detector.isPowerless(owner, group, now),
    });
    this.#leases = new Leases(timing.leaseMs);
    this.#addresses = new Addresses({
      lifeSeconds: timing.addressLifeSeconds,
      startedAt,
      leftovers: options.leftovers,
    });
    this.#nextRoundAt = startedAt;
    this.#lastRoundAt = startedAt;
    this.#eagerUntil = startedAt;
    this.#nextReportAt = startedAt;
    this.#lastStepAt = startedAt;
  }

  step(event: HeartEvent): readonly HeartEffect[] {
    const { now } = event;
    assert(now >= this.#lastStepAt, 'time never runs backwards');
    if (now - this.#lastStepAt > this.#options.timing.leaseMs) this.#detector.stoodStill(now);
    this.#lastStepAt = now;
    this.#effects = [];
    if (event.type === 'timeLost') {
      this.#leases.forget();
      this.#promises.restart(now);
    }
    this.#reviewAuthority(now);
    this.#forgetFormerTerm(now);
    this.#handle(event);
    this.#reviewAuthority(now);
    if (now >= this.#roundDueAt(now)) this.#sendRound(now);
    this.#reviewPeers(now);
    return this.#effects;
  }

  nextWakeAt(): Instant {
    const now = this.#lastStepAt;
    return earliest([
      this.#roundDueAt(now),
      this.#nextReportAt,
      this.#detector.nextChangeAt(now),
      this.#leases.nextChangeAt(),
      this.#addresses.nextChangeAt(),
    ]);
  }

  #handle(event: HeartEvent): void {
    const { now } = event;
    switch (event.type) {
      case 'timePassed':
      case 'timeLost':
        return;
      case 'heard':
        return this.#heard(event);
      case 'carrierChanged':
        return this.#detector.carrier(event.link, event.carrier, now);
      case 'controlConnected':
        return this.#promises.controlConnected();
      case 'recordsReported':
        return this.#promises.report(event.seat, event.records, event.after);
      case 'claimed':
        return this.#claim(event, now);
      case 'released':
        return this.#release(event.group, now);
      case 'revokeAsked':
        return this.#revoke(event.id, event.group, now);
      case 'addressesWanted':
        this.#addresses.want(event.group, event.epoch, event.addresses);
        return this.#addresses.confirmGone(event.group, event.gone ?? []);
      case 'addressDone':
        this.#effects.push(...this.#addresses.done(event.group, event.resource, event.result, now));
        return;
      case 'termRemembered':
        return this.#promises.termRemembered(event.termMs);
      case 'reportAsked':
        return this.#reportAll(now);
      case 'stopAsked':
        return this.#stop(now);
    }
  }

  #heard(event: Heard): void {
    const { from, link, body, now } = event;
    if (!this.#detector.heard(from, link, event.boot, now) || body === undefined) return;
    if (body.kind === 'heartbeat') this.#heartbeat(event, body);
    else this.#answered(event, body);
  }

  #heartbeat(event: Heard, body: HeartbeatBody): void {
    const { from, boot, link, now } = event;
    if (!this.#detector.told(from, body.round, body, now)) return;
    const { claims, round, termMs } = body;
    const beat = { from, boot, round, claims, termMs };
    this.#rememberTerm(this.#promises.termToRemember(beat));
    const answer: AnswerBody = { kind: 'answer', ...this.#promises.answer(beat, now) };
    this.#effects.push({ type: 'send', to: from, link, body: answer });
  }

  /** Asked for once: its outcome may be long in coming, and who needs it repeats itself. */
  #rememberTerm(termMs: number | undefined): void {
    if (termMs === undefined || termMs <= this.#termAsked) return;
    this.#termAsked = termMs;
    this.#effects.push({ type: 'rememberTerm', termMs });
  }

  #forgetFormerTerm(now: Instant): void {
    const termMs = this.#promises.termToForget(now);
    if (termMs === undefined) return;
    this.#termAsked = termMs;
    this.#effects.push({ type: 'rememberTerm', termMs });
  }

  #answered(event: Heard, body: AnswerBody): void {
    const { from, link, now } = event;
    const sentAt = this.#leases.sentAt(body.round);
    if (sentAt === undefined) return;
    this.#detector.measured(from, link, now - sentAt);
    if (body.seat !== undefined) {
      this.#leases.upheld({ node: from, seat: body.seat }, body.round, body.promises);
    }
    const claimed = new Map(this.#leases.claims().map(({ group, epoch }) => [group, epoch]));
    for (const group of body.behind) {
      if (claimed.has(group)) this.#notice({ type: 'behind', node: from, group }, now);
    }
    for (const { group, epoch } of body.ahead) {
      if ((claimed.get(group) ?? epoch) >= epoch) continue;
      this.#notice({ type: 'ahead', node: from, group, epoch }, now);
    }
  }

  /** Voters repeat themselves with every heartbeat; control need not hear it as often. */
  #notice(message: Extract<FromHeart, { type: 'behind' | 'ahead' }>, now: Instant): void {
    const key = `${message.type} ${message.node} ${message.group}`;
    const before = this.#noticedAt.get(key);
    if (before !== undefined && now < before + NOTICE_EVERY_MS) return;
    this.#noticedAt.set(key, now);
    this.#report(message);
  }

  #claim(claim: Extract<HeartEvent, { type: 'claimed' }>, now: Instant): void {
    const { group, epoch, electorates } = claim;
    if (this.#stopped || !this.#leases.claim(group, epoch, electorates)) return;
    this.#forgetNotices(group);
    this.#voidMark(group, epoch);
    this.#reviewAuthority(now);
    // A voter may hear of the vote, or of the end of the lease before, a moment after this round.
    this.#eagerUntil = plus(now, this.#options.timing.leaseMs);
    this.#sendRound(now);
  }

  #release(group: GroupId, now: Instant): void {
    this.#addresses.forget(group);
    const claim = this.#leases.claims().find((other) => other.group === group);
    if (claim === undefined) {
      // An earlier run of the heart may have left a mark that is still good for a moment.
      this.#voidMark(group, 0 as Epoch);
      return;
    }
    this.#giveUp(group, claim.epoch, now);
    // The voters are told at once, so that the next owner need not wait for the promises to end.
    this.#sendRound(now);
  }

  #giveUp(group: GroupId, epoch: Epoch, now: Instant): void {
    const held = this.#leases.holds(group, epoch, now);
    this.#leases.release(group);
    this.#forgetNotices(group);
    this.#voidMark(group, epoch);
    this.#reviewAuthority(now);
    if (held) this.#report({ type: 'lease', group, epoch, held: false, reason: 'released' });
  }

  #stop(now: Instant): void {
    this.#stopped = true;
    for (const { group, epoch } of this.#leases.claims()) {
      this.#addresses.forget(group);
      this.#giveUp(group, epoch, now);
    }
    this.#sendRound(now);
  }

  #revoke(id: number, group: GroupId, now: Instant): void {
    const answer = this.#promises.revoke(id, group, now);
    this.#report(
      answer.ok
        ? { type: 'revoked', id, ok: true, remainingMs: 0, why: undefined }
        : { type: 'revoked', id, ...answer },
    );
  }

  /** Leases first, then the addresses that depend on them. */
  #reviewAuthority(now: Instant): void {
    const changes = this.#leases.review(now);
    const lost = changes.filter((change) => change.type === 'lost');
    for (const { group, epoch } of lost) this.#voidMark(group, epoch);
    this.#effects.push(
      ...this.#addresses.review(now, (group, epoch) => this.#leases.validUntil(group, epoch)),
    );
    // Whoever hears of one group may act on another, and must know by then what that has lost.
    for (const change of lost) this.#leaseChanged(change);
    for (const change of changes) if (change.type !== 'lost') this.#leaseChanged(change);
  }

  #leaseChanged(change: LeaseChange): void {
    if (change.type === 'support') return this.#report(change);
    const { type, group, epoch } = change;
    if (type !== 'lost') {
      const validUntil = this.#leases.validUntil(group, epoch);
      this.#effects.push({ type: 'mark', group, epoch, validUntil });
    }
    if (type === 'renewed') return;
    const { reason } = change;
    this.#report({ type: 'lease', group, epoch, held: type === 'gained', reason });
  }

  #voidMark(group: GroupId, epoch: Epoch): void {
    this.#effects.push({ type: 'mark', group, epoch, validUntil: VOID });
  }

  #sendRound(now: Instant): void {
    const { self, boot, timing } = this.#options;
    const { heartbeatMs } = timing;
    this.#lastRoundAt = now;
    if (now >= this.#nextRoundAt) {
      const next = plus(this.#nextRoundAt, heartbeatMs);
      this.#nextRoundAt = next > now ? next : plus(now, heartbeatMs);
    }
    const claims = this.#leases.claims();
    const round = this.#leases.startRound(now);
    const termMs = termOf(timing);
    const beat = { from: self, boot, round, claims, termMs };
    this.#rememberTerm(this.#promises.termToRemember(beat));
    const own = this.#promises.answer(beat, now);
    if (own.seat !== undefined) {
      this.#leases.upheld({ node: self, seat: own.seat }, round, own.promises);
    }
    for (const group of own.behind) this.#notice({ type: 'behind', node: self, group }, now);
    for (const newer of own.ahead) this.#notice({ type: 'ahead', node: self, ...newer }, now);
    this.#reviewAuthority(now);
    const hearsOn = this.#detector.hearsOn(now);
    const without = this.#leases.unheld(now);
    const body: HeartbeatBody = { kind: 'heartbeat', round, claims, hearsOn, without, termMs };
    for (const { id, links } of this.#detector.targets()) {
      for (const link of links) this.#effects.push({ type: 'send', to: id, link, body });
    }
  }

  #roundDueAt(now: Instant): Instant {
    const eager = now < this.#eagerUntil && this.claims(now).some(({ held }) => !held);
    return earliest([this.#nextRoundAt, eager ? plus(this.#lastRoundAt, EAGER_ROUND_MS) : NEVER]);
  }

  #reviewPeers(now: Instant): void {
    const changed = this.#detector.review(now);
    if (!changed && now < this.#nextReportAt) return;
    this.#nextReportAt = plus(now, REPORT_EVERY_MS);
    this.#report({ type: 'peers', peers: this.#detector.report(now) });
  }

  #reportAll(now: Instant): void {
    this.#report({ type: 'peers', peers: this.#detector.report(now) });
    for (const { group, epoch } of this.#leases.claims()) {
      const held = this.#leases.holds(group, epoch, now);
      const reason = held ? 'held since before this client came' : 'not gained yet';
      this.#report({ type: 'lease', group, epoch, held, reason });
      this.#report({ type: 'support', group, epoch, by: this.#leases.support(group) });
    }
    this.#effects.push(...this.#addresses.report());
  }

  #forgetNotices(group: GroupId): void {
    for (const key of this.#noticedAt.keys()) {
      if (key.endsWith(` ${group}`)) this.#noticedAt.delete(key);
    }
  }

  #report(message: FromHeart): void {
    this.#effects.push({ type: 'report', message });
  }

  /** The addresses that this node holds. */
  addresses(): readonly { readonly group: GroupId; readonly resource: ResourceId }[] {
    return this.#addresses.holding();
  }

  /** What this node claims, and whether it holds the lease. */
  claims(now: Instant): readonly (Claim & { readonly held: boolean })[] {
    return this.#leases.claims().map((claim) => ({
      ...claim,
      held: this.#leases.holds(claim.group, claim.epoch, now),
    }));
  }

  /** The peers and the links to reach each on, for messages between controls. */
  targets(): ReturnType<Detector['targets']> {
    return this.#detector.targets();
  }
}
