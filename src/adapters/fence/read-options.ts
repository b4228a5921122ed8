/** Reads a file of options for a fence: passwords, which nobody else may be able to read. */
import { readFile, stat } from 'node:fs/promises';
import { TakoError, messageOf } from '../../base/tako-error.ts';

/** More than any fence needs. */
const BYTES_MAX = 64 * 1024;

export async function readFenceOptions(path: string): Promise<string> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new TakoError('fence-failed', `"${path}" can be read by others than its owner`);
    }
    if (size > BYTES_MAX) throw new TakoError('fence-failed', `"${path}" is too long`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof TakoError) throw error;
    throw new TakoError('fence-failed', `"${path}" cannot be read: ${messageOf(error)}`);
  }
}
