/**
 * The owner's side of leases: which groups this node claims, and until when a majority of the
 * voters of each of its electorates upholds each claim.
 *
 * A voter's promise counts for `leaseMs` from the *sending* of the heartbeat that it answered; the
 * lease lives while promises of a majority of voters live. So it is over on this clock before any
 * of those voters may vote for somebody else on its own, however late the answers came. A promise
 * counts for the memory (seat) that gave it.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Claim } from '../../protocol/packet.ts';
import type { Electorate, Voter } from '../../protocol/record.ts';
import { electorate, majorityOf, sameVoters } from '../registry/electorate.ts';

/** Rounds of which the time of sending is remembered; older ones no longer count anyway. */
const ROUNDS_MAX = 256;
/** The distant past: never valid. */
export const VOID = -1 as Instant;

interface Claimed {
  readonly epoch: Epoch;
  /** Answers to earlier rounds belong to an earlier claim. */
  readonly firstRound: number;
  electorates: readonly Electorate[];
  /** Per member, when the latest heartbeat was sent that it answered with its promise. */
  readonly upheld: Map<NodeId, { readonly seat: SeatId; readonly since: Instant }>;
  /** When its lease ends by what was answered so far. */
  until: Instant;
  /** Who upheld it at the last review. */
  support: Electorate;
  /** When {@link support} changes by itself; {@link VOID}: it must be looked at. */
  supportUntil: Instant;
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
  | { readonly type: 'renewed'; readonly group: GroupId; readonly epoch: Epoch }
  | {
      readonly type: 'support';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly by: Electorate;
    };

export class Leases {
  readonly #leaseMs: number;
  readonly #claims = new Map<GroupId, Claimed>();
  readonly #sentAt = new Map<number, Instant>();
  #round = 0;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  claims(): readonly Claim[] {
    return [...this.#claims].map(([group, { epoch }]) => ({ group, epoch }));
  }

  /** Claimed groups whose lease is not held. */
  unheld(now: Instant): readonly GroupId[] {
    return [...this.#claims].flatMap(([group, { epoch }]) =>
      this.holds(group, epoch, now) ? [] : [group],
    );
  }

  /** False when the same claim is there already; its electorates are those given now. */
  claim(group: GroupId, epoch: Epoch, electorates: readonly Electorate[]): boolean {
    const present = this.#claims.get(group);
    if (present?.epoch === epoch) {
      present.electorates = electorates;
      this.#reckon(present);
      return false;
    }
    this.#claims.set(group, {
      epoch,
      firstRound: this.#round + 1,
      electorates,
      upheld: new Map(),
      until: VOID,
      support: [],
      supportUntil: VOID,
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

  /** A member answered that round with these promises. */
  upheld({ node, seat }: Voter, round: number, promises: readonly Claim[]): void {
    const sentAt = this.#sentAt.get(round);
    if (sentAt === undefined) return;
    for (const promise of promises) {
      const claimed = this.#claims.get(promise.group);
      if (claimed === undefined || claimed.epoch !== promise.epoch) continue;
      if (round < claimed.firstRound) continue;
      const known = claimed.upheld.get(node);
      const newer = known === undefined || known.seat !== seat || known.since < sentAt;
      if (!newer) continue;
      claimed.upheld.set(node, { seat, since: sentAt });
      this.#reckon(claimed);
    }
  }

  /** Nothing that was answered so far counts. */
  forget(): void {
    this.#sentAt.clear();
    for (const claimed of this.#claims.values()) {
      claimed.upheld.clear();
      this.#reckon(claimed);
    }
  }

  /** When the lease for exactly this epoch ends; {@link VOID} without one. */
  validUntil(group: GroupId, epoch: Epoch): Instant {
    const claimed = this.#claims.get(group);
    return claimed?.epoch === epoch ? claimed.until : VOID;
  }

  holds(group: GroupId, epoch: Epoch, now: Instant): boolean {
    const claimed = this.#claims.get(group);
    return claimed?.epoch === epoch && claimed.held && now < claimed.until;
  }

  /** Who upheld the claim at the last review. */
  support(group: GroupId): Electorate {
    return this.#claims.get(group)?.support ?? [];
  }

  /** What changed since the last review. */
  review(now: Instant): readonly LeaseChange[] {
    const changes: LeaseChange[] = [];
    for (const [group, claimed] of this.#claims) {
      const { epoch, until } = claimed;
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
      if (now < claimed.supportUntil) continue;
      const by = this.#support(claimed, now);
      claimed.supportUntil = this.#endOfSupport(claimed, by);
      if (!sameVoters(by, claimed.support)) {
        claimed.support = by;
        changes.push({ type: 'support', group, epoch, by });
      }
    }
    return changes;
  }

  nextChangeAt(): Instant {
    let next = NEVER;
    for (const { held, until, supportUntil } of this.#claims.values()) {
      if (held && until < next) next = until;
      if (supportUntil < next) next = supportUntil;
    }
    return next;
  }

  #support(claimed: Claimed, now: Instant): Electorate {
    const alive = [...claimed.upheld].filter(([, { since }]) => now < since + this.#leaseMs);
    return electorate(alive.map(([node, { seat }]) => ({ node, seat })));
  }

  #endOfSupport({ upheld }: Claimed, by: Electorate): Instant {
    const ends = ({ node }: Voter): Instant => plus(upheld.get(node)?.since ?? VOID, this.#leaseMs);
    return earliest(by.map(ends));
  }

  /** After every change of the electorates or of who upheld it. */
  #reckon(claimed: Claimed): void {
    const ends = claimed.electorates.map((voters) => this.#upheldUntil(claimed, voters));
    claimed.until = earliest(ends);
    claimed.supportUntil = VOID;
  }

  #upheldUntil(claimed: Claimed, voters: Electorate): Instant {
    const since = voters.flatMap(({ node, seat }) => {
      const upheld = claimed.upheld.get(node);
      return upheld?.seat === seat ? [upheld.since] : [];
    });
    const decisive = since.sort((a, b) => b - a)[majorityOf(voters) - 1];
    return decisive === undefined ? VOID : plus(decisive, this.#leaseMs);
  }

  /** Of the electorate that upholds it least. */
  #reason(claimed: Claimed, now: Instant): string {
    const [voters] = claimed.electorates.toSorted(
      (a, b) => this.#upheldUntil(claimed, a) - this.#upheldUntil(claimed, b),
    );
    const all = must(voters, 'a claim has an electorate');
    const upholding = this.#support(claimed, now).filter((voter) =>
      all.some(({ node, seat }) => voter.node === node && voter.seat === seat),
    );
    const names = upholding.map(({ node }) => node);
    const missing = all.flatMap(({ node }) => (names.includes(node) ? [] : [node]));
    const count = `${names.length} of ${all.length} voters uphold it`;
    const need = `${majorityOf(all)} needed`;
    const who = names.length === 0 ? '' : `: ${names.join(', ')}`;
    const without = missing.length === 0 ? '' : `; without ${missing.join(', ')}`;
    return `${count}${who} (${need}${without})`;
  }
}
