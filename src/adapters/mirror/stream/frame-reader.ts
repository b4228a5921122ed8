/**
 * Frames out of a byte stream. The first malformed one ends the reading for good: behind it nothing
 * can be trusted to be a frame's start. Memory is bounded: one frame at most is kept, and its
 * announced length is checked against the limit before anything is allocated.
 */
import { crc32 } from 'node:zlib';
import {
  decodeFrame,
  decodeHeader,
  type Frame,
  FRAME_HEADER_BYTES,
  frameBytes,
} from '../../../protocol/mirror-frames.ts';

export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  /** The frame that has begun: its header, or all of it once the length is known. */
  #partial: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES);
  #filled = 0;
  #stopped = false;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** Nothing more is handed out, not even frames that arrived already. */
  stop(): void {
    this.#stopped = true;
  }

  /** Hands out each frame that is complete. Returns what is wrong, if something is. */
  push(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      const step = this.#filled === 0 ? this.#whole(chunk, at) : 0;
      if (typeof step === 'string') return this.#fail(step);
      if (step > 0) {
        at += step;
        continue;
      }
      const taken = Math.min(this.#partial.length - this.#filled, chunk.length - at);
      this.#partial.set(chunk.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      const wrong = this.#filled === this.#partial.length ? this.#full() : undefined;
      if (wrong !== undefined) return this.#fail(wrong);
    }
    return undefined;
  }

  /** The frame lies in the chunk as a whole: no copy. Its length; 0 when it does not. */
  #whole(chunk: Uint8Array, at: number): number | string {
    if (chunk.length - at < FRAME_HEADER_BYTES) return 0;
    const header = decodeHeader(chunk.subarray(at, at + FRAME_HEADER_BYTES));
    if (!header.ok) return header.reason;
    const bytes = frameBytes(header.value.payloadBytes);
    if (chunk.length - at < bytes) return 0;
    return this.#deliver(chunk.subarray(at, at + bytes)) ?? bytes;
  }

  /** The header is complete, or the frame is. */
  #full(): string | undefined {
    if (this.#partial.length === FRAME_HEADER_BYTES) {
      const header = decodeHeader(this.#partial);
      if (!header.ok) return header.reason;
      const bytes = frameBytes(header.value.payloadBytes);
      if (bytes > FRAME_HEADER_BYTES) {
        const frame = new Uint8Array(bytes);
        frame.set(this.#partial);
        this.#partial = frame;
        return undefined;
      }
    }
    const frame = this.#partial;
    this.#partial = new Uint8Array(FRAME_HEADER_BYTES);
    this.#filled = 0;
    return this.#deliver(frame);
  }

  #deliver(bytes: Uint8Array): string | undefined {
    const frame = decodeFrame(bytes, crc32);
    if (!frame.ok) return frame.reason;
    this.#onFrame(frame.value);
    return undefined;
  }

  #fail(reason: string): string {
    this.stop();
    return reason;
  }
}
