/** A disk that is full ends the recording and nothing else; what was recorded before stays readable. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { must } from '../base/assert.ts';
import type { Log } from '../ports/log.ts';
import { readRecordings } from './decision-files.ts';
import { openDecisionJournal } from './decision-journal.ts';

const WAIT = { timeout: 20_000, interval: 5 };
const DISK_BYTES = 256 * 1024;

let disk: string;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'tako-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk]);
});
afterEach(() => {
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

const silent = (): undefined => undefined;
const log: Log = { debug: silent, info: silent, warn: silent, error: silent };

function open(stops: string[]) {
  return openDecisionJournal({
    folder: join(disk, 'decisions'),
    head: 'head\n',
    log,
    stopped: (reason) => void stops.push(reason),
    limits: { freeBytesMin: 0 },
  });
}

async function lines(): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const line of must(readRecordings(join(disk, 'decisions'))[0], 'one').lines) {
    all.push(line);
  }
  return all;
}

test('a full disk ends it with its reason; what was whole is read', async () => {
  const stops: string[] = [];
  const journal = open(stops);
  const line = 'x'.repeat(1000);
  await vi.waitUntil(() => {
    for (let each = 0; each < 20; each += 1) journal.write(`${line}\n`);
    return stops.length > 0;
  }, WAIT);
  journal.write('more\n');
  await journal.close();
  expect(stops).toHaveLength(1);
  expect(stops[0]).toMatch(/ENOSPC|nothing more could be written/u);
  const [head, ...rest] = await lines();
  expect(head).toBe('head');
  expect(rest.length).toBeGreaterThan(100);
  expect(rest.every((each) => each === line)).toBe(true);
});

test('the next life of control records again once there is room', async () => {
  writeFileSync(join(disk, 'filler'), '');
  execFileSync('sh', [
    '-c',
    `head -c ${2 * DISK_BYTES} /dev/zero > ${join(disk, 'filler')} 2>/dev/null || true`,
  ]);
  const stops: string[] = [];
  await open(stops).close();
  await vi.waitUntil(() => stops.length > 0, WAIT);
  expect(stops[0]).toContain('ENOSPC');
  rmSync(join(disk, 'filler'));
  const journal = open(stops);
  journal.write('again\n');
  await journal.close();
  expect(stops).toHaveLength(1);
  expect(await lines()).toEqual(['head', 'again']);
  expect(readdirSync(disk)).toEqual(['decisions']);
});
