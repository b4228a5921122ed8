/**
 * The voter's side of leases: to whom this node gave its word, and until when.
 *
 * A promise for group G to owner A at epoch e is given when this node's own acceptor last accepted
 * `{owner: A, epoch: e}`, and nobody else holds an unexpired promise for G, and no revocation is
 * pending. It ends `leaseMs * (1 + clockDrift)` after the heartbeat was received, or when the same
 * boot of A says in a later heartbeat that it does not claim G any more.
 *
 * After a start nothing is promised and nothing revoked for that same time, because this heart
 * does not know what the one before it had promised.
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
}

export type RevokeAnswer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly why: 'promise' | 'starting';
      readonly remainingMs: number;
    };

export class Promises {
  readonly #termMs: number;
  #quietUntil: Instant;
  /** Undefined until control reported its table for the first time. */
  #records: ReadonlyMap<GroupId, GroupRecord> | undefined;
  #seat: SeatId | undefined;
  readonly #promised = new Map<GroupId, Promised>();
  /** Groups whose owner may be replaced by a vote at any moment, with the id of the question. */
  readonly #revoked = new Map<GroupId, number>();
  #freshControl = true;

  constructor(timing: Timing, startedAt: Instant) {
    this.#termMs = timing.leaseMs * (1 + timing.clockDrift);
    this.#quietUntil = plus(startedAt, this.#termMs);
  }

  /** Time went by that the clock did not show: be as after a start. */
  restart(now: Instant): void {
    this.#quietUntil = plus(now, this.#termMs);
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
      else if (record.owner === beat.from && this.#mayPromise(claim.group, beat.from, now)) {
        const until = plus(now, this.#termMs);
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
      return { ok: false, why: 'promise', remainingMs: promised.until - now };
    }
    this.#revoked.set(group, id);
    return { ok: true };
  }

  /** The record of a group as control last reported it. */
  record(group: GroupId): { readonly owner: NodeId; readonly epoch: Epoch } | undefined {
    return this.#records?.get(group);
  }

  #mayPromise(group: GroupId, owner: NodeId, now: Instant): boolean {
    if (now < this.#quietUntil || this.#revoked.has(group)) return false;
    const promised = this.#promised.get(group);
    return promised === undefined || promised.owner === owner || now >= promised.until;
  }

  /** The owner itself says that it gave the group up. Another boot can't know what it holds. */
  #free(beat: ClaimingHeartbeat): void {
    for (const [group, promised] of this.#promised) {
      if (promised.owner !== beat.from || promised.boot !== beat.boot) continue;
      if (!beat.claims.some((claim) => claim.group === group)) this.#promised.delete(group);
    }
  }
}
