/** The other members as one group's core sees them: by the heart's reports and by what failed. */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';

/** A node on which the group failed is not chosen again for this long. */
export const AVOID_MS = 60_000;

const NONE: readonly NodeId[] = [];

export class PeerView {
  readonly #group: GroupId;
  readonly #members: readonly NodeId[];
  readonly #nodeLostMs: number;
  #now = 0 as Instant;
  #reports: ReadonlyMap<NodeId, PeerReport> = new Map();
  readonly #upSince = new Map<NodeId, Instant>();
  #failedOn = new Map<NodeId, Instant>();
  /** Without a heart nothing is known of anybody. */
  heartConnected = false;

  constructor(group: GroupId, members: readonly NodeId[], nodeLostMs: number) {
    this.#group = group;
    this.#members = members;
    this.#nodeLostMs = nodeLostMs;
  }

  /** From now on everything is as of then. */
  timeIs(now: Instant): void {
    this.#now = now;
  }

  get reports(): ReadonlyMap<NodeId, PeerReport> {
    return this.#reports;
  }

  update(peers: readonly PeerReport[], now: Instant): void {
    this.#reports = new Map(peers.map((peer) => [peer.node, peer]));
    for (const { node, state } of peers) {
      if (state !== 'up') this.#upSince.delete(node);
      else if (!this.#upSince.has(node)) this.#upSince.set(node, now);
    }
  }

  /** Since when the node has been up without a break, as far as this process knows. */
  upSince(node: NodeId): Instant | undefined {
    return this.#upSince.get(node);
  }

  isLost(node: NodeId): boolean {
    if (!this.heartConnected) return false;
    return !this.#members.includes(node) || this.#reports.get(node)?.state === 'lost';
  }

  /**
   * Whether it is heard, but has been without the lease of the group for so long that silence would
   * have been a loss. It hears nobody, or too few: what it runs is of no use to anybody.
   */
  isPowerless(node: NodeId, epoch: Epoch): boolean {
    return this.heartConnected && this.#now >= this.powerlessAt(node, epoch);
  }

  /** When it counts as powerless if nothing changes. */
  powerlessAt(node: NodeId, epoch: Epoch): Instant {
    const since = this.#withoutLeaseSince(node, epoch);
    return since === undefined ? NEVER : plus(since, this.#nodeLostMs);
  }

  /** An owner that claims nothing may be about to start, but not while it hears nobody. */
  #withoutLeaseSince(node: NodeId, epoch: Epoch): Instant | undefined {
    const report = this.#reports.get(node);
    if (report?.state !== 'up') return undefined;
    const claim = report.claims.find((made) => made.group === this.#group && made.epoch >= epoch);
    return claim === undefined ? report.deafSince : claim.withoutSince;
  }

  /** Whether it is heard and says that it hears nobody. */
  isDeaf(node: NodeId): boolean {
    return this.#reports.get(node)?.deafSince !== undefined;
  }

  /** Why the owner at that epoch is to be replaced. */
  lostReason(node: NodeId, epoch: Epoch): string {
    const report = this.#reports.get(node);
    const since = this.#withoutLeaseSince(node, epoch);
    if (since === undefined || this.isLost(node)) {
      return `${node} is lost: ${report?.reason ?? 'it is not in the configuration'}`;
    }
    const hears = this.isDeaf(node) ? 'it hears nobody' : 'too few voters answer it';
    const seconds = ((this.#now - since) / 1000).toFixed(2);
    return `${node} is heard, but has had no lease for ${seconds} s: ${hears}`;
  }

  /**
   * Time since the node was heard on any link; infinite when never. Reports come when a state
   * changes, so as long as it is `up` it was heard within a lease, whatever the last one says.
   */
  silentMs(node: NodeId, now: Instant): number {
    const report = this.#reports.get(node);
    if (report?.state === 'up') return 0;
    const heard = report?.lastHeardAt;
    return heard === undefined ? Number.POSITIVE_INFINITY : now - heard;
  }

  claims(node: NodeId, epoch: Epoch): boolean {
    const claims = this.#reports.get(node)?.claims ?? [];
    return claims.some((claim) => claim.group === this.#group && claim.epoch >= epoch);
  }

  /** Somebody claims the group at a newer epoch. */
  someoneClaimsAfter(epoch: Epoch): boolean {
    const newer = (epoch + 1) as Epoch;
    return [...this.#reports.keys()].some((node) => this.claims(node, newer));
  }

  /** Who claims the group at the newest epoch of all that are claimed. */
  newestClaim(): { readonly node: NodeId; readonly epoch: Epoch } | undefined {
    let newest: { readonly node: NodeId; readonly epoch: Epoch } | undefined;
    for (const [node, { claims }] of this.#reports) {
      for (const { group, epoch } of claims) {
        if (group === this.#group && epoch > (newest?.epoch ?? 0)) newest = { node, epoch };
      }
    }
    return newest;
  }

  failedOn(node: NodeId, now: Instant): void {
    this.#failedOn.set(node, plus(now, AVOID_MS));
  }

  /** When the next of them may be chosen again. */
  avoidEndsAt(now: Instant): Instant {
    return earliest([...this.#failedOn.values()].filter((until) => until > now));
  }

  /** The same as of the last step, sorted. */
  get avoidedNow(): readonly NodeId[] {
    return this.#failedOn.size === 0 ? NONE : [...this.avoided(this.#now)].sort();
  }

  /** Nodes on which the group failed lately. */
  avoided(now: Instant): ReadonlySet<NodeId> {
    return new Set([...this.#failedOn].filter(([, until]) => now < until).map(([node]) => node));
  }
}
