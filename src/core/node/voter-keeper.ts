/**
 * Whose votes should count for the record of a group that this node owns, and the steps from the
 * present voters to those.
 *
 * Votes follow the data. While everybody upholds the lease, everybody votes. When a voter is gone
 * for good (`LOST_MS`), the others agree, while they still can, on voters that do without it: an odd
 * number, the owner first among them. So of two nodes and a witness, whichever two are left, the
 * owner can afford to lose the other one too; who is lost by then could not have taken over anyway.
 * Voters that come back, or come with a new memory, get their vote as soon as they uphold the lease,
 * and before a copy of theirs counts as in sync, for without it they could not take over.
 *
 *   told ──► joined ──► settled          told: the heart counts both electorates for the lease
 *                                        joined, settled: votes, see ../registry/electorate.ts
 *
 * Where the records are in a store outside (`outside`), no majority is needed to change them, and one
 * vote (`setVoters`) is enough. There an owner that lost its lease, too, moves the votes to who is
 * left; and of two the second keeps its vote, for with the store it can take over alone.
 *
 * Invariants: the lease is counted by the present voters and by the next ones from before the first
 * of the two votes; the second is proposed only when a joint record is known to be chosen and every
 * lease mark given under the old count has ended.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord, Voter } from '../../protocol/record.ts';
import {
  distinct,
  electorate,
  electoratesOf,
  hasMajority,
  sameVoters,
} from '../registry/electorate.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { staleCopies } from './candidacy.ts';

/** A voter that did not uphold the lease for so long is gone. */
const LOST_MS = 2000;
/** Pause between two votes of which the first found no majority, and after a lease was lost. */
const RETRY_MS = 500;

export interface VoterKeeperOptions {
  readonly me: NodeId;
  /** All members that may vote. */
  readonly members: readonly NodeId[];
  /** The nodes that may own the group. */
  readonly nodes: readonly NodeId[];
  /** After which every lease mark has ended, milliseconds. */
  readonly leaseTermMs: number;
  /** A store outside tells which record is the latest: one vote changes the voters. */
  readonly outside: boolean;
}

/**
 * How the owner is placed: it holds the lease, has lost it, or has not had it yet. Without it the votes
 * go to who is left, where a store outside decides.
 */
export type Standing = 'leased' | 'suspended' | 'beginning';

interface Sighting {
  /** Undefined while it does not uphold the lease. */
  readonly voter: Voter | undefined;
  readonly since: Instant;
}

export class VoterKeeper {
  readonly #options: VoterKeeperOptions;
  readonly #seen = new Map<NodeId, Sighting>();
  #target: Electorate | undefined;
  /** A vote for the target is under way, or may be chosen yet: it stays the target until it is. */
  #voted = false;
  /** One of them has ended without a clear outcome. */
  #inDoubt = false;
  #counted: readonly Electorate[] = [];
  #countedSince: Instant = NEVER;
  /** A joint record of these electorates was chosen. */
  #joined: Pick<OwnershipRecord, 'voters' | 'formerVoters'> | undefined;
  #voteAt = 0 as Instant;

  constructor(options: VoterKeeperOptions) {
    this.#options = options;
  }

  /** Another period of ownership begins. */
  begin(now: Instant): void {
    this.#target = undefined;
    this.#counted = [];
    this.#countedSince = NEVER;
    this.#voteAt = now;
    for (const member of this.#options.members) {
      this.#seen.set(member, { voter: undefined, since: now });
    }
  }

  /** The heart says who upholds the lease now. */
  supported(by: Electorate, now: Instant): void {
    for (const member of this.#options.members) {
      const voter = by.find(({ node }) => node === member);
      const before = this.#seen.get(member);
      if (before !== undefined && before.voter?.seat === voter?.seat) continue;
      this.#seen.set(member, { voter, since: now });
    }
  }

  /** Known to be chosen, by a vote of this node. */
  chosen(record: OwnershipRecord): void {
    const { voters, formerVoters } = record;
    // The next step need not wait as one does that was tried in vain.
    this.#voteAt = 0 as Instant;
    if (formerVoters !== undefined) this.#joined = { voters, formerVoters };
    // A change that was tried before this vote has succeeded by it, or never will.
    else this.#target = undefined;
  }

  /** A vote on the voters has ended without success. `uncertain`: it may be chosen yet. */
  refused(uncertain: boolean, now: Instant): void {
    this.#voteAt = plus(now, RETRY_MS);
    this.#inDoubt ||= uncertain;
    this.#voted = this.#inDoubt;
  }

  /** The lease was lost: who was to be counted beside the present voters may be what it lacks. */
  leaseLost(now: Instant): void {
    if (!this.#voted) this.#target = undefined;
    this.#voteAt = plus(now, RETRY_MS);
  }

  /** What the heart counts for the lease. */
  get counted(): readonly Electorate[] {
    return this.#counted;
  }

  /** What the heart has to count for the lease; undefined when it counts that already. */
  toCount(record: OwnershipRecord, now: Instant): readonly Electorate[] | undefined {
    const next = this.#target === undefined ? [] : [this.#target];
    const electorates = distinct([...electoratesOf(record), ...next]);
    const same =
      electorates.length === this.#counted.length &&
      electorates.every((voters) => this.#counted.some((other) => sameVoters(voters, other)));
    if (same) return undefined;
    this.#counted = electorates;
    this.#countedSince = now;
    return electorates;
  }

  /** Aims at other voters when it is time to; true when the heart has to be told. */
  aim(record: OwnershipRecord, now: Instant, standing: Standing = 'leased'): boolean {
    if (record.formerVoters !== undefined) return false;
    const wanted = this.#wanted(record, now, standing);
    if (this.#target !== undefined) {
      // Not voted on yet: the heart alone was told.
      if (!this.#voted && !sameVoters(wanted, this.#target)) this.#target = undefined;
      return false;
    }
    if (wanted === undefined || sameVoters(wanted, record.voters)) return false;
    if (now < this.#voteAt) return false;
    const seats = this.#seats();
    if (!hasMajority(wanted, seats) || !seats.has(this.#options.me)) return false;
    if (!this.#options.outside && !hasMajority(record.voters, seats)) return false;
    this.#target = wanted;
    this.#voted = false;
    this.#inDoubt = false;
    return true;
  }

  /** The vote that is due, if one is. */
  due(record: OwnershipRecord, now: Instant): RecordChange | undefined {
    if (now < this.#voteAt || now < this.#countedUntil()) return undefined;
    const change = this.step(record, this.#target);
    if (change === undefined) return undefined;
    this.#voteAt = plus(now, RETRY_MS);
    this.#voted = true;
    return change;
  }

  /** The next vote on the way to `target`, and to the end of a change that was begun. */
  step(record: OwnershipRecord, target: Electorate | undefined): RecordChange | undefined {
    const { owner, epoch, voters, formerVoters } = record;
    if (this.#options.outside) {
      const next = target ?? voters;
      if (formerVoters === undefined && sameVoters(next, voters)) return undefined;
      return { type: 'setVoters', owner, epoch, voters: next };
    }
    if (formerVoters === undefined) {
      if (target === undefined || sameVoters(target, voters)) return undefined;
      return { type: 'joinVoters', owner, epoch, voters: target };
    }
    const known =
      sameVoters(voters, this.#joined?.voters) &&
      sameVoters(formerVoters, this.#joined?.formerVoters);
    if (!known) return { type: 'joinVoters', owner, epoch, voters };
    return { type: 'settleVoters', owner, epoch, voters, formerVoters };
  }

  nextWakeAt(record: OwnershipRecord | undefined, now: Instant): Instant {
    if (record === undefined) return NEVER;
    const underWay = this.#target !== undefined || record.formerVoters !== undefined;
    if (underWay) return this.#voteAt > this.#countedUntil() ? this.#voteAt : this.#countedUntil();
    const gone = [...this.#seen.values()].flatMap(({ voter, since }) =>
      voter === undefined ? [plus(since, LOST_MS)] : [],
    );
    return earliest(gone.filter((at) => at > now));
  }

  /** Whether a copy on that node could take over by the votes that are, once it is in sync. */
  mayAdmit(node: NodeId, record: OwnershipRecord, now: Instant): boolean {
    if (this.voter(node) === undefined) return false;
    if (this.#target !== undefined || record.formerVoters !== undefined) return false;
    const wanted = this.#wanted(record, now);
    return wanted === undefined || sameVoters(wanted, record.voters);
  }

  /** The voter that this member is at present, if it upholds the lease. */
  voter(node: NodeId): Voter | undefined {
    return this.#seen.get(node)?.voter;
  }

  #countedUntil(): Instant {
    return plus(this.#countedSince, this.#options.leaseTermMs);
  }

  #seats(): ReadonlyMap<NodeId, Voter['seat']> {
    const present = [...this.#seen.values()].flatMap(({ voter }) => voter ?? []);
    return new Map(present.map(({ node, seat }) => [node, seat]));
  }

  /** A lease that is out was last upheld a lease ago: who does not now is missed already. */
  #lostMs(standing: Standing): number {
    if (standing === 'leased') return LOST_MS;
    return standing === 'suspended' ? 0 : this.#options.leaseTermMs;
  }

  /** Undefined as long as somebody is neither there nor surely gone. */
  #wanted(
    record: OwnershipRecord,
    now: Instant,
    standing: Standing = 'leased',
  ): Electorate | undefined {
    const { me, members, nodes, outside } = this.#options;
    const lostMs = this.#lostMs(standing);
    const hasCopies = !outside || Object.keys(record.inSync).length > 0;
    const there: Voter[] = [];
    for (const member of members) {
      const { voter, since } = this.#seen.get(member) ?? { voter: undefined, since: now };
      if (voter === undefined && now < plus(since, lostMs)) return undefined;
      if (voter !== undefined) there.push(voter);
      // It may take over as soon as it is back, if its vote still counts.
      else if (hasCopies && nodes.includes(member) && staleCopies(record, member).length === 0)
        return undefined;
    }
    const all = outside || there.length === members.length || there.length % 2 === 1;
    if (all) return electorate(there);
    const rank = ({ node }: Voter): number =>
      node === me ? 0 : staleCopies(record, node).length > 0 ? 3 : nodes.includes(node) ? 1 : 2;
    return electorate(there.toSorted((a, b) => rank(a) - rank(b)).slice(0, -1));
  }
}
