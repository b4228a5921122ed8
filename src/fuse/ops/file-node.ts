/**
 * What is known of one inode of the store that the kernel, or we ourselves, refer to.
 *
 * - `names` are the names that are known, not all that there are: a hard link that nobody has
 *   looked up yet is missing. Every name in it is right, for all changes pass through us.
 * - An inode without any name left is an orphan: it lives as long as somebody has it open. It is
 *   reached through a descriptor, as is one whose only known name went away while others remain.
 */
import type { Path } from '../../protocol/change.ts';
import type { Fd } from '../../ports/file-system.ts';
import { S_IFDIR, S_IFMT } from '../wire/flags.ts';

/** In place of a descriptor where there is none. */
export const NO_FD: Fd = -1;

export interface NodeName {
  readonly parent: FileNode;
  readonly name: Uint8Array;
}

export class FileNode {
  /** What the kernel calls it; never used twice. */
  readonly id: number;
  /** Of the store. */
  readonly ino: number;
  /** Type and permissions, always the present ones. */
  mode: number;
  /** How many references the kernel holds. */
  lookups = 0;
  /** How many names of other nodes are in this directory. */
  children = 0;
  names: NodeName[] = [];
  isOrphan = false;
  /** Its remaining hard links are not in the mirror: that was looked up, and need not be again. */
  isOutside = false;

  /** How many open files share `fd`. */
  opens = 0;
  /** For data, and for everything while there is no name. */
  fd: Fd = NO_FD;
  isWritable = false;
  /** Replaced by a writable one; may be in use by a sync under way until the last file is closed. */
  readonly retired: Fd[] = [];
  /** O_PATH, where there is neither name nor `fd`. */
  anchor: Fd = NO_FD;

  /** Whether new objects in this directory inherit an ACL; undefined when not looked up yet. */
  hasDefaultAcl: boolean | undefined;

  /** Holds while `pathEra` is that of the table. */
  path: Path | undefined;
  pathEra = 0;

  constructor(id: number, ino: number, mode: number) {
    this.id = id;
    this.ino = ino;
    this.mode = mode;
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
}
