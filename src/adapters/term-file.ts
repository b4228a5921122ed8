/**
 * `STATEDIR/promised-term.json`: how long a promise of this member may bind at most. The next heart
 * here, perhaps with a shorter lease in its settings, keeps quiet for so long, because it does not
 * know to whom the former one had given its word.
 *
 * A file that cannot be read stands for the longest term that there is: that costs a pause, and
 * nothing else.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import { TERM_MS_MAX } from '../protocol/packet.ts';
import { errnoCode } from './errno-code.ts';
import { replaceFile, replaceFileSync } from './replace-file.ts';

const VERSION = 1;

export function termPath(stateDir: string): string {
  return join(stateDir, 'promised-term.json');
}

/** 0 when there is none. For the start of a process that must not have threads. */
export function readTermSync(path: string, log: Log): number {
  try {
    return parseTerm(readFileSync(path, 'utf8'));
  } catch (error) {
    return unreadable(path, error, log);
  }
}

export async function readTerm(path: string, log: Log): Promise<number> {
  try {
    return parseTerm(await readFile(path, 'utf8'));
  } catch (error) {
    return unreadable(path, error, log);
  }
}

/** On stable storage when it returns. */
export function writeTermSync(path: string, termMs: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFileSync(path, textOf(termMs));
}

/** On stable storage when it resolves; not to be called again before. */
export async function writeTerm(path: string, termMs: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(path, textOf(termMs));
}

function textOf(termMs: number): string {
  return `${JSON.stringify({ version: VERSION, termMs })}\n`;
}

function parseTerm(text: string): number {
  const value = JSON.parse(text) as {
    readonly version?: unknown;
    readonly termMs?: unknown;
  } | null;
  const { version, termMs } = value ?? {};
  const good = typeof termMs === 'number' && termMs >= 0 && termMs <= TERM_MS_MAX;
  if (version !== VERSION || !good) throw new Error('it is not what Tako wrote there');
  return termMs;
}

function unreadable(path: string, error: unknown, log: Log): number {
  if (errnoCode(error) === 'ENOENT') return 0;
  const next = `it keeps quiet as a voter for ${TERM_MS_MAX / 1000} s; look at the disk`;
  log.error('what was promised before is not known', { path, error: messageOf(error), next });
  return TERM_MS_MAX;
}
