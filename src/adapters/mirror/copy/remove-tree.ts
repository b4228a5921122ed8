/** Removes a path of the copy with all that is below it. */
import { constants as fsc } from 'node:fs';
import type { DirectoryEntry } from '../../../ports/file-system.ts';
import { type PathKey, childOf, pathOf } from './paths.ts';
import { type CallFailure, ENOENT, S_IFDIR, type Store, newFileStat, typeOf } from './store.ts';

/**
 * Undefined when nothing has that path now, also when nothing had it before. Calls `unlinked` for
 * each name that is removed and is no directory.
 */
export function removeTree(
  store: Store,
  key: PathKey,
  unlinked: (key: PathKey) => void,
): CallFailure | undefined {
  const { fs, root } = store;
  const path = pathOf(key);
  const stat = newFileStat();
  const found = fs.stat(root, path, stat);
  if (found < 0) return found === -ENOENT ? undefined : { call: 'stat', errno: -found };
  const isDirectory = typeOf(stat.mode) === S_IFDIR;
  if (isDirectory) {
    const entries = listDirectory(store, key);
    if ('errno' in entries) return entries;
    for (const entry of entries) {
      const failure = removeTree(store, childOf(key, entry.name), unlinked);
      if (failure !== undefined) return failure;
    }
  }
  const removed = isDirectory ? fs.rmdir(root, path) : fs.unlink(root, path);
  if (removed >= 0 && !isDirectory) unlinked(key);
  return removed < 0 ? { call: isDirectory ? 'rmdir' : 'unlink', errno: -removed } : undefined;
}

export function listDirectory(store: Store, key: PathKey): readonly DirectoryEntry[] | CallFailure {
  const { fs, root } = store;
  const flags = fsc.O_RDONLY | fsc.O_DIRECTORY | fsc.O_NOATIME;
  const fd = fs.open(root, pathOf(key), flags, 0);
  if (fd < 0) return { call: 'open', errno: -fd };
  const entries = fs.list(fd);
  fs.close(fd);
  return typeof entries === 'number' ? { call: 'getdents', errno: -entries } : entries;
}
