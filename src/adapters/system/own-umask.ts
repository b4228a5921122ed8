/**
 * Gives the calling thread a umask of its own, which is zero, so that new objects get exactly the
 * mode that is asked for, and no other thread's files do.
 */
import { TakoError } from '../../base/tako-error.ts';
import { errorName } from './errno.ts';
import { lastError, libc } from './libc.ts';

const CLONE_FS = 0x200;

/** For threads that create files of a mirror. Working directory and umask no longer follow the process. */
export function clearOwnUmask(): void {
  if (libc.unshare(CLONE_FS) < 0) {
    throw new TakoError(
      'system-call',
      `Cannot give the thread a umask of its own: unshare(CLONE_FS) says ${errorName(lastError())}`,
    );
  }
  libc.umask(0);
}
