/** An empty {@link FileStat} for the file system to fill in. */
import type { FileStat } from '../../ports/file-system.ts';

export function newStat(): FileStat {
  return {
    ino: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    device: 0,
    volume: 0,
    size: 0,
    blocks: 0,
    blockSize: 0,
    accessed: { seconds: 0, nanoseconds: 0 },
    modified: { seconds: 0, nanoseconds: 0 },
    changed: { seconds: 0, nanoseconds: 0 },
  };
}
