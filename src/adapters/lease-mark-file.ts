/**
 * Lease marks as files on tmpfs: written in place, 40 bytes at offset 0, through a descriptor that
 * stays open, so that a renewal is one short system call. The format is `src/protocol/lease-mark.ts`.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { GroupId } from '../protocol/ids.ts';
import { decodeLeaseMark, encodeLeaseMark, type LeaseMark } from '../protocol/lease-mark.ts';

const GROUPS_MAX = 1024;

/** As the heart wrote it last. Undefined when there is none that can be read: that is no lease. */
export function readLeaseMark(runDir: string, group: GroupId): LeaseMark | undefined {
  try {
    return decodeLeaseMark(readFileSync(join(runDir, 'lease', group)));
  } catch {
    // Unreadable is like missing.
    return undefined;
  }
}

export class LeaseMarkFiles {
  readonly #directory: string;
  readonly #files = new Map<GroupId, number>();

  constructor(runDir: string) {
    this.#directory = join(runDir, 'lease');
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  write(group: GroupId, mark: LeaseMark): void {
    let fd = this.#files.get(group);
    if (fd === undefined) {
      assert(!group.includes('/') && !group.startsWith('.'), 'names of groups are file names');
      assert(this.#files.size < GROUPS_MAX, 'a cluster has fewer groups');
      const flags = constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW;
      fd = openSync(join(this.#directory, group), flags, 0o600);
      this.#files.set(group, fd);
    }
    writeSync(fd, encodeLeaseMark(mark), 0, undefined, 0);
  }

  /** Closes and removes them: no file means no lease. */
  remove(): void {
    for (const [group, fd] of this.#files) {
      closeSync(fd);
      rmSync(join(this.#directory, group), { force: true });
    }
    this.#files.clear();
  }
}
