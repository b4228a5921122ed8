/** Asks the witness of this machine, over its local socket: one question, its answer, the end. */
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { FromWitness, ToWitness } from '../protocol/witness.ts';
import { encodeLine, LineReader } from './line-codec.ts';

/** A reload reads all files; more than that is no answer. */
const ANSWER_MS = 60_000;

/** All lines of the answer, the one of `last` at the end. */
export function askWitness(
  runDir: string,
  question: ToWitness,
  last: FromWitness['type'],
): Promise<readonly FromWitness[]> {
  const path = join(runDir, 'witness.sock');
  return new Promise((resolve, reject) => {
    const answer: FromWitness[] = [];
    const socket = createConnection(path);
    const end = (error?: TakoError): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(answer);
      else reject(error);
    };
    const timer = setTimeout(() => {
      end(new TakoError('timed-out', `No answer from the witness at "${path}" in time`));
    }, ANSWER_MS);
    const lines = new LineReader((value) => {
      const line = value as FromWitness;
      answer.push(line);
      if (line.type === last) end();
    });
    socket.on('connect', () => socket.write(encodeLine(question) ?? ''));
    socket.on('data', (chunk: Buffer) => {
      const wrong = lines.push(chunk);
      if (wrong !== undefined)
        end(new TakoError('internal', `The witness said nonsense: ${wrong}`));
    });
    socket.on('error', (error) => end(unreachable(path, error)));
    socket.on('close', () => end(unreachable(path, new Error('it closed the connection'))));
  });
}

function unreachable(path: string, error: NodeJS.ErrnoException): TakoError {
  if (error.code === 'EACCES') {
    return new TakoError('not-root', `Cannot speak to the witness at "${path}": not permitted`, {
      next: 'Run the same command with sudo',
    });
  }
  return new TakoError(
    'not-running',
    `Cannot reach the witness at "${path}": ${messageOf(error)}`,
    { next: 'Start it with "systemctl start tako-witness", or name its --run-dir' },
  );
}
