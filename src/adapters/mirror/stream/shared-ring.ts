/// <reference lib="es2024.sharedmemory" />
/**
 * A ring of records in shared memory: threads append under one lock, the main thread reads in
 * order and frees. Records have the shape of a frame (`protocol/mirror-frames.ts`): 24 bytes of
 * header with the length of the payload at byte 16, the whole padded to a multiple of 8, so that
 * the reader can send what lies here as it is.
 *
 *     words  0 lock   1 head   2 tail   3 bell   4 closed   5 reader waits   6 space   7 needed
 *     byte  32 f64 number of the last record          64 ... the records
 *
 * Head and tail count units of 8 bytes and wrap at 2^32; their difference is what is in use. A
 * record never wraps around the end: the rest of a lap is skipped, marked by LAP_MAGIC. The head
 * moves in one store after the record is complete, so a thread that dies half-way leaves nothing.
 * Only the main thread moves the tail, and it never takes the lock, so whoever waits for space
 * while holding the lock is always freed.
 */
import { assert } from '../../../base/assert.ts';
import { FRAME_HEADER_BYTES, LAP_MAGIC } from '../../../protocol/mirror-frames.ts';

const LOCK = 0;
const HEAD = 1;
const TAIL = 2;
const BELL = 3;
const CLOSED = 4;
const LISTENING = 5;
const SPACE = 6;
const NEEDED = 7;
const LAST_AT = 32;
const HEADER_BYTES = 64;
const UNIT = 8;
const LENGTH_AT = 16;

const FREE = 0;
const TAKEN = 1;
const CONTENDED = 2;
/** A waiter looks again by itself after this time, whatever happens. */
const WAIT_MS = 100;

export class SharedRing {
  readonly memory: SharedArrayBuffer;
  /** Bytes for records. */
  readonly capacity: number;
  readonly #words: Int32Array;
  readonly #last: Float64Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Units to skip before the record that was reserved last. */
  #skip = 0;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.capacity = memory.byteLength - HEADER_BYTES;
    this.#words = new Int32Array(memory, 0, LAST_AT / 4);
    this.#last = new Float64Array(memory, LAST_AT, 1);
    this.#bytes = new Uint8Array(memory, HEADER_BYTES);
    this.#view = new DataView(memory, HEADER_BYTES);
  }

  /** The first record will be number `last + 1`. */
  static create(capacity: number, last = 0): SharedRing {
    assert(capacity % UNIT === 0 && capacity >= 1024, 'a ring has a whole number of units');
    const ring = new SharedRing(new SharedArrayBuffer(HEADER_BYTES + capacity));
    ring.#last[0] = last;
    return ring;
  }

  static attach(memory: SharedArrayBuffer): SharedRing {
    return new SharedRing(memory);
  }

  // Appending threads.

  lock(): void {
    const words = this.#words;
    if (Atomics.compareExchange(words, LOCK, FREE, TAKEN) === FREE) return;
    while (Atomics.exchange(words, LOCK, CONTENDED) !== FREE) {
      Atomics.wait(words, LOCK, CONTENDED, WAIT_MS);
    }
  }

  unlock(): void {
    const before = Atomics.exchange(this.#words, LOCK, FREE);
    assert(before !== FREE, 'only a lock that is held is released');
    if (before === CONTENDED) Atomics.notify(this.#words, LOCK, 1);
  }

  /** Before {@link lock}: waits until the readers are less than `bytes` behind, or `gaveUp`. */
  waitForReaders(bytes: number, gaveUp: () => boolean): void {
    const words = this.#words;
    while (!this.closed && !gaveUp()) {
      const space = Atomics.load(words, SPACE);
      const behind = (Atomics.load(words, HEAD) - Atomics.load(words, NEEDED)) >>> 0;
      if (behind * UNIT < bytes) return;
      Atomics.wait(words, SPACE, space, WAIT_MS);
    }
  }

  get closed(): boolean {
    return Atomics.load(this.#words, CLOSED) === 1;
  }

  /** Number of the last record. Exact only while the lock is held. */
  get last(): number {
    return this.#last[0] ?? 0;
  }

  /**
   * Under the lock: room for a record of `bytes`, whose header and payload the caller fills in.
   * Waits while the ring is full; undefined when it was closed, or `gaveUp` became true meanwhile.
   */
  reserve(bytes: number, gaveUp?: () => boolean): Uint8Array | undefined {
    assert(bytes % UNIT === 0 && bytes * 2 <= this.capacity, 'a record fits half of the ring');
    const units = bytes / UNIT;
    const head = Atomics.load(this.#words, HEAD);
    const at = (head >>> 0) % (this.capacity / UNIT);
    const left = this.capacity / UNIT - at;
    this.#skip = left < units ? left : 0;
    for (;;) {
      if (this.closed) return undefined;
      const space = Atomics.load(this.#words, SPACE);
      if (this.#unused(head) >= units + this.#skip) break;
      if (gaveUp?.() === true) return undefined;
      Atomics.wait(this.#words, SPACE, space, WAIT_MS);
    }
    if (this.#skip > 0) this.#view.setUint16(at * UNIT, LAP_MAGIC, true);
    const start = this.#skip > 0 ? 0 : at * UNIT;
    return this.#bytes.subarray(start, start + bytes);
  }

  /** Under the lock: the record reserved last is complete; it becomes number `last + 1`. */
  commit(bytes: number): void {
    const words = this.#words;
    this.#last[0] = this.last + 1;
    Atomics.store(words, HEAD, (Atomics.load(words, HEAD) + this.#skip + bytes / UNIT) | 0);
    Atomics.add(words, BELL, 1);
    if (Atomics.load(words, LISTENING) === 1) Atomics.notify(words, BELL);
  }

  #unused(head: number): number {
    return this.capacity / UNIT - ((head - Atomics.load(this.#words, TAIL)) >>> 0);
  }

  // The reading thread.

  /** Wakes everybody who waits for space and lets nothing more in. For good. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
    this.wakeAppenders();
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }

  wakeAppenders(): void {
    Atomics.add(this.#words, SPACE, 1);
    Atomics.notify(this.#words, SPACE);
  }

  /** The counter that grows with each record; see {@link nextBell}. */
  get bell(): number {
    return Atomics.load(this.#words, BELL);
  }

  /** Resolves when the bell has rung since `seen`. */
  async nextBell(seen: number): Promise<void> {
    Atomics.store(this.#words, LISTENING, 1);
    const wait = Atomics.waitAsync(this.#words, BELL, seen);
    if (wait.async) await wait.value;
    Atomics.store(this.#words, LISTENING, 0);
  }

  /** Where the next record will be, as a count of bytes that never wraps, near `position`. */
  headFrom(position: number): number {
    const units = position / UNIT;
    const ahead = (Atomics.load(this.#words, HEAD) - (units % 2 ** 32)) >>> 0;
    return position + ahead * UNIT;
  }

  /** The record at or behind `position`, if it is there; `next` is the position behind it. */
  recordAt(position: number, head: number): RingRecord | undefined {
    let at = position;
    let offset = at % this.capacity;
    if (at >= head) return undefined;
    if (this.#view.getUint16(offset, true) === LAP_MAGIC) {
      at += this.capacity - offset;
      offset = 0;
      if (at >= head) return undefined;
    }
    const payload = this.#view.getUint32(offset + LENGTH_AT, true);
    const bytes = FRAME_HEADER_BYTES + Math.ceil(payload / UNIT) * UNIT;
    assert(at + bytes <= head && offset + bytes <= this.capacity, 'records in the ring are whole');
    return { bytes: this.#bytes.subarray(offset, offset + bytes), next: at + bytes };
  }

  /** What every reader has had; it may be kept nevertheless. */
  had(position: number): void {
    const needed = ((position / UNIT) % 2 ** 32) | 0;
    if (Atomics.exchange(this.#words, NEEDED, needed) !== needed) this.wakeAppenders();
  }

  /** Gives everything before `position` back to the appenders. */
  free(position: number): void {
    const tail = ((position / UNIT) % 2 ** 32) | 0;
    if (Atomics.load(this.#words, TAIL) === tail) return;
    Atomics.store(this.#words, TAIL, tail);
    this.wakeAppenders();
  }
}

export interface RingRecord {
  /** A view into the ring: valid until the position behind it is freed. */
  readonly bytes: Uint8Array;
  readonly next: number;
}
