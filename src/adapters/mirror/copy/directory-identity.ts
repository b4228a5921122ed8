/**
 * Which directory a copy is in, whatever it is mounted from: by the inode of its top and the time at
 * which that was made, zero where the file system does not keep it. A file system that is not mounted,
 * an empty or a replaced disk, a restored backup differ in them; a device that changed its name, or an
 * image of the whole disk, does not.
 *
 * A person vouches for another directory by one word in a file beside the note:
 *
 *     complete   it has everything that the former one had
 *     refill     whatever is in it may be overwritten: the other copies have everything
 */
import { fstatSync, readFileSync, rmSync } from 'node:fs';
import { messageOf, TakoError } from '../../../base/tako-error.ts';
import { errnoCode } from '../../errno-code.ts';

export type Vouched = 'complete' | 'refill';

export function directoryIdentity(fd: number): string {
  const { birthtimeNs, ino } = fstatSync(fd, { bigint: true });
  return `inode ${ino} made ${birthtimeNs}`;
}

export function vouchPath(noteFile: string): string {
  return `${noteFile.replace(/\.json$/u, '')}.new-directory`;
}

/** What a person said of the directory; undefined when nobody did. Throws for any other word. */
export function readVouched(noteFile: string): Vouched | undefined {
  const path = vouchPath(noteFile);
  const word = tryRead(path)?.trim();
  if (word === undefined || word === 'complete' || word === 'refill') return word;
  throw new TakoError(
    'mirror-path',
    `Cannot use "${path}": it says neither "complete" nor "refill"`,
    {
      next: 'Write one of these words into it',
    },
  );
}

/** It was heeded: the next time it has to be said again. */
export function forgetVouched(noteFile: string): void {
  rmSync(vouchPath(noteFile), { force: true });
}

export function anotherDirectory(noteFile: string): TakoError {
  const what = 'Cannot use the directory of the mirror: it is not the one that the copy was in';
  const path = vouchPath(noteFile);
  return new TakoError('mirror-path', `${what}; its file system may not be mounted`, {
    next:
      `Mount it. If this directory has taken its place, write into "${path}": "complete" when it ` +
      'has everything that the former one had, "refill" when another copy is to fill it',
  });
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoCode(cause) === 'ENOENT') return undefined;
    throw new TakoError('store-failed', `Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}
