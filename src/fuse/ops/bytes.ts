/** Byte strings as paths and names. */
import type { Path } from '../../protocol/change.ts';

export const EMPTY: Path = new Uint8Array(0);
const SLASH = 0x2f;
const DOT = 0x2e;

/** `parent/name`; only `name` below the root, whose path is empty. */
export function joinPath(parent: Path, name: Uint8Array): Path {
  if (parent.length === 0) return name.slice();
  const path = new Uint8Array(parent.length + 1 + name.length);
  path.set(parent);
  path[parent.length] = SLASH;
  path.set(name, parent.length + 1);
  return path;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether an entry of a directory can be called so: one component, and not a way elsewhere. */
export function isEntryName(name: Uint8Array): boolean {
  if (name.length === 0 || name.includes(SLASH)) return false;
  const isDots = name.length <= 2 && name[0] === DOT && (name.length === 1 || name[1] === DOT);
  return !isDots;
}

/** The components of a path. */
export function splitPath(path: Path): readonly Uint8Array[] {
  const names: Uint8Array[] = [];
  let start = 0;
  for (let end = 0; end <= path.length; end += 1) {
    if (end < path.length && path[end] !== SLASH) continue;
    if (end > start) names.push(path.slice(start, end));
    start = end + 1;
  }
  return names;
}

/** ASCII only. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
