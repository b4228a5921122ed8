/**
 * Reading and writing of little-endian fields in a byte range. A reader trusts nothing: each field
 * is checked against the range before it is touched, and lengths against a limit before anything
 * is made from them. What it finds wrong it throws as {@link Malformed}, which the decoders catch
 * and turn into a result; no other code sees it.
 */
import { assert } from '../base/assert.ts';

export type Decoded<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** Runs a decoder; what it finds wrong becomes a result. */
export function decoding<T>(what: string, decode: () => T): Decoded<T> {
  try {
    return { ok: true, value: decode() };
  } catch (error) {
    if (error instanceof Malformed) {
      return { ok: false, reason: `malformed ${what}: ${error.message}` };
    }
    throw error;
  }
}

export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get written(): number {
    return this.#at;
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** A whole number beyond 32 bits: an offset, a size, a sequence number, seconds. */
  whole(value: number): void {
    assert(Number.isSafeInteger(value), 'offsets and sizes are whole numbers');
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** At most 65535 bytes, after their length. */
  short(bytes: Uint8Array): void {
    assert(bytes.length <= 0xffff, 'names and paths fit 65535 bytes');
    this.u16(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** The last field: everything up to the end of the range. */
  rest(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  whole(): number {
    const value = this.#view.getFloat64(this.#take(8), true);
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new Malformed('a number is not whole');
    }
    return value;
  }

  /** A whole number that is not negative. */
  size(): number {
    const value = this.whole();
    if (value < 0) throw new Malformed('a size is negative');
    return value;
  }

  /** A view, not a copy. */
  short(): Uint8Array {
    const length = this.u16();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view, not a copy. */
  rest(limit: number): Uint8Array {
    const length = this.#bytes.length - this.#at;
    if (length > limit) throw new Malformed(`${length} bytes of data, at most ${limit} expected`);
    return this.#bytes.subarray(this.#take(length));
  }

  end(): void {
    if (this.#at !== this.#bytes.length) {
      throw new Malformed(`${this.#bytes.length - this.#at} bytes too many`);
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) {
      throw new Malformed(`it ends after ${this.#bytes.length} bytes`);
    }
    this.#at = at + length;
    return at;
  }
}
