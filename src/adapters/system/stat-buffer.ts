/**
 * Buffers that statx(2), fstatvfs(3) and getdents64(2) fill, and their decoding. 64-bit numbers are
 * read as two halves: no bigint on the way of every request.
 */
import { endianness } from 'node:os';
import { assert } from '../../base/assert.ts';
import type { DirectoryEntry, FileStat, VolumeStat } from '../../ports/file-system.ts';

assert(endianness() === 'LE', 'the layouts here are those of a little-endian machine');

const TWO_32 = 0x1_0000_0000;

/** `struct statx` (linux/stat.h). */
export class StatBuffer {
  readonly bytes = new Uint8Array(256);
  readonly #u32 = new Uint32Array(this.bytes.buffer);
  readonly #i32 = new Int32Array(this.bytes.buffer);
  readonly #u16 = new Uint16Array(this.bytes.buffer);

  /** False when the inode number is too large to be told from another one. */
  read(out: FileStat): boolean {
    out.blockSize = this.#word(4);
    out.nlink = this.#word(16);
    out.uid = this.#word(20);
    out.gid = this.#word(24);
    out.mode = this.#u16[14] ?? 0;
    out.ino = this.#long(32);
    out.size = this.#long(40);
    out.blocks = this.#long(48);
    this.#time(64, out.accessed);
    this.#time(96, out.changed);
    this.#time(112, out.modified);
    out.device = encodeDevice(this.#word(128), this.#word(132));
    out.volume = this.#word(136) * TWO_32 + this.#word(140);
    return Number.isSafeInteger(out.ino);
  }

  #word(at: number): number {
    return this.#u32[at >> 2] ?? 0;
  }

  #long(at: number): number {
    return this.#word(at) + this.#word(at + 4) * TWO_32;
  }

  #time(at: number, out: { seconds: number; nanoseconds: number }): void {
    out.seconds = this.#word(at) + (this.#i32[(at >> 2) + 1] ?? 0) * TWO_32;
    out.nanoseconds = this.#word(at + 8);
  }
}

/** As the kernel packs a device number into 32 bits (new_encode_dev in linux/kdev_t.h). */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** `struct statvfs` of a 64-bit C library. */
export class VolumeBuffer {
  readonly bytes = new Uint8Array(256);
  readonly #u32 = new Uint32Array(this.bytes.buffer);

  read(out: VolumeStat): void {
    out.blockSize = this.#long(8);
    out.blocks = this.#long(16);
    out.blocksFree = this.#long(24);
    out.blocksAvailable = this.#long(32);
    out.files = this.#long(40);
    out.filesFree = this.#long(48);
    out.nameLengthMax = this.#long(80);
  }

  #long(at: number): number {
    return (this.#u32[at >> 2] ?? 0) + (this.#u32[(at >> 2) + 1] ?? 0) * TWO_32;
  }
}

const DIRENT_NAME = 19;
const DOT = 0x2e;

/** Appends the `struct linux_dirent64` records in the first `length` bytes, `.` and `..` left out. */
export function readDirents(bytes: Uint8Array, length: number, into: DirectoryEntry[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  for (let at = 0; at < length;) {
    const recordLength = view.getUint16(at + 16, true);
    assert(recordLength > DIRENT_NAME, 'the kernel returns whole directory records');
    const start = at + DIRENT_NAME;
    const name = bytes.slice(start, bytes.indexOf(0, start));
    const ino = view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
    if (!isDots(name)) into.push({ name, ino, type: bytes[at + 18] ?? 0 });
    at += recordLength;
  }
}

function isDots(name: Uint8Array): boolean {
  if (name[0] !== DOT || name.length > 2) return false;
  return name.length === 1 || name[1] === DOT;
}
