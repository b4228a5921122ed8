/**
 * What takes long and must not hold up the applying of changes: reads for digests and syncs, on
 * libuv's threads, and the sync of a whole file system elsewhere, for it may take minutes, which
 * would keep one of libuv's few threads from everybody else. Results as in
 * src/ports/file-system.ts: a count or zero, or a negated error number.
 */
import { execFile } from 'node:child_process';
import { fdatasync, fsync, read } from 'node:fs';
import type { Fd } from '../../../ports/file-system.ts';
import { EIO } from './store.ts';

export interface Background {
  read(fd: Fd, into: Uint8Array, offset: number): Promise<number>;
  sync(fd: Fd, dataOnly: boolean): Promise<number>;
  /** syncfs(2) of the file system that `fd` is on. */
  syncVolume(fd: Fd): Promise<number>;
}

/** `syncVolume` as the caller does it; without one, by a child process. */
export function backgroundOf(syncVolume = syncByChild): Background {
  return { ...onThreads, syncVolume };
}

const onThreads: Omit<Background, 'syncVolume'> = {
  read: (fd, into, offset) =>
    new Promise((resolve) => {
      read(fd, into, 0, into.length, offset, (error, count) => {
        resolve(error === null ? count : negated(error));
      });
    }),
  sync: (fd, dataOnly) =>
    new Promise((resolve) => {
      const call = dataOnly ? fdatasync : fsync;
      call(fd, (error) => resolve(error === null ? 0 : negated(error)));
    }),
};

/** coreutils' `sync -f` is syncfs(2). */
function syncByChild(fd: Fd): Promise<number> {
  return new Promise((resolve) => {
    execFile('sync', ['-f', `/proc/${process.pid}/fd/${fd}`], (error) => {
      resolve(error === null ? 0 : -EIO);
    });
  });
}

function negated(error: NodeJS.ErrnoException): number {
  return error.errno === undefined ? -EIO : -Math.abs(error.errno);
}
