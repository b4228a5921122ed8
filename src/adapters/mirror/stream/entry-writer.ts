/**
 * Appends entries of the stream to the shared ring, each as the finished frame. Used by the
 * capture worker and by the resync workers; whoever uses it holds the ring's lock.
 */
import { crc32 } from 'node:zlib';
import { changeBytes, encodeChange } from '../../../protocol/change-codec.ts';
import type { Change } from '../../../protocol/change.ts';
import {
  type EntryKind,
  FRAME_HEADER_BYTES,
  frameBytes,
  sealFrame,
} from '../../../protocol/mirror-frames.ts';
import type { SharedRing } from './shared-ring.ts';

/** Target of entries that every copy gets. */
export const EVERY_COPY = 0;

export class EntryWriter {
  readonly #ring: SharedRing;
  readonly #target: number;
  readonly #gaveUp: (() => boolean) | undefined;

  constructor(ring: SharedRing, target: number = EVERY_COPY, gaveUp?: () => boolean) {
    this.#ring = ring;
    this.#target = target;
    this.#gaveUp = gaveUp;
  }

  /** The entry's sequence number; undefined when the stream is closed or the writer gave up. */
  change(change: Change): number | undefined {
    const bytes = changeBytes(change);
    return this.#append('change', bytes, (payload) => {
      encodeChange(change, payload);
    });
  }

  message(body: Uint8Array): number | undefined {
    return this.#append('resync', body.length, (payload) => payload.set(body));
  }

  barrier(clean: boolean): number | undefined {
    return this.#append(clean ? 'clean-barrier' : 'barrier', 0, () => undefined);
  }

  #append(
    kind: EntryKind,
    payloadBytes: number,
    fill: (payload: Uint8Array) => void,
  ): number | undefined {
    const bytes = frameBytes(payloadBytes);
    const frame = this.#ring.reserve(bytes, this.#gaveUp);
    if (frame === undefined) return undefined;
    const number = this.#ring.last + 1;
    fill(frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + payloadBytes));
    const header = { type: 'entry', kind, target: this.#target, number, payloadBytes } as const;
    sealFrame(frame, header, crc32);
    this.#ring.commit(bytes);
    return number;
  }
}
