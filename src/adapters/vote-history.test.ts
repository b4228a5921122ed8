import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { instant } from '../base/time.ts';
import type { Log } from '../ports/log.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { openVoteHistory } from './vote-history.ts';

const G = 'g' as GroupId;

let folder: string;
let path: string;
let said: string[];
let now: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tako-votes-'));
  path = join(folder, 'votes.ndjson');
  said = [];
  now = 1000;
});
afterEach(() => rmSync(folder, { recursive: true }));

function open(file: string | undefined): ReturnType<typeof openVoteHistory> {
  const note = (text: string): void => void said.push(text);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const clock = { now: () => instant(now), wallTime: () => '' };
  return openVoteHistory({ path: file, node: 'n1' as NodeId, clock, log });
}

test('nobody asks: nothing is kept and nothing is said', () => {
  expect(open(undefined)).toBeUndefined();
  expect(open('')).toBeUndefined();
  expect(said).toEqual([]);
});

test('each note is a line that is there at once; a second life goes on behind the first', () => {
  const first = open(path);
  now = 1001.5;
  first?.(G, { type: 'began', vote: 1 });
  const lines = (): unknown[] =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  const begun = { at: 1001.5, node: 'n1', group: 'g', type: 'began', vote: 1 };
  expect(lines()).toEqual([{ ...begun, run: `n1/${process.pid}/1000` }]);
  now = 2000;
  open(path)?.(G, { type: 'began', vote: 1 });
  const again = { ...begun, at: 2000, run: `n1/${process.pid}/2000` };
  expect(lines()).toEqual([expect.anything(), again]);
});

test('a history that cannot be written ends, says so once, and harms nobody', () => {
  const keep = open('/dev/full');
  said = [];
  keep?.(G, { type: 'began', vote: 1 });
  keep?.(G, { type: 'ended', vote: 1 });
  expect(said).toEqual(['the history of votes ends here']);
});
