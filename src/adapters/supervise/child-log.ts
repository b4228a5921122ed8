/** Files for the output of children: appended to, and never longer than a bound. */
import { closeSync, constants, copyFileSync, fstatSync, ftruncateSync, openSync } from 'node:fs';

export const LOG_BYTES_MAX = 4 * 1024 * 1024;

/** Opens for appending, so that the file may be cut off under its writers. */
export function openLog(path: string): number {
  const flags = constants.O_CREAT | constants.O_APPEND | constants.O_WRONLY | constants.O_NOFOLLOW;
  return openSync(path, flags, 0o600);
}

/** When it is too long: keeps a copy in `PATH.1` and starts it anew. */
export function trimLog(path: string): void {
  const fd = openLog(path);
  try {
    if (fstatSync(fd).size <= LOG_BYTES_MAX) return;
    copyFileSync(path, `${path}.1`);
    ftruncateSync(fd, 0);
  } finally {
    closeSync(fd);
  }
}
