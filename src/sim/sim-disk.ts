/**
 * One node's disk: the acceptor's entries, and the copies of mirrors. Whatever was written but not
 * confirmed when the power goes may be there or not; what was confirmed is there.
 *
 * Invariants: writes of the acceptor come to rest in their order; a copy keeps at least its synced
 * part; values in a copy only grow (they are numbered when written).
 */
import { type Instant, plus } from '../base/time.ts';
import type { Prng } from '../base/prng.ts';
import type { AcceptorEntry } from '../core/registry/acceptor.ts';
import type { CopyWorth } from '../protocol/mirror-frames.ts';
import type { GroupId, NodeId, SeatId } from '../protocol/ids.ts';
import type { Voter } from '../protocol/record.ts';

/** One copy of a mirror, as it is in the node's directory. */
export interface CopyDisk {
  data: number[];
  /** How much of `data` survives a power-off for certain. */
  synced: number;
  note: CopyWorth;
  /** A resync had begun and did not end: the directory is a mixture. */
  partial: boolean;
  /** The epoch of the primary that overwrote all that was there before. */
  base: number;
}

type Landed = (voter: Voter, entry: AcceptorEntry, before: AcceptorEntry | undefined) => void;

interface Write {
  readonly entry: AcceptorEntry;
}

export class SimDisk {
  readonly #node: NodeId;
  /** Seats that the node has had so far. */
  #seats = 0;
  /** The memory of the acceptor: that of this storage, and of no other. */
  seat = '' as SeatId;
  readonly entries = new Map<GroupId, AcceptorEntry>();
  readonly copies = new Map<string, CopyDisk>();
  /** The longest that a promise may bind which was given here. */
  termMs = 0;
  /** Added to every write. */
  slowMs = 0;
  /** Writes of the acceptor fail. */
  full = false;
  /** How much of what was not confirmed survives the next death: from 0 to 1; drawn if not said. */
  survives: number | undefined;
  #flying: Write[] = [];
  #restAt = 0 as Instant;
  readonly #landed: Landed;

  constructor(node: NodeId, landed: Landed) {
    this.#node = node;
    this.#landed = landed;
    this.forget();
  }

  /** The acceptor's storage is lost, and an empty one takes its place; only while the node is off. */
  forget(): void {
    this.#seats += 1;
    this.seat = `${this.#node}-${this.#seats}` as SeatId;
    this.entries.clear();
    this.termMs = 0;
  }

  copy(key: string): CopyDisk {
    const known = this.copies.get(key);
    if (known !== undefined) return known;
    const copy: CopyDisk = {
      data: [],
      synced: 0,
      note: { state: 'empty' },
      partial: false,
      base: 0,
    };
    this.copies.set(key, copy);
    return copy;
  }

  /** Begins a write of the acceptor; tells when it is on stable storage. */
  begin(entry: AcceptorEntry, now: Instant, ms: number): { write: Write; restsAt: Instant } {
    const write = { entry };
    this.#flying.push(write);
    const due = plus(now, ms + this.slowMs);
    this.#restAt = due > this.#restAt ? due : this.#restAt;
    return { write, restsAt: this.#restAt };
  }

  land(write: Write): void {
    const index = this.#flying.indexOf(write);
    if (index < 0) return;
    for (const done of this.#flying.splice(0, index + 1)) this.#put(done.entry);
  }

  get writing(): number {
    return this.#flying.length;
  }

  /** The process that wrote is gone: of what was under way, a beginning is there. */
  processDied(prng: Prng): void {
    const kept = this.#kept(this.#flying.length, prng);
    for (const write of this.#flying.slice(0, kept)) this.#put(write.entry);
    this.#flying = [];
    this.#restAt = 0 as Instant;
  }

  /** The power is gone: so is some of what no sync had confirmed. */
  powerLost(prng: Prng, tearing: boolean): void {
    this.processDied(prng);
    if (!tearing) return;
    for (const copy of this.copies.values()) {
      const loose = copy.data.length - copy.synced;
      copy.data.length = copy.synced + this.#kept(loose, prng);
    }
  }

  #kept(count: number, prng: Prng): number {
    return this.survives === undefined ? prng.below(count + 1) : Math.ceil(count * this.survives);
  }

  #put(entry: AcceptorEntry): void {
    const before = this.entries.get(entry.group);
    this.entries.set(entry.group, entry);
    this.#landed({ node: this.#node, seat: this.seat }, entry, before);
  }
}

/** Values in a copy are sorted. */
export function holds(data: readonly number[], length: number, value: number): boolean {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((data[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low < length && data[low] === value;
}
