/**
 * A request of the kernel, read in place: no field is decoded before somebody asks for it, and the
 * one buffer is used for every request. Byte strings that it hands out are views that hold until
 * the next request is read.
 *
 * `struct fuse_in_header` (linux/fuse.h):
 *
 *      0  u32  length            4  u32  opcode
 *      8  u64  unique           16  u64  node id
 *     24  u32  uid              28  u32  gid
 *     32  u32  pid              36  u16  length of extensions in 8 bytes, u16 padding
 *     40  ...  what the opcode has: offsets in `layout.ts`
 *
 * Node ids and file handles are our own counters and therefore safe as numbers. Anything else that
 * is 64 bits wide and too large for one comes out inexact, above `Number.MAX_SAFE_INTEGER`; users
 * check that.
 */
import { IN_HEADER_BYTES, type Field } from './layout.ts';

const TWO_32 = 0x1_0000_0000;
const EXTENSION_UNIT = 8;

export class Request {
  /** Where the next request is read into. */
  readonly buffer: Uint8Array;
  readonly #view: DataView;
  #length = 0;
  #lastData: Uint8Array;

  constructor(bytes: number) {
    this.buffer = new Uint8Array(bytes);
    this.#view = new DataView(this.buffer.buffer);
    this.#lastData = this.buffer.subarray(0, 0);
  }

  /** Takes up the first `length` bytes of the buffer. False when they cannot be a request. */
  load(length: number): boolean {
    this.#length = length;
    if (length < IN_HEADER_BYTES || this.u32(0) !== length) return false;
    this.#length = length - this.#view.getUint16(36, true) * EXTENSION_UNIT;
    return this.#length >= IN_HEADER_BYTES;
  }

  /** Without its extensions. */
  get length(): number {
    return this.#length;
  }

  get opcode(): number {
    return this.u32(4);
  }

  get nodeId(): number {
    return this.u64(16);
  }

  get uid(): number {
    return this.u32(24);
  }

  get gid(): number {
    return this.u32(28);
  }

  u32(at: Field): number {
    return this.#view.getUint32(at, true);
  }

  u64(at: Field): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
  }

  /** A signed 64-bit number, such as the seconds of a time. */
  i64(at: Field): number {
    return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * TWO_32;
  }

  /** Whether the request is at least so long: to be asked before fields are read. */
  has(bytes: number): boolean {
    return this.#length >= bytes;
  }

  /** The bytes up to the next zero; undefined when there is none. */
  name(at: number): Uint8Array | undefined {
    const end = this.buffer.indexOf(0, at);
    return end < 0 || end >= this.#length ? undefined : this.buffer.subarray(at, end);
  }

  /** `bytes` bytes of data; undefined when the request has fewer. */
  data(at: number, bytes: number): Uint8Array | undefined {
    if (at + bytes > this.#length) return undefined;
    const last = this.#lastData;
    if (last.byteOffset !== at || last.length !== bytes) {
      this.#lastData = this.buffer.subarray(at, at + bytes);
    }
    return this.#lastData;
  }

  /** Puts the request's `unique` into a reply. */
  copyUniqueTo(reply: DataView): void {
    reply.setUint32(8, this.u32(8), true);
    reply.setUint32(12, this.u32(12), true);
  }
}
