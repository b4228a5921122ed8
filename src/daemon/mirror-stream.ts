/**
 * The stream as the main thread of a primary sees it: reads the shared ring in order, gives each
 * copy what it has not had yet, and frees what nobody needs. Positions are bytes since the start
 * of the epoch, and never wrap; sequence numbers are those of the entries.
 */
import { assert } from '../base/assert.ts';
import { EVERY_COPY } from '../adapters/mirror/stream/entry-writer.ts';
import type { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { FRAME_HEADER_BYTES, type FrameHeader, decodeHeader } from '../protocol/mirror-frames.ts';

/** Largest piece that is handed to a connection at once. */
const BATCH_BYTES = 256 * 1024;
/** Entries that no copy needs stay until this part of the ring is in use, for a copy that returns. */
const HISTORY_PART = 0.5;
const CROWDED_PART = 0.75;

export interface Batch {
  /** Frames for this copy, copied out of the ring; undefined when all were for others. */
  readonly bytes: Uint8Array | undefined;
  readonly next: number;
  /** Number of the last entry before `next`. */
  readonly last: number;
}

export interface StreamEvents {
  /** A barrier entered the stream; `target` as in the frame. */
  readonly onBarrier: (seq: number, target: number) => void;
  /** A change entered the stream; the payload is a view that is not valid any more after the call. */
  readonly onChange: (seq: number, payload: Uint8Array) => void;
}

export class StreamReader {
  readonly ring: SharedRing;
  /** The number before that of the first entry. */
  readonly first: number;
  readonly #events: StreamEvents;
  #scanned = 0;
  #last: number;
  #tail = 0;
  #sendableFrom: number;

  constructor(ring: SharedRing, events: StreamEvents) {
    this.ring = ring;
    this.#events = events;
    this.first = ring.last;
    this.#last = this.first;
    this.#sendableFrom = this.first;
  }

  /** Number of the last entry that was seen. */
  get last(): number {
    return this.#last;
  }

  /** Entries behind this number are still there. */
  get sendableFrom(): number {
    return this.#sendableFrom;
  }

  /** Position behind the last entry that was seen. */
  get end(): number {
    return this.#scanned;
  }

  /** So little room is left that appenders may be waiting. */
  get crowded(): boolean {
    return this.ring.headFrom(this.#scanned) - this.#tail > this.ring.capacity * CROWDED_PART;
  }

  /** Looks at what is new. */
  scan(): void {
    const head = this.ring.headFrom(this.#scanned);
    for (;;) {
      const record = this.ring.recordAt(this.#scanned, head);
      if (record === undefined) return;
      const entry = headerOf(record.bytes);
      assert(entry.number === this.#last + 1, 'entries are numbered without a gap');
      this.#last = entry.number;
      this.#scanned = record.next;
      if (entry.kind === 'barrier' || entry.kind === 'clean-barrier') {
        this.#events.onBarrier(entry.number, entry.target);
      } else if (entry.kind === 'change') {
        this.#events.onChange(entry.number, payloadOf(record.bytes, entry.payloadBytes));
      }
    }
  }

  /** Where the entry behind `seq` starts; undefined when it is gone. */
  positionAfter(seq: number): number | undefined {
    if (seq < this.#sendableFrom) return undefined;
    if (seq >= this.#last) return this.#scanned;
    let position = this.#tail;
    while (position < this.#scanned) {
      const record = this.ring.recordAt(position, this.#scanned);
      if (record === undefined) break;
      if (headerOf(record.bytes).number > seq) return position;
      position = record.next;
    }
    return this.#scanned;
  }

  /** What comes at `position` for the copy with this target number; undefined at the end. */
  take(position: number, target: number): Batch | undefined {
    assert(position >= this.#tail, 'what a copy still needs is not freed');
    const parts: Uint8Array[] = [];
    let bytes = 0;
    let [next, last] = [position, 0];
    while (bytes < BATCH_BYTES) {
      const record = this.ring.recordAt(next, this.#scanned);
      if (record === undefined) break;
      const entry = headerOf(record.bytes);
      if (entry.target === EVERY_COPY || entry.target === target) {
        parts.push(record.bytes);
        bytes += record.bytes.length;
      }
      last = entry.number;
      next = record.next;
    }
    if (next === position) return undefined;
    return { bytes: bytes === 0 ? undefined : joined(parts, bytes), next, last };
  }

  /** Frees entries before `needed`, the lowest position that some copy needs, if any does. */
  free(needed: number | undefined): void {
    const history = this.ring.capacity * HISTORY_PART;
    this.ring.had(needed ?? this.#scanned);
    const limit = Math.min(needed ?? this.#scanned, this.#scanned);
    if (this.#scanned - this.#tail <= history) return;
    // Some more than needed, so that this is not done for each entry.
    const wanted = Math.min(limit, this.#scanned - history / 2);
    while (this.#tail < wanted) {
      const record = this.ring.recordAt(this.#tail, this.#scanned);
      if (record === undefined || record.next > limit) break;
      this.#sendableFrom = headerOf(record.bytes).number;
      this.#tail = record.next;
    }
    this.ring.free(this.#tail);
  }
}

function payloadOf(record: Uint8Array, bytes: number): Uint8Array {
  return record.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + bytes);
}

function headerOf(record: Uint8Array): FrameHeader {
  const header = decodeHeader(record);
  assert(header.ok, 'entries in the ring are well-formed');
  return header.value;
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
