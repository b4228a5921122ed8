/** Which paths of two copies can differ after a change that only one of them has. */
import type { Change, Path } from './change.ts';

/** `self`: what is known of the path itself but its content; `tree`: everything at and below it. */
export type DirtyExtent = 'self' | 'tree';

/** By path, one character per byte. */
export type DirtyPaths = ReadonlyMap<string, DirtyExtent>;

/**
 * Each path that the change makes differ, and how much of it. Of a file with several names it makes
 * all differ, and only one of them is known here. The times of directories are not looked at.
 */
export function dirtiedBy(
  change: Change,
  dirtied: (path: Path, extent: DirtyExtent) => void,
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
