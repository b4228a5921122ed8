/**
 * A reply under construction, in one buffer that is used for every request. An operation writes the
 * payload behind the header and returns its length; `finish` adds the header.
 *
 * `struct fuse_out_header` (linux/fuse.h):
 *
 *      0  u32  length       4  i32  negated error number, 0 for success       8  u64  unique
 */
import { OUT_HEADER_BYTES } from './layout.ts';
import type { Request } from './request.ts';

const TWO_32 = 0x1_0000_0000;

export class Reply {
  readonly buffer: Uint8Array;
  readonly #view: DataView;

  /** With room for the header and `payloadBytes`. */
  constructor(payloadBytes: number) {
    this.buffer = new Uint8Array(OUT_HEADER_BYTES + payloadBytes);
    this.#view = new DataView(this.buffer.buffer);
  }

  /** How much payload fits. */
  get room(): number {
    return this.buffer.length - OUT_HEADER_BYTES;
  }

  /** `bytes` bytes of payload, to be filled by the caller. */
  payload(bytes: number): Uint8Array {
    return this.buffer.subarray(OUT_HEADER_BYTES, OUT_HEADER_BYTES + bytes);
  }

  /** Offsets here and below are within the payload. */
  u32(at: number, value: number): void {
    this.#view.setUint32(OUT_HEADER_BYTES + at, value, true);
  }

  u16(at: number, value: number): void {
    this.#view.setUint16(OUT_HEADER_BYTES + at, value, true);
  }

  /** A whole number, negative ones as two's complement. */
  u64(at: number, value: number): void {
    this.u32(at, value % TWO_32);
    this.u32(at + 4, Math.floor(value / TWO_32));
  }

  bytes(at: number, value: Uint8Array): void {
    this.buffer.set(value, OUT_HEADER_BYTES + at);
  }

  zero(at: number, bytes: number): void {
    this.buffer.fill(0, OUT_HEADER_BYTES + at, OUT_HEADER_BYTES + at + bytes);
  }

  /** Writes the header; returns the length of the whole message. */
  finish(request: Request, error: number, payloadBytes: number): number {
    const length = OUT_HEADER_BYTES + payloadBytes;
    this.#view.setUint32(0, length, true);
    this.#view.setInt32(4, error, true);
    request.copyUniqueTo(this.#view);
    return length;
  }

  /** A copy of the finished message of that length, for those who send it later. */
  copy(length: number): Uint8Array {
    return this.buffer.slice(0, length);
  }
}
