/** Reading extended attributes: one call into a buffer that holds the largest there can be. */
import { lastError, libc } from './libc.ts';

/** XATTR_SIZE_MAX and XATTR_LIST_MAX (linux/limits.h). */
const BYTES_MAX = 64 * 1024;
const buffer = new Uint8Array(BYTES_MAX);

/** `path` and `name` end with a zero byte. */
export function readXattr(path: Uint8Array, name: Uint8Array): Uint8Array | number {
  const length = libc.getxattr(path, name, buffer, BYTES_MAX);
  return length < 0 ? -lastError() : buffer.slice(0, length);
}

export function readXattrNames(path: Uint8Array): Uint8Array | number {
  const length = libc.listxattr(path, buffer, BYTES_MAX);
  return length < 0 ? -lastError() : buffer.slice(0, length);
}
