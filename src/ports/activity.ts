/**
 * What is on stable storage before the mirrored directory is changed: in which parts of it something may
 * have changed. Called with the stream's lock held, before the change is made on the store; whoever
 * calls makes the change only if the answer is zero, and otherwise fails with it (a negated error number).
 */
import type { Path } from '../protocol/change.ts';

export interface Activity {
  /** What `path` names, or attributes of that. */
  entry(path: Path): number;
  /** A directory is made there. */
  directory(path: Path): number;
  /** Everything at and below it; more than one of its files is meant where a change moves a directory. */
  tree(path: Path): number;
  /** Whether content up to `end` may change there without asking for {@link content}. Quick. */
  knowsContent(path: Path, end: number): boolean;
  /** Content of a file whose size, before or after, is `size` at most. */
  content(path: Path, size: number): number;
  /** A file loses one of several names: what was changed through it is changed under others. */
  everything(): number;
}

/** For a directory that nobody else has a copy of. */
export const NO_ACTIVITY: Activity = {
  entry: () => 0,
  directory: () => 0,
  tree: () => 0,
  knowsContent: () => true,
  content: () => 0,
  everything: () => 0,
};
