/**
 * Paths of a mirror are bytes, relative to its root. Where they are kept in maps they become
 * strings of one character per byte (latin1): exact for any bytes, cheap to compare and to cut.
 */
import type { Path } from '../../../protocol/change.ts';

export type PathKey = string;

export const ROOT_KEY: PathKey = '';

/**
 * At the top of a file system mkfs(8) leaves it, and e2fsck(8) needs it and makes it anew: a copy keeps
 * its own.
 */
export const LOST_AND_FOUND = 'lost+found';

export function keyOf(path: Path): PathKey {
  return Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString('latin1');
}

export function pathOf(key: PathKey): Path {
  return Buffer.from(key, 'latin1');
}

/** `name` in `directory`, which may be the root. */
export function childOf(directory: PathKey, name: Uint8Array): PathKey {
  return directory === ROOT_KEY ? keyOf(name) : `${directory}/${keyOf(name)}`;
}

/** The directory that `key` is in; undefined for the root. */
export function parentOf(key: PathKey): PathKey | undefined {
  if (key === ROOT_KEY) return undefined;
  const slash = key.lastIndexOf('/');
  return slash < 0 ? ROOT_KEY : key.slice(0, slash);
}

/** Whether `key` is `ancestor` or something below it. */
export function isWithin(key: PathKey, ancestor: PathKey): boolean {
  if (ancestor === ROOT_KEY || key === ancestor) return true;
  return key.startsWith(ancestor) && key[ancestor.length] === '/';
}

/**
 * Whether a path that came from another node stays beneath the root: no empty component, no `.`
 * or `..`, no zero byte. (Symbolic links on the way are refused by the file system port.)
 */
export function isPlainPath(key: PathKey, rootAllowed: boolean): boolean {
  if (key === ROOT_KEY) return rootAllowed;
  if (key.includes('\0')) return false;
  return key.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}

/** Whether a single name from another node is one component. */
export function isPlainName(name: PathKey): boolean {
  return !name.includes('/') && isPlainPath(name, false);
}

/** For people; not reversible. */
export function readable(key: PathKey): string {
  return key === ROOT_KEY
    ? 'the top directory'
    : JSON.stringify(Buffer.from(key, 'latin1').toString());
}
