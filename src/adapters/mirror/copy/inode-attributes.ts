/** Reading and setting what an inode has beside its content: owner, mode, times, extended attributes. */
import type { TreeEntry } from '../../../protocol/resync.ts';
import { setAttributes } from './change-applier.ts';
import { type PathKey, pathOf } from './paths.ts';
import {
  type CallFailure,
  ENODATA,
  EOPNOTSUPP,
  S_IFLNK,
  type Store,
  failureOf,
  newFileStat,
  permissionsOf,
  typeOf,
} from './store.ts';

type Xattrs = TreeEntry['xattrs'];

/** All extended attributes; none where the file system has no such thing. */
export function readXattrs(store: Store, key: PathKey): Xattrs | CallFailure {
  const { fs, root } = store;
  const path = pathOf(key);
  const list = fs.listXattr(root, path);
  if (list === -EOPNOTSUPP) return [];
  if (typeof list === 'number') return { call: 'listxattr', errno: -list };
  const xattrs: { name: Uint8Array; value: Uint8Array }[] = [];
  for (const name of splitNames(list)) {
    const value = fs.getXattr(root, path, name);
    // Some file systems list names that they do not give to everybody.
    if (value === -ENODATA || value === -EOPNOTSUPP) continue;
    if (typeof value === 'number') return { call: 'getxattr', errno: -value };
    xattrs.push({ name, value });
  }
  return xattrs;
}

/** Makes everything but name, type and content of `key` as in `entry`; times last. */
export function matchAttributes(
  store: Store,
  key: PathKey,
  entry: TreeEntry,
): CallFailure | undefined {
  const { fs, root } = store;
  const path = pathOf(key);
  const stat = newFileStat();
  const found = failureOf('stat', fs.stat(root, path, stat));
  if (found !== undefined) return found;
  const chown = stat.uid !== entry.uid || stat.gid !== entry.gid;
  // chown(2) clears set-id bits, so the mode is set after it even if it was right.
  const chmod = chown || permissionsOf(stat.mode) !== permissionsOf(entry.mode);
  const failure = setAttributes(store, {
    path,
    uid: chown ? entry.uid : undefined,
    gid: chown ? entry.gid : undefined,
    mode: chmod && typeOf(entry.mode) !== S_IFLNK ? entry.mode : undefined,
    accessed: undefined,
    modified: undefined,
  });
  return failure ?? matchXattrs(store, key, entry.xattrs) ?? matchTimes(store, key, entry);
}

function matchXattrs(store: Store, key: PathKey, wanted: Xattrs): CallFailure | undefined {
  const present = readXattrs(store, key);
  if ('errno' in present) return present;
  const { fs, root } = store;
  const path = pathOf(key);
  for (const { name } of present) {
    if (wanted.some((xattr) => sameBytes(xattr.name, name))) continue;
    const failure = failureOf('removexattr', fs.removeXattr(root, path, name));
    if (failure !== undefined) return failure;
  }
  for (const { name, value } of wanted) {
    const same = present.find((xattr) => sameBytes(xattr.name, name));
    if (same !== undefined && sameBytes(same.value, value)) continue;
    const failure = failureOf('setxattr', fs.setXattr(root, path, name, value, 0));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function matchTimes(store: Store, key: PathKey, entry: TreeEntry): CallFailure | undefined {
  const { fs, root } = store;
  const result = fs.setTimes(root, pathOf(key), entry.accessed, entry.modified);
  return failureOf('utimensat', result);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function splitNames(list: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  let from = 0;
  for (let i = 0; i < list.length; i += 1) {
    if (list[i] !== 0) continue;
    if (i > from) names.push(list.slice(from, i));
    from = i + 1;
  }
  return names;
}
