/**
 * Advisory whole-file locks, flock(2), which Node.js does not offer. The kernel releases one when
 * its holder ends, however it ends, so that none is ever stale.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { TakoError, messageOf } from '../base/tako-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const { EINTR, EWOULDBLOCK } = koffi.os.errno as Record<string, number | undefined>;
const ATTEMPTS_MAX = 100;

export interface FileLock {
  release(): void;
}

let flock: ((fd: number, operation: number) => number) | undefined;

/** Locks the file (made if need be), or returns undefined when someone else has it. */
export function tryLockFile(path: string): FileLock | undefined {
  flock ??= koffi.load('libc.so.6').func('int flock(int fd, int operation)');
  const fd = openForLock(path);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return { release: () => closeSync(fd) };
    const errno = koffi.errno();
    if (errno === EINTR) continue;
    closeSync(fd);
    if (errno === EWOULDBLOCK) return undefined;
    throw new TakoError('system-call', `Cannot lock "${path}": flock failed with errno ${errno}`);
  }
  closeSync(fd);
  throw new TakoError('system-call', `Cannot lock "${path}": interrupted again and again`);
}

function openForLock(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new TakoError('system-call', `Cannot open "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Check that its directory exists and is writable',
    });
  }
}
