/**
 * Paths of a mirror as the kernel wants them: bytes with a zero at the end, split into the parent
 * and the last component. Nothing is allocated: each `ZeroEnded` is a buffer that is used again.
 */
import { constants } from 'node:os';
import type { Path } from '../../protocol/change.ts';

/** PATH_MAX, the final zero byte included. */
export const PATH_BYTES_MAX = 4096;
const SLASH = 0x2f;
const DOT = 0x2e;
const { EINVAL, ENAMETOOLONG } = constants.errno;

/** One reusable zero-ended byte string. */
export class ZeroEnded {
  readonly bytes = new Uint8Array(PATH_BYTES_MAX);

  /** Copies the bytes from `from` to `to`; 0, or a negated error number when they cannot be a path. */
  set(source: Uint8Array, from = 0, to = source.length): number {
    const length = to - from;
    if (length >= PATH_BYTES_MAX) return -ENAMETOOLONG;
    for (let i = 0; i < length; i += 1) {
      const byte = source[from + i] ?? 0;
      if (byte === 0) return -EINVAL;
      this.bytes[i] = byte;
    }
    this.bytes[length] = 0;
    return 0;
  }

  setText(text: string): void {
    const { written } = new TextEncoder().encodeInto(text, this.bytes);
    this.bytes[written] = 0;
  }

  /** The name of an open descriptor in /proc, by which it can be reached anew. */
  setDescriptor(fd: number): void {
    this.bytes.set(DESCRIPTOR_PREFIX);
    let end = DESCRIPTOR_PREFIX.length;
    let unit = 1;
    while (unit * 10 <= fd) unit *= 10;
    for (; unit >= 1; unit = Math.floor(unit / 10)) {
      this.bytes[end] = 0x30 + (Math.floor(fd / unit) % 10);
      end += 1;
    }
    this.bytes[end] = 0;
  }
}

const DESCRIPTOR_PREFIX = new TextEncoder().encode('/proc/self/fd/');

/** Where the last component starts: 0 when the path has only one. */
export function lastComponent(path: Path): number {
  return path.lastIndexOf(SLASH) + 1;
}

/** Whether the bytes from `from` on are a name that an entry of a directory can have. */
export function isEntryName(path: Path, from: number): boolean {
  const length = path.length - from;
  if (length === 0) return false;
  if (length > 2 || path[from] !== DOT) return true;
  return length === 2 && path[from + 1] !== DOT;
}
