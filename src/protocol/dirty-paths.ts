/** Which paths of two copies can differ after a change that only one of them has. */
import type { Change, Path } from './change.ts';

/**
 * `self`: what is known of the path itself but its content; `tree`: everything at and below it.
 * `region`: of a directory, itself and what is directly in it, but for the content of files that are
 * or were {@link SMALL_FILE_BYTES} or larger, and for what is in the directories in it.
 */
export type DirtyExtent = 'self' | 'tree' | 'region';

export const DIRTY_EXTENTS: readonly DirtyExtent[] = ['self', 'tree', 'region'];

/** By path, one character per byte. */
export type DirtyPaths = ReadonlyMap<string, DirtyExtent>;

/** Smaller ones are compared as a whole with whatever else is in their directory. */
export const SMALL_FILE_BYTES = 1024 * 1024;

/**
 * Each path that the change makes differ, and how much of it. Of a file with several names it makes
 * all differ, and only one of them is known here. The times of directories are not looked at.
 */
export function dirtiedBy(
  change: Change,
  dirtied: (path: Path, extent: Exclude<DirtyExtent, 'region'>) => void,
): void {
  switch (change.type) {
    case 'sync':
      return;
    case 'attributes':
    case 'setxattr':
    case 'removexattr':
      return dirtied(change.path, 'self');
    case 'rename':
      dirtied(change.from, 'tree');
      return dirtied(change.path, 'tree');
    case 'link':
      dirtied(change.existing, 'tree');
      return dirtied(change.path, 'tree');
    default:
      return dirtied(change.path, 'tree');
  }
}

/** What either of two says. */
export function unitedPaths(a: DirtyPaths, b: DirtyPaths): DirtyPaths {
  const all = new Map(a);
  for (const [key, extent] of b) {
    const known = all.get(key);
    // A region and a path of its own attributes: the region has those of the directory itself, too.
    if (known === undefined || extent === 'tree' || known === 'self') all.set(key, extent);
  }
  return all;
}
