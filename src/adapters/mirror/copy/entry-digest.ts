/**
 * Digests by which two copies tell whether their trees are equal. Left out is what copies need not have
 * in common: inode numbers, times, the sizes of what is no regular file, and the numbers of links, which
 * count names outside of the mirror as well.
 */
import { createHash } from 'node:crypto';
import type { TreeEntry } from '../../../protocol/resync.ts';
import { ByteWriter } from '../../../protocol/resync-bytes.ts';
import { LOST_AND_FOUND, type PathKey, ROOT_KEY, keyOf } from './paths.ts';
import { listDirectory } from './remove-tree.ts';
import { type CallFailure, S_IFBLK, S_IFCHR, S_IFREG, type Store, typeOf } from './store.ts';

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** Type, mode, owner, size, device, target and extended attributes. */
export function entryDigest(entry: TreeEntry): Uint8Array {
  const type = typeOf(entry.mode);
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  const w = new ByteWriter();
  for (const value of [entry.mode, entry.uid, entry.gid]) w.u32(value);
  w.number(type === S_IFREG ? entry.size : 0);
  w.number(isDevice ? entry.device : 0);
  w.bytes(entry.target);
  const xattrs = entry.xattrs.toSorted((a, b) => Buffer.compare(a.name, b.name));
  for (const { name, value } of xattrs) {
    w.bytes(name);
    w.bytes(value);
  }
  return sha256(w.finish());
}

/** The names in a directory that copies have in common, sorted. */
export function namesOf(store: Store, key: PathKey): readonly PathKey[] | CallFailure {
  const listing = listDirectory(store, key);
  if ('errno' in listing) return listing;
  return listing
    .map(({ name }) => keyOf(name))
    .filter((name) => key !== ROOT_KEY || name !== LOST_AND_FOUND)
    .sort();
}

export function namesDigest(names: readonly PathKey[]): Uint8Array {
  return sha256(Buffer.from(names.join('/'), 'latin1'));
}
