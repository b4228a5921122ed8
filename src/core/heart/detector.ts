/**
 * Judgement of peers: the time since something was heard, per link, and what follows from it.
 *
 *     heard on some link within leaseMs                                            up
 *     silent on every link for leaseMs                                             suspect
 *     ... for leaseMs * (1 + clockDrift), and the carrier of a direct link to
 *         that peer went away when, or after, the silence began                    lost
 *     ... for nodeLostMs                                                           lost
 *
 * Who itself stood still for a lease has not listened: the silence of others counts from then on.
 *
 * A peer that is heard may hear nobody itself: it says so, and which of the leases that it claims it
 * does not hold. Since when without a break is kept here (`without.ts`).
 *
 * A carrier that was gone long before the silence says nothing about it. The formula is apart from
 * the state (`judge` below), so that its whole table can be tested.
 */
import { must } from '../../base/assert.ts';
import { earliest, type Instant, NEVER, plus } from '../../base/time.ts';
import type { Timing } from '../../protocol/config.ts';
import type { LinkReport, PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { BootId, GroupId, LinkId, NodeId } from '../../protocol/ids.ts';
import type { Claim } from '../../protocol/packet.ts';
import type { HeartMember, HeartOptions } from './heart-types.ts';
import { type Said, Without } from './without.ts';

/** A carrier may be seen to go this many heartbeats before the last packet of the dead peer. */
const CARRIER_EARLY_HEARTBEATS = 2;

export interface Judgement {
  readonly state: PeerState;
  /** When it becomes worse if nothing is heard. */
  readonly worseAt: Instant;
  readonly byCarrier: boolean;
}

/** The table above. `carrierLostAt`: of the direct links to the peer, the latest to go away. */
export function judge(input: {
  readonly now: Instant;
  /** When the peer was last heard, or when the heart started. */
  readonly since: Instant;
  readonly carrierLostAt: Instant | undefined;
  readonly timing: Timing;
}): Judgement {
  const { now, since, carrierLostAt, timing } = input;
  const sign =
    carrierLostAt !== undefined &&
    carrierLostAt >= since - CARRIER_EARLY_HEARTBEATS * timing.heartbeatMs;
  const promisesEndAt = plus(since, timing.leaseMs * (1 + timing.clockDrift));
  const silenceAt = plus(since, timing.nodeLostMs);
  const lostAt = sign ? earliest([promisesEndAt, silenceAt]) : silenceAt;
  const suspectAt = earliest([plus(since, timing.leaseMs), lostAt]);
  if (now >= lostAt) return { state: 'lost', worseAt: NEVER, byCarrier: sign };
  if (now >= suspectAt) return { state: 'suspect', worseAt: lostAt, byCarrier: sign };
  return { state: 'up', worseAt: suspectAt, byCarrier: false };
}

interface LinkView {
  lastHeardAt: Instant | undefined;
  roundTripMs: number | undefined;
}

interface PeerView {
  readonly member: HeartMember;
  readonly links: Map<LinkId, LinkView>;
  boot: BootId | undefined;
  round: number;
  claims: readonly Claim[];
  hearsOn: readonly LinkId[];
  without: Without;
  /** As last reported. */
  state: PeerState;
}

/** What one heart knows of all its peers. */
export class Detector {
  readonly #options: HeartOptions;
  readonly #peers = new Map<NodeId, PeerView>();
  readonly #carrierLostAt = new Map<LinkId, Instant>();
  #claimsChanged = false;
  #carrierChanged = false;
  /** Silence before it says nothing: this heart did not listen. */
  #listensSince: Instant;

  constructor(options: HeartOptions) {
    this.#options = options;
    this.#listensSince = options.startedAt;
    const own = must(
      options.members.find((member) => member.id === options.self),
      'a heart is a member of its cluster',
    );
    for (const member of options.members) {
      if (member.id === options.self) continue;
      const shared = member.links.filter((link) => own.links.includes(link));
      this.#peers.set(member.id, {
        member,
        links: new Map(
          shared.map((link) => [link, { lastHeardAt: undefined, roundTripMs: undefined }]),
        ),
        boot: undefined,
        round: -1,
        claims: [],
        hearsOn: [],
        without: new Without(options.timing.leaseMs),
        state: 'suspect',
      });
    }
  }

  /** The peers and the links to reach each on. */
  targets(): readonly { readonly id: NodeId; readonly links: readonly LinkId[] }[] {
    return [...this.#peers].map(([id, peer]) => ({ id, links: [...peer.links.keys()] }));
  }

  /** This heart stood still for a while, and what came meanwhile is still to be read. */
  stoodStill(now: Instant): void {
    this.#listensSince = now;
  }

  heard(from: NodeId, link: LinkId, boot: BootId, now: Instant): boolean {
    const peer = this.#peers.get(from);
    const view = peer?.links.get(link);
    if (peer === undefined || view === undefined) return false;
    view.lastHeardAt = now;
    if (peer.boot !== boot) {
      peer.boot = boot;
      peer.round = -1;
      peer.claims = [];
      peer.without.forget();
    }
    return true;
  }

  /** Takes over what a heartbeat says of its sender; false when a later one was there already. */
  told(from: NodeId, round: number, said: Said, now: Instant): boolean {
    const peer = must(this.#peers.get(from), 'heard() was called before');
    if (round < peer.round) return false;
    peer.round = round;
    if (!sameClaims(peer.claims, said.claims)) this.#claimsChanged = true;
    peer.claims = said.claims;
    peer.hearsOn = said.hearsOn;
    peer.without.told(said, now);
    return true;
  }

  /**
   * Whether the peer is heard and has said for long that it has no lease of that group, which it
   * claims: so long that silence would have been a loss.
   */
  isPowerless(node: NodeId, group: GroupId, now: Instant): boolean {
    const { leaseMs, nodeLostMs } = this.#options.timing;
    const without = this.#peers.get(node)?.without;
    const since = without?.leaseSince(group);
    if (without === undefined || since === undefined || now < since + nodeLostMs) return false;
    return now <= without.toldAt + leaseMs;
  }

  measured(from: NodeId, link: LinkId, roundTripMs: number): void {
    const view = this.#peers.get(from)?.links.get(link);
    if (view !== undefined) view.roundTripMs = roundTripMs;
  }

  carrier(link: LinkId, carrier: boolean, now: Instant): void {
    this.#carrierChanged = true;
    if (carrier) this.#carrierLostAt.delete(link);
    else if (!this.#carrierLostAt.has(link)) this.#carrierLostAt.set(link, now);
  }

  /** Links on which somebody was heard within a lease. */
  hearsOn(now: Instant): readonly LinkId[] {
    const recent = now - this.#options.timing.leaseMs;
    const heard = new Set<LinkId>();
    for (const peer of this.#peers.values()) {
      for (const [link, view] of peer.links) {
        if (view.lastHeardAt !== undefined && view.lastHeardAt > recent) heard.add(link);
      }
    }
    return this.#options.links.map((link) => link.id).filter((link) => heard.has(link));
  }

  /** True when the state of a peer, its claims or a carrier are not what they were the last time. */
  review(now: Instant): boolean {
    let changed = this.#carrierChanged || this.#claimsChanged;
    this.#carrierChanged = false;
    this.#claimsChanged = false;
    for (const peer of this.#peers.values()) {
      const { state } = this.#judge(peer, now);
      if (state !== peer.state) changed = true;
      peer.state = state;
      if (peer.without.review(now)) changed = true;
    }
    return changed;
  }

  nextChangeAt(now: Instant): Instant {
    const peers = [...this.#peers.values()];
    return earliest(
      peers.flatMap((peer) => [this.#judge(peer, now).worseAt, peer.without.worseAt(now)]),
    );
  }

  lastHeardAt(node: NodeId): Instant | undefined {
    const peer = this.#peers.get(node);
    return peer === undefined ? undefined : lastHeard(peer);
  }

  report(now: Instant): readonly PeerReport[] {
    return [...this.#peers.values()].map((peer) => this.#reportOf(peer, now));
  }

  #judge(peer: PeerView, now: Instant): Judgement {
    const heardAt = lastHeard(peer);
    const judgement = judge({
      now,
      since: Math.max(heardAt ?? this.#listensSince, this.#listensSince) as Instant,
      carrierLostAt: this.#directCarrierLostAt(peer),
      timing: this.#options.timing,
    });
    // Nobody is up who was never heard.
    if (heardAt !== undefined || judgement.state !== 'up') return judgement;
    return { ...judgement, state: 'suspect' };
  }

  #directCarrierLostAt(peer: PeerView): Instant | undefined {
    let latest: Instant | undefined;
    for (const link of this.#options.links) {
      const at = this.#carrierLostAt.get(link.id);
      if (!link.direct || at === undefined || !peer.links.has(link.id)) continue;
      if (latest === undefined || at > latest) latest = at;
    }
    return latest;
  }

  #reportOf(peer: PeerView, now: Instant): PeerReport {
    const judgement = this.#judge(peer, now);
    return {
      node: peer.member.id,
      state: judgement.state,
      lastHeardAt: lastHeard(peer),
      reason: this.#reason(peer, judgement, now),
      links: [...peer.links].map(([link, view]) => this.#linkReport(link, view, now)),
      hearsOn: peer.hearsOn,
      deafSince: peer.without.lasting(peer.without.hearingSince, now),
      claims: peer.claims.map(({ group, epoch }) => {
        const withoutSince = peer.without.lasting(peer.without.leaseSince(group), now);
        return { group, epoch, withoutSince };
      }),
    };
  }

  #linkReport(link: LinkId, view: LinkView, now: Instant): LinkReport {
    const { timing, startedAt } = this.#options;
    const since = view.lastHeardAt ?? startedAt;
    const { state } = judge({ now, since, carrierLostAt: undefined, timing });
    return {
      link,
      state: view.lastHeardAt === undefined && state === 'up' ? 'suspect' : state,
      lastHeardAt: view.lastHeardAt,
      roundTripMs: view.roundTripMs,
      carrier: !this.#carrierLostAt.has(link),
    };
  }

  #reason(peer: PeerView, judgement: Judgement, now: Instant): string {
    const { timing, startedAt } = this.#options;
    const links = [...peer.links.keys()].join(', ');
    const heardAt = lastHeard(peer);
    if (links === '') return 'shares no link with this node';
    if (judgement.state === 'up') {
      const silent = [...peer.links].filter(
        ([, view]) => view.lastHeardAt === undefined || now - view.lastHeardAt > timing.leaseMs,
      );
      if (silent.length === 0) return `heard on ${links}`;
      const heard = [...peer.links.keys()].filter((link) => !silent.some(([id]) => id === link));
      return `heard on ${heard.join(', ')}, silent on ${silent.map(([link]) => link).join(', ')}`;
    }
    const silence =
      heardAt === undefined
        ? `never heard on ${links} since this heart started ${seconds(now - startedAt)} ago`
        : `silent on ${links} for ${seconds(now - heardAt)}`;
    if (!judgement.byCarrier) return silence;
    const gone = this.#options.links.filter(
      (link) => link.direct && this.#carrierLostAt.has(link.id) && peer.links.has(link.id),
    );
    return `${silence}, and the carrier of ${gone.map((link) => link.id).join(', ')} is gone`;
  }
}

/** A duration for people. */
export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(0)} s`;
}

function lastHeard(peer: PeerView): Instant | undefined {
  let latest: Instant | undefined;
  for (const { lastHeardAt } of peer.links.values()) {
    if (lastHeardAt !== undefined && (latest === undefined || lastHeardAt > latest)) {
      latest = lastHeardAt;
    }
  }
  return latest;
}

function sameClaims(a: readonly Claim[], b: readonly Claim[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ group, epoch }, index) => b[index]?.group === group && b[index].epoch === epoch)
  );
}
