/**
 * Decides when the reply to a change or a sync may go to the application. Knows sequence numbers
 * and peers, never bytes.
 *
 * A reply may go when all of this holds:
 * - the gate is open: lease valid, not sealed, not draining, not aborted;
 * - a sync: the local sync has ended, and every copy that it waits for has everything up to it on
 *   stable storage;
 * - a change in mode `every-write`: every copy that it waits for has applied it;
 * - a change in mode `durable`: nothing more.
 *
 * The copies that a reply waits for are those in the wait set that joined at or before it. A peer
 * joins at a position (`from`): the registry's in-sync copies at 0, a resynced copy at the barrier
 * that ends its resync. It is waited for until it leaves, which only a vote may bring about.
 */
import { assert } from '../../base/assert.ts';
import type { NodeId } from '../../protocol/ids.ts';

export type MirrorMode = 'durable' | 'every-write';
export type HeldKind = 'change' | 'sync';

export interface HeldReply {
  /** Named by the caller; unique among those that are held. */
  readonly token: number;
  readonly seq: number;
  readonly kind: HeldKind;
}

interface Waiting extends HeldReply {
  /** A sync: its local half has ended. */
  localDone: boolean;
  /** A sync whose local half failed. */
  failed: boolean;
}

interface Copy {
  readonly from: number;
  applied: number;
  stable: number;
}

export class AckTracker {
  readonly #mode: MirrorMode;
  readonly #held = new Map<number, Waiting>();
  readonly #copies = new Map<NodeId, Copy>();
  #open = false;

  constructor(mode: MirrorMode) {
    this.#mode = mode;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get gateOpen(): boolean {
    return this.#open;
  }

  waitsFor(peer: NodeId): boolean {
    return this.#copies.has(peer);
  }

  /** Copies that keep at least one reply back at this moment, sorted. */
  holders(): readonly NodeId[] {
    const holders = new Set<NodeId>();
    for (const reply of this.#held.values()) {
      if (reply.failed || (reply.kind === 'change' && this.#mode === 'durable')) continue;
      for (const [peer, copy] of this.#copies) {
        if (reply.seq >= copy.from && !has(copy, reply)) holders.add(peer);
      }
    }
    return [...holders].toSorted();
  }

  /** True when every copy that has to have `seq` on stable storage has it. */
  stableEverywhere(seq: number): boolean {
    for (const copy of this.#copies.values()) {
      if (seq >= copy.from && copy.stable < seq) return false;
    }
    return true;
  }

  hold(reply: HeldReply): readonly number[] {
    assert(!this.#held.has(reply.token), 'a token names one held reply');
    const waiting = { ...reply, localDone: reply.kind === 'change', failed: false };
    if (this.#open && this.#satisfied(waiting)) return [reply.token];
    this.#held.set(reply.token, waiting);
    return [];
  }

  /** The local half of a sync ended. */
  localDone(token: number): readonly number[] {
    const waiting = this.#held.get(token);
    if (waiting === undefined) return [];
    waiting.localDone = true;
    return this.#release();
  }

  /** The local sync failed: the reply says so, and waits for nothing but the gate. */
  giveUp(token: number): readonly number[] {
    const waiting = this.#held.get(token);
    if (waiting === undefined) return [];
    waiting.localDone = true;
    waiting.failed = true;
    return this.#release();
  }

  /** Positions only grow; older news is ignored. */
  acknowledged(peer: NodeId, applied: number, stable: number): readonly number[] {
    const copy = this.#copies.get(peer);
    if (copy === undefined) return [];
    copy.applied = Math.max(copy.applied, applied);
    copy.stable = Math.max(copy.stable, stable);
    return this.#release();
  }

  /** From now on replies at `from` and behind it wait for this peer. Joining again moves nothing. */
  join(peer: NodeId, from: number): void {
    if (!this.#copies.has(peer)) this.#copies.set(peer, { from, applied: 0, stable: 0 });
  }

  /** Voted out: waited for no longer. */
  leave(peer: NodeId): readonly number[] {
    return this.#copies.delete(peer) ? this.#release() : [];
  }

  openGate(): readonly number[] {
    this.#open = true;
    return this.#release();
  }

  closeGate(): void {
    this.#open = false;
  }

  /** The mount is gone: nobody waits for these replies any more. */
  dropAll(): void {
    this.#held.clear();
  }

  #release(): readonly number[] {
    if (!this.#open) return [];
    const free: number[] = [];
    for (const waiting of this.#held.values()) {
      if (this.#satisfied(waiting)) free.push(waiting.token);
    }
    for (const token of free) this.#held.delete(token);
    return free;
  }

  #satisfied(reply: Waiting): boolean {
    if (!reply.localDone) return false;
    if (reply.failed) return true;
    if (reply.kind === 'change' && this.#mode === 'durable') return true;
    for (const copy of this.#copies.values()) {
      if (reply.seq >= copy.from && !has(copy, reply)) return false;
    }
    return true;
  }
}

function has(copy: Copy, reply: HeldReply): boolean {
  return (reply.kind === 'sync' ? copy.stable : copy.applied) >= reply.seq;
}
