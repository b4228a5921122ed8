/**
 * The voter of the embedded registry: one CASPaxos acceptor per group (Rystsov, "CASPaxos:
 * Replicated State Machines without logs", 2018), bound in addition by the lease promises that the
 * heart of this member has given.
 *
 * Invariants (see SPEC.md):
 *   R1  Nothing is answered before the state that the answer rests on is on stable storage.
 *   R2  A ballot below the highest promised one is refused.
 *   R3  A record with another owner than the accepted one is accepted only after the heart agreed
 *       (`revoke`), unless the present owner itself proposes it.
 *   R13 A record of an earlier line than the accepted one is refused (forced-line.ts).
 */
import { must } from '../../base/assert.ts';
import type { ToHeart } from '../../protocol/heart-ipc.ts';
import type { GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Ballot, RegistryMessage, VotedRecord } from '../../protocol/record.ts';
import { compareBallots, isBelow } from './ballot.ts';
import { lineOf } from './forced-line.ts';

/** What one acceptor has promised and accepted for one group: the unit of storage. */
export interface AcceptorEntry {
  readonly group: GroupId;
  readonly promised: Ballot;
  readonly accepted: VotedRecord | undefined;
}

export type AcceptorEffect =
  | { readonly type: 'persist'; readonly id: number; readonly entry: AcceptorEntry }
  | {
      readonly type: 'answer';
      readonly to: NodeId;
      readonly message: RegistryMessage;
      /** The `persist` that must have ended first. */
      readonly after: number | undefined;
    }
  | {
      readonly type: 'revoke';
      readonly id: number;
      readonly group: GroupId;
      readonly owner: NodeId;
    }
  /** The heart needs the table of accepted records (again), once `after` is on stable storage. */
  | { readonly type: 'tableChanged'; readonly after: number | undefined };

type Prepare = Extract<RegistryMessage, { type: 'prepare' }>;
type Accept = Extract<RegistryMessage, { type: 'accept' }>;

interface PendingAccept {
  readonly from: NodeId;
  readonly message: Accept;
}

/** Accepts that may wait for the heart at once; more are dropped and asked again. */
const PENDING_MAX = 1024;

export class Acceptor {
  readonly #entries = new Map<GroupId, AcceptorEntry>();
  readonly #pending = new Map<number, PendingAccept>();
  #nextPersist = 1;
  #nextRevoke = 1;
  /** The last `revoke` that was answered and has had its effect on the table. */
  #lastRevoked = 0;

  /** The identity of this acceptor's memory: of the storage that `restored` came from. */
  readonly seat: SeatId;

  constructor(seat: SeatId, restored: Iterable<AcceptorEntry>) {
    this.seat = seat;
    for (const entry of restored) this.#entries.set(entry.group, entry);
  }

  entry(group: GroupId): AcceptorEntry | undefined {
    return this.#entries.get(group);
  }

  entries(): readonly AcceptorEntry[] {
    return [...this.#entries.values()];
  }

  /** What the heart needs to know for its promises; see `records` in src/protocol/heart-ipc.ts. */
  table(): Extract<ToHeart, { type: 'records' }> {
    const records = this.entries().flatMap(({ group, accepted }) => {
      const record = accepted?.record;
      return record === undefined ? [] : [{ group, owner: record.owner, epoch: record.epoch }];
    });
    return { type: 'records', seat: this.seat, records, after: this.#lastRevoked };
  }

  step(from: NodeId, message: Prepare | Accept): readonly AcceptorEffect[] {
    return message.type === 'prepare' ? this.#prepare(from, message) : this.#accept(from, message);
  }

  /** The heart is gone, and with it every leave that it gave or was asked for. */
  heartLost(): void {
    this.#pending.clear();
  }

  /** The heart's answer to a `revoke`. */
  revoked(
    id: number,
    answer: {
      readonly ok: boolean;
      readonly remainingMs: number;
      readonly why: string | undefined;
    },
  ): readonly AcceptorEffect[] {
    const pending = this.#pending.get(id);
    if (pending === undefined) return [];
    this.#pending.delete(id);
    if (answer.ok) this.#lastRevoked = id;
    const { from, message } = pending;
    if (!answer.ok) {
      const why = answer.why === 'starting' ? 'starting' : 'promise';
      return [this.#refusal(from, message, why, answer.remainingMs)];
    }
    const entry = this.#entries.get(message.group);
    const outlived = lineOf(message.record) < lineOf(entry?.accepted?.record);
    if (outlived || isBelow(message.ballot, entry?.promised)) {
      // The heart has withdrawn its promise for nothing: the table gives it back to the owner.
      return [
        { type: 'tableChanged', after: undefined },
        this.#refusal(from, message, 'ballot', 0),
      ];
    }
    return this.#write(from, message);
  }

  #prepare(from: NodeId, message: Prepare): readonly AcceptorEffect[] {
    const { group, ballot, id } = message;
    const entry = this.#entries.get(group);
    if (isBelow(ballot, entry?.promised)) return [this.#refusal(from, message, 'ballot', 0)];
    const accepted = entry?.accepted;
    const persist = this.#persist({ group, promised: ballot, accepted });
    const { seat } = this;
    const answer: RegistryMessage = { type: 'prepared', id, group, seat, ballot, accepted };
    return [persist, { type: 'answer', to: from, message: answer, after: persist.id }];
  }

  #accept(from: NodeId, message: Accept): readonly AcceptorEffect[] {
    const entry = this.#entries.get(message.group);
    if (isBelow(message.ballot, entry?.promised)) {
      return [this.#refusal(from, message, 'ballot', 0)];
    }
    const accepted = entry?.accepted?.record;
    if (lineOf(message.record) < lineOf(accepted))
      return [this.#refusal(from, message, 'ballot', 0)];
    const owner = accepted?.owner;
    const changesOwner = owner !== undefined && owner !== message.record.owner && owner !== from;
    if (!changesOwner) return this.#write(from, message);
    for (const pending of this.#pending.values()) {
      const sameVote = pending.from === from && pending.message.group === message.group;
      if (sameVote && compareBallots(pending.message.ballot, message.ballot) === 0) return [];
    }
    if (this.#pending.size >= PENDING_MAX) return [];
    const id = this.#nextRevoke;
    this.#nextRevoke += 1;
    this.#pending.set(id, { from, message });
    return [{ type: 'revoke', id, group: message.group, owner }];
  }

  #write(from: NodeId, message: Accept): readonly AcceptorEffect[] {
    const { group, ballot, record, id } = message;
    const persist = this.#persist({ group, promised: ballot, accepted: { ballot, record } });
    const answer: RegistryMessage = { type: 'accepted', id, group, seat: this.seat, ballot };
    return [
      persist,
      { type: 'tableChanged', after: persist.id },
      { type: 'answer', to: from, message: answer, after: persist.id },
    ];
  }

  #persist(entry: AcceptorEntry): Extract<AcceptorEffect, { type: 'persist' }> {
    this.#entries.set(entry.group, entry);
    const id = this.#nextPersist;
    this.#nextPersist += 1;
    return { type: 'persist', id, entry };
  }

  #refusal(
    to: NodeId,
    message: Prepare | Accept,
    why: 'ballot' | 'promise' | 'starting',
    remainingMs: number,
  ): AcceptorEffect {
    const { id, group } = message;
    const highest =
      why === 'ballot'
        ? must(this.#entries.get(group), 'a ballot is refused for a higher one').promised
        : undefined;
    return {
      type: 'answer',
      to,
      message: { type: 'refused', id, group, why, highest, remainingMs },
      after: undefined,
    };
  }
}
