/**
 * The replies that the main thread of a primary holds back: takes them from the capture worker,
 * runs the local half of each sync, asks the {@link AckTracker} what may go, and writes to
 * /dev/fuse. While the lease is out nothing goes; it is looked at again every
 * {@link LEASE_LOOK_MS}.
 */
import { fdatasync, fsync } from 'node:fs';
import { writeReply } from '../adapters/mirror/stream/capture-sink.ts';
import { type HeldRecord, readHeld } from '../adapters/mirror/stream/held-records.ts';
import type { LeaseGate } from '../adapters/mirror/stream/lease-gate.ts';
import type { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import type { AckTracker } from '../core/mirror/ack-tracker.ts';
import type { Clock } from '../ports/clock.ts';
import { messageOf } from '../base/tako-error.ts';

const LEASE_LOOK_MS = 20;
/** More replies than this are not taken over: the capture worker waits. */
const HELD_MAX = 65_536;
const EIO = 5;
/** struct fuse_out_header: length, error, unique. */
const REPLY_HEADER_BYTES = 16;
const REPLY_ERROR_AT = 4;

export interface HeldDeps {
  readonly ring: SharedRing;
  readonly tracker: AckTracker;
  readonly fuseFd: number;
  readonly lease: LeaseGate;
  readonly clock: Clock;
  /** The local store could not make something durable. */
  readonly onStoreFailed: (reason: string) => void;
}

export class HeldReplies {
  readonly #deps: HeldDeps;
  readonly #replies = new Map<number, Uint8Array>();
  #position = 0;
  #lastToken = 0;
  #highest = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(deps: HeldDeps) {
    this.#deps = deps;
  }

  /** The highest sequence number that a reply was held for. */
  get highest(): number {
    return this.#highest;
  }

  get leaseValid(): boolean {
    return this.#deps.lease.valid(this.#deps.clock.now());
  }

  /** Takes over what the capture worker has pushed. */
  scan(): void {
    const { ring } = this.#deps;
    const head = ring.headFrom(this.#position);
    while (!this.#over && this.#replies.size < HELD_MAX) {
      const record = ring.recordAt(this.#position, head);
      if (record === undefined) break;
      const held = readHeld(record.bytes);
      this.#position = record.next;
      ring.free(this.#position);
      this.#hold(held);
    }
  }

  /** Runs a change of the tracker that may set replies free, if the lease allows it. */
  apply(change: () => readonly number[]): void {
    if (this.#over) return;
    this.look();
    this.#send(change());
  }

  /** Looks at the lease and sets free what may go. */
  look(): void {
    if (this.#over) return;
    const { tracker } = this.#deps;
    if (!this.leaseValid) tracker.closeGate();
    else if (!tracker.gateOpen) this.#send(tracker.openGate());
    this.#lookLater();
  }

  /** The mount is gone: forget everything. */
  drop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#replies.clear();
    this.#deps.tracker.dropAll();
  }

  #hold(held: HeldRecord): void {
    this.#lastToken += 1;
    const token = this.#lastToken;
    const { kind, seq } = held;
    this.#highest = Math.max(this.#highest, seq);
    this.#replies.set(token, held.reply);
    this.apply(() => this.#deps.tracker.hold({ token, seq, kind }));
    if (kind === 'sync') this.#syncHere(token, held);
    this.#lookLater();
  }

  #syncHere(token: number, held: HeldRecord): void {
    const done = (error: NodeJS.ErrnoException | null): void => {
      if (this.#over) return;
      if (error !== null) {
        this.#replies.set(token, errorReply(held.reply, error.errno ?? -EIO));
        this.#deps.onStoreFailed(`a sync failed: ${messageOf(error)}`);
        this.apply(() => this.#deps.tracker.giveUp(token));
        return;
      }
      this.apply(() => this.#deps.tracker.localDone(token));
    };
    if (held.dataOnly) fdatasync(held.fd, done);
    else fsync(held.fd, done);
  }

  #send(tokens: readonly number[]): void {
    for (const token of tokens) {
      const reply = this.#replies.get(token);
      if (reply === undefined) continue;
      this.#replies.delete(token);
      writeReply(this.#deps.fuseFd, reply);
    }
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#over) return;
    if (this.#deps.tracker.gateOpen || this.#replies.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.look();
    }, LEASE_LOOK_MS);
  }
}

/** A reply that carries an error has nothing behind its header. */
function errorReply(reply: Uint8Array, negativeErrno: number): Uint8Array {
  const out = reply.slice(0, REPLY_HEADER_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, REPLY_HEADER_BYTES, true);
  view.setInt32(REPLY_ERROR_AT, negativeErrno, true);
  return out;
}
