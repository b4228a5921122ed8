/**
 * The owner's side of leases: which groups this node claims, and until when a majority of voters
 * upholds each claim.
 *
 * A voter's promise counts for `leaseMs` from the *sending* of the heartbeat that it answered; the
 * lease lives while promises of a majority of voters live. So it is over on this clock before any
 * of those voters may vote for somebody else on its own, however late the answers came.
 */
import { assert } from '../../base/assert.ts';
import { type Instant, NEVER, plus } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import type { Claim } from '../../protocol/packet.ts';

/** Rounds of which the time of sending is remembered; older ones no longer count anyway. */
const ROUNDS_MAX = 256;
/** The distant past: never valid. */
export const VOID = -1 as Instant;

interface Claimed {
  readonly epoch: Epoch;
  /** Answers to earlier rounds belong to an earlier claim. */
  readonly firstRound: number;
  /** Per voter, when the latest heartbeat was sent that it answered with its promise. */
  readonly upheldSince: Map<NodeId, Instant>;
  held: boolean;
  markedUntil: Instant;
}

export type LeaseChange =
  | {
      readonly type: 'gained' | 'lost';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly reason: string;
    }
  | { readonly type: 'renewed'; readonly group: GroupId; readonly epoch: Epoch };

export class Leases {
  readonly #leaseMs: number;
  readonly #voters: readonly NodeId[];
  readonly #claims = new Map<GroupId, Claimed>();
  readonly #sentAt = new Map<number, Instant>();
  #round = 0;

  constructor(leaseMs: number, voters: readonly NodeId[]) {
    this.#leaseMs = leaseMs;
    this.#voters = voters;
  }

  get majority(): number {
    return Math.floor(this.#voters.length / 2) + 1;
  }

  claims(): readonly Claim[] {
    return [...this.#claims].map(([group, { epoch }]) => ({ group, epoch }));
  }

  /** False when the same claim is there already. */
  claim(group: GroupId, epoch: Epoch): boolean {
    if (this.#claims.get(group)?.epoch === epoch) return false;
    this.#claims.set(group, {
      epoch,
      firstRound: this.#round + 1,
      upheldSince: new Map(),
      held: false,
      markedUntil: VOID,
    });
    return true;
  }

  release(group: GroupId): void {
    this.#claims.delete(group);
  }

  /** A round of heartbeats with {@link claims} is sent now. */
  startRound(now: Instant): number {
    this.#round += 1;
    this.#sentAt.set(this.#round, now);
    for (const round of this.#sentAt.keys()) {
      if (this.#sentAt.size <= ROUNDS_MAX) break;
      this.#sentAt.delete(round);
    }
    return this.#round;
  }

  sentAt(round: number): Instant | undefined {
    return this.#sentAt.get(round);
  }

  /** A voter answered that round with these promises. */
  upheld(voter: NodeId, round: number, promises: readonly Claim[]): void {
    const sentAt = this.#sentAt.get(round);
    if (sentAt === undefined || !this.#voters.includes(voter)) return;
    for (const promise of promises) {
      const claimed = this.#claims.get(promise.group);
      if (claimed === undefined || claimed.epoch !== promise.epoch) continue;
      if (round < claimed.firstRound) continue;
      const since = claimed.upheldSince.get(voter);
      if (since === undefined || since < sentAt) claimed.upheldSince.set(voter, sentAt);
    }
  }

  /** Nothing that was answered so far counts. */
  forget(): void {
    this.#sentAt.clear();
    for (const claimed of this.#claims.values()) claimed.upheldSince.clear();
  }

  /** When the lease for exactly this epoch ends; {@link VOID} without one. */
  validUntil(group: GroupId, epoch: Epoch): Instant {
    const claimed = this.#claims.get(group);
    return claimed?.epoch === epoch ? this.#validUntil(claimed) : VOID;
  }

  holds(group: GroupId, epoch: Epoch, now: Instant): boolean {
    const claimed = this.#claims.get(group);
    return claimed?.epoch === epoch && claimed.held && now < this.#validUntil(claimed);
  }

  /** What changed since the last review. */
  review(now: Instant): readonly LeaseChange[] {
    const changes: LeaseChange[] = [];
    for (const [group, claimed] of this.#claims) {
      const { epoch } = claimed;
      const until = this.#validUntil(claimed);
      const held = now < until;
      if (held !== claimed.held) {
        claimed.held = held;
        claimed.markedUntil = held ? until : VOID;
        const type = held ? 'gained' : 'lost';
        changes.push({ type, group, epoch, reason: this.#reason(claimed, now) });
      } else if (held && until > claimed.markedUntil) {
        claimed.markedUntil = until;
        changes.push({ type: 'renewed', group, epoch });
      }
    }
    return changes;
  }

  nextChangeAt(): Instant {
    let next = NEVER;
    for (const claimed of this.#claims.values()) {
      const until = this.#validUntil(claimed);
      if (claimed.held && until < next) next = until;
    }
    return next;
  }

  #validUntil(claimed: Claimed): Instant {
    const latest = [...claimed.upheldSince.values()].sort((a, b) => b - a);
    assert(latest.length <= this.#voters.length, 'only voters uphold claims');
    const decisive = latest[this.majority - 1];
    return decisive === undefined ? VOID : plus(decisive, this.#leaseMs);
  }

  #reason(claimed: Claimed, now: Instant): string {
    const upholding = this.#voters.filter((voter) => {
      const since = claimed.upheldSince.get(voter);
      return since !== undefined && now < since + this.#leaseMs;
    });
    const missing = this.#voters.filter((voter) => !upholding.includes(voter));
    const count = `${upholding.length} of ${this.#voters.length} voters uphold it`;
    const need = `${this.majority} needed`;
    const names = upholding.length === 0 ? '' : `: ${upholding.join(', ')}`;
    const without = missing.length === 0 ? '' : `; without ${missing.join(', ')}`;
    return `${count}${names} (${need}${without})`;
  }
}
