/**
 * Writing and reading the binary messages of a resync. Numbers are IEEE doubles (exact for every
 * safe integer, also negative times); byte strings carry their length. The reader never throws: a
 * read beyond the end or over a bound makes it `failed`, and everything it returns from then on is
 * empty; the decoder looks once, at the end.
 */
const INITIAL_BYTES = 512;

export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): void {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  number(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

const NOTHING = new Uint8Array(0);

export class ByteReader {
  failed = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** True when all was read and nothing was missing. */
  get complete(): boolean {
    return !this.failed && this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.#at - 1) : 0;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.failed = true;
    return value === 1;
  }

  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4) : 0;
  }

  /** A whole number; negative ones only where `signed`. */
  number(signed = false): number {
    const value = this.#take(8) ? this.#view.getFloat64(this.#at - 8) : 0;
    if (Number.isSafeInteger(value) && (signed || value >= 0)) return value;
    this.failed = true;
    return 0;
  }

  /** A view into the message, not a copy. */
  bytes(limit: number): Uint8Array {
    const length = this.u32();
    if (length > limit) this.failed = true;
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : NOTHING;
  }

  /** Reads `u32` count things; stops at the first failure, so a wrong count costs nothing. */
  list<T>(read: () => T): T[] {
    const count = this.u32();
    const items: T[] = [];
    for (let i = 0; i < count && !this.failed; i += 1) items.push(read());
    return items;
  }

  #take(count: number): boolean {
    if (this.failed || this.#at + count > this.#bytes.length) {
      this.failed = true;
      return false;
    }
    this.#at += count;
    return true;
  }
}
