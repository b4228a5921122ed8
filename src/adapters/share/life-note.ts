/**
 * `STATEDIR/share-life.json`: the last life of this node on the share, noted before it writes there. One
 * that cannot be read stands for lives of which any write may still come: that costs a pause.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { SeatId } from '../../protocol/ids.ts';
import type { NotedLife } from '../../protocol/share-life.ts';
import { errnoCode } from '../errno-code.ts';
import { replaceFile } from '../replace-file.ts';

const VERSION = 1;

export function lifeNotePath(stateDir: string): string {
  return join(stateDir, 'share-life.json');
}

export async function readLifeNote(path: string): Promise<NotedLife | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (errnoCode(cause) === 'ENOENT') return undefined;
    throw new TakoError('share-unusable', `Cannot read "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Look at the disk of this node',
    });
  }
  return parse(text);
}

/** On stable storage when it resolves; not to be called again before. */
export async function writeLifeNote(path: string, note: NotedLife): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await replaceFile(path, `${JSON.stringify({ version: VERSION, ...note })}\n`);
  } catch (cause) {
    throw new TakoError('share-unusable', `Cannot write "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Make room on the disk of this node; without that note it does not vote on the share',
    });
  }
}

/** Undefined for what no release up to this one wrote. */
function parse(text: string): NotedLife | undefined {
  let value: Partial<Record<string, unknown>> | null;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  const { version, seat, life, open } = value ?? {};
  if (version !== VERSION || typeof seat !== 'string' || !isCount(life)) return undefined;
  if (!Array.isArray(open) || !open.every(isCount)) return undefined;
  return { seat: seat as SeatId, life, open };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
