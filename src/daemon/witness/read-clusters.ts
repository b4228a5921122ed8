/** Has the files of the witness read by a process of its own (`../witness-reader.ts`). */
import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { WitnessReading } from '../../protocol/witness.ts';

const READER_MS = 30_000;
/** Of all clusters together. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

interface Answer {
  readonly reading?: WitnessReading;
  readonly unusable?: { readonly message: string; readonly next?: string };
}

/** Rejects with a TakoError when the directory as a whole cannot be read. */
export async function readClusters(directory: string): Promise<WitnessReading> {
  const answer = JSON.parse(await runReader(directory)) as Answer;
  const { reading, unusable } = answer;
  if (reading !== undefined) return reading;
  const { message, next } = unusable ?? { message: `Cannot read "${directory}"` };
  throw new TakoError('config-unreadable', message, { next });
}

function runReader(directory: string): Promise<string> {
  const own = fileURLToPath(import.meta.url);
  const program = fileURLToPath(new URL(`../witness-reader${extname(own)}`, import.meta.url));
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      const text = `Cannot read the clusters in "${directory}": ${why}`;
      reject(new TakoError('config-unreadable', text, { next: 'Look at the lines before' }));
    };
    const child = spawn(process.execPath, [program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // Its code is no part of the witness's cache.
      env: { ...process.env, NODE_COMPILE_CACHE: undefined },
      timeout: READER_MS,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.once('error', (error) => fail(messageOf(error)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'));
      else fail(`the reader ended with ${signal ?? `code ${code ?? 'unknown'}`}`);
    });
  });
}
