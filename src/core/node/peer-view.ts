/** The other members as one group's core sees them: by the heart's reports and by what failed. */
import { type Instant, earliest, plus } from '../../base/time.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';

/** A node on which the group failed is not chosen again for this long. */
export const AVOID_MS = 60_000;

export class PeerView {
  readonly #group: GroupId;
  readonly #members: readonly NodeId[];
  #reports: ReadonlyMap<NodeId, PeerReport> = new Map();
  readonly #upSince = new Map<NodeId, Instant>();
  #failedOn = new Map<NodeId, Instant>();
  /** Without a heart nothing is known of anybody. */
  heartConnected = false;

  constructor(group: GroupId, members: readonly NodeId[]) {
    this.#group = group;
    this.#members = members;
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

  lostReason(node: NodeId): string {
    return `${node} is lost: ${this.#reports.get(node)?.reason ?? 'it is not in the configuration'}`;
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

  failedOn(node: NodeId, now: Instant): void {
    this.#failedOn.set(node, plus(now, AVOID_MS));
  }

  /** When the next of them may be chosen again. */
  avoidEndsAt(now: Instant): Instant {
    return earliest([...this.#failedOn.values()].filter((until) => until > now));
  }

  /** Nodes on which the group failed lately. */
  avoided(now: Instant): ReadonlySet<NodeId> {
    return new Set([...this.#failedOn].filter(([, until]) => now < until).map(([node]) => node));
  }
}
