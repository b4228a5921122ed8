/** Makes a cluster key. Reading one is the matter of `tls-psk.ts`. */
import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { messageOf, TakoError } from '../../base/tako-error.ts';

const KEY_BYTES = 32;

/** Writes a new random key to `file`, mode 0600. Never replaces a file that exists. */
export function createClusterKey(file: string): void {
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (error) {
    throw unusable(file, error);
  }
  try {
    // The mode given to open(2) is cut by the umask, and a key is 0600, no less.
    fchmodSync(fd, 0o600);
    writeSync(fd, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
    fsyncSync(fd);
  } catch (error) {
    // Half a key must not be taken for one.
    rmSync(file, { force: true });
    throw unusable(file, error);
  } finally {
    closeSync(fd);
  }
}

function unusable(file: string, cause: unknown): TakoError {
  const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
  return new TakoError(
    'key-unusable',
    exists
      ? `Cannot make the cluster key "${file}": the file exists, and replacing it would cut this node off`
      : `Cannot make the cluster key "${file}": ${messageOf(cause)}`,
    {
      next: exists
        ? 'Choose another name, or move the old key away first'
        : 'Check that the folder exists and that you may write there',
      cause,
    },
  );
}
