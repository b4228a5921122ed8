/** Reads a file that somebody saved for a command: the state of a cluster, of any size in reason. */
import { open } from 'node:fs/promises';
import { TakoError, messageOf } from '../base/tako-error.ts';

/** The state of a thousand nodes with ten thousand groups has some ten. */
const BYTES_MAX = 256 * 1024 * 1024;

export async function readSavedText(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > BYTES_MAX) throw new Error(`it has ${size} bytes, at most ${BYTES_MAX} are read`);
      return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new TakoError('bad-request', `Cannot read "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Check the name, and that it is a text file',
    });
  }
}
