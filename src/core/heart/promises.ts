/**
 * The voter's side of leases: to whom this node gave its word, and until when.
 *
 * A promise for group G to owner A at epoch e is given when this node's own acceptor last accepted
 * `{owner: A, epoch: e}`, and nobody else holds an unexpired promise for G, and no revocation is
 * pending. It ends `leaseMs * (1 + clockDrift)` after the heartbeat was received, or when the same
 * boot of A says in a later heartbeat that it does not claim G any more. The owner may run with a
 * longer lease than this voter: it says how long it needs to be bound, and the longer term counts.
 *
 * After a start nothing is promised and nothing revoked for the longest term that a heart before
 * this one may have promised, because this one does not know to whom. So a term that is longer than
 * all before is remembered first (`termToRemember`), and only then promised.
 *
 * An owner that is heard but has long had no lease, because it hears nobody, would bind its voters
 * for ever: when somebody wants the group, it is not promised anew for a while (`#sought`). What was
 * promised is kept, so this is no matter of safety.
 */
import { type Instant, plus } from '../../base/time.ts';
import type { Timing } from '../../protocol/config.ts';
import type { BootId, Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { AnswerBody, Claim } from '../../protocol/packet.ts';
import type { GroupRecord } from './heart-types.ts';

interface Promised {
  readonly owner: NodeId;
  readonly boot: BootId;
  readonly until: Instant;
}

export interface ClaimingHeartbeat {
  readonly from: NodeId;
  readonly boot: BootId;
  readonly round: number;
  readonly claims: readonly Claim[];
  readonly termMs?: number | undefined;
}

/** Whether the owner is heard and says, for long, that it does not hold the lease it claims. */
export type IsPowerless = (owner: NodeId, group: GroupId, now: Instant) => boolean;

export interface PromisesOptions {
  readonly timing: Timing;
  readonly startedAt: Instant;
  readonly formerTermMs?: number | undefined;
  readonly isPowerless: IsPowerless;
}

/** Somebody who was refused comes back within so many terms. */
const SOUGHT_TERMS = 2;

export type RevokeAnswer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly why: 'promise' | 'starting';
      readonly remainingMs: number;
    };

export class Promises {
  readonly #options: PromisesOptions;
  /** By this voter's own settings. */
  readonly #termMs: number;
  /** The longest that may be promised: it is known after a restart. */
  #longestMs: number;
  #quietUntil: Instant;
  #formerIsOver = false;
  /** Undefined until control reported its table for the first time. */
  #records: ReadonlyMap<GroupId, GroupRecord> | undefined;
  #seat: SeatId | undefined;
  readonly #promised = new Map<GroupId, Promised>();
  /** Groups whose owner may be replaced by a vote at any moment, with the id of the question. */
  readonly #revoked = new Map<GroupId, number>();
  /** Groups of powerless owners that somebody wants: until then nothing is promised anew. */
  readonly #sought = new Map<GroupId, Instant>();
  #freshControl = true;

  constructor(options: PromisesOptions) {
    const { formerTermMs, startedAt, timing } = options;
    this.#options = options;
    this.#termMs = termOf(timing);
    this.#longestMs = formerTermMs ?? this.#termMs;
    this.#quietUntil = plus(startedAt, Math.max(this.#termMs, formerTermMs ?? 0));
  }

  /** Time went by that the clock did not show: be as after a start. */
  restart(now: Instant): void {
    const until = plus(now, Math.max(this.#longestMs, this.#termMs));
    if (until > this.#quietUntil) this.#quietUntil = until;
  }

  /** What is to be remembered before a promise to the sender, if it is not already. */
  termToRemember({ claims, termMs }: ClaimingHeartbeat): number | undefined {
    const neededMs = this.#neededMs(termMs);
    return claims.length > 0 && neededMs > this.#longestMs ? neededMs : undefined;
  }

  termRemembered(termMs: number): void {
    this.#longestMs = Math.max(this.#longestMs, termMs);
  }

  /**
   * What a former run promised has ended: from now on the own term is enough to be remembered.
   * Undefined when that is so already.
   */
  termToForget(now: Instant): number | undefined {
    if (this.#formerIsOver || now < this.#quietUntil) return undefined;
    this.#formerIsOver = true;
    if (this.#longestMs <= this.#termMs || this.#longestMs !== this.#options.formerTermMs)
      return undefined;
    this.#longestMs = this.#termMs;
    return this.#termMs;
  }

  #neededMs(termMs = 0): number {
    return Math.max(this.#termMs, termMs);
  }

  /** The process that was given revocations is gone; its next table is complete. */
  controlConnected(): void {
    this.#freshControl = true;
  }

  /**
   * The acceptor's table. A revocation ends when control says that it acted on it (`after`), when
   * the table names another owner, or when control is a new one. A mere repetition of the table
   * does not end it: it may have been sent before the answer arrived.
   */
  report(seat: SeatId, records: readonly GroupRecord[], after: number | undefined): void {
    this.#seat = seat;
    const table = new Map(records.map((record) => [record.group, record]));
    for (const [group, id] of this.#revoked) {
      const moved = this.#records?.get(group)?.owner !== table.get(group)?.owner;
      if (moved || this.#freshControl || (after !== undefined && id <= after)) {
        this.#revoked.delete(group);
      }
    }
    this.#records = table;
    this.#freshControl = false;
  }

  /** What to answer to a heartbeat; gives and frees promises. */
  answer(beat: ClaimingHeartbeat, now: Instant): Omit<AnswerBody, 'kind'> {
    this.#free(beat);
    const promises: Claim[] = [];
    const behind: GroupId[] = [];
    const ahead: Claim[] = [];
    for (const claim of beat.claims) {
      const record = this.#records?.get(claim.group);
      if (this.#records === undefined) continue;
      if (record === undefined || record.epoch < claim.epoch) behind.push(claim.group);
      else if (record.epoch > claim.epoch) ahead.push({ group: claim.group, epoch: record.epoch });
      // Of two claims of one epoch it has accepted the one that came to nothing.
      else if (record.owner !== beat.from) behind.push(claim.group);
      else if (this.#mayPromise(claim.group, beat, now)) {
        // A former boot of it may have counted on a longer term.
        const before = this.#promised.get(claim.group)?.until ?? now;
        const until = Math.max(before, plus(now, this.#neededMs(beat.termMs))) as Instant;
        this.#promised.set(claim.group, { owner: beat.from, boot: beat.boot, until });
        promises.push(claim);
      }
    }
    return { round: beat.round, seat: this.#seat, promises, behind, ahead };
  }

  revoke(id: number, group: GroupId, now: Instant): RevokeAnswer {
    if (now < this.#quietUntil) {
      return { ok: false, why: 'starting', remainingMs: this.#quietUntil - now };
    }
    const promised = this.#promised.get(group);
    if (promised !== undefined && now < promised.until) {
      if (this.#options.isPowerless(promised.owner, group, now)) {
        this.#sought.set(group, plus(now, SOUGHT_TERMS * this.#longestMs));
      }
      return { ok: false, why: 'promise', remainingMs: promised.until - now };
    }
    this.#revoked.set(group, id);
    return { ok: true };
  }

  /** The record of a group as control last reported it. */
  record(group: GroupId): { readonly owner: NodeId; readonly epoch: Epoch } | undefined {
    return this.#records?.get(group);
  }

  #mayPromise(group: GroupId, beat: ClaimingHeartbeat, now: Instant): boolean {
    const { from: owner } = beat;
    if (now < this.#quietUntil || this.#revoked.has(group)) return false;
    if (this.termToRemember(beat) !== undefined || this.#isSought(group, owner, now)) return false;
    const promised = this.#promised.get(group);
    return promised === undefined || promised.owner === owner || now >= promised.until;
  }

  /** Not when it has got its lease meanwhile. */
  #isSought(group: GroupId, owner: NodeId, now: Instant): boolean {
    const until = this.#sought.get(group);
    if (until === undefined) return false;
    if (now < until && this.#options.isPowerless(owner, group, now)) return true;
    this.#sought.delete(group);
    return false;
  }

  /** The owner itself says that it gave the group up. Another boot can't know what it holds. */
  #free(beat: ClaimingHeartbeat): void {
    for (const [group, promised] of this.#promised) {
      if (promised.owner !== beat.from || promised.boot !== beat.boot) continue;
      if (!beat.claims.some((claim) => claim.group === group)) this.#promised.delete(group);
    }
  }
}

/** How long a promise binds by these settings. */
export function termOf({ leaseMs, clockDrift }: Timing): number {
  return leaseMs * (1 + clockDrift);
}
