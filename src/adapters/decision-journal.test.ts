/** The recording on disk: whole lines in order, bounded, and its end told once. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { must } from '../base/assert.ts';
import type { Log } from '../ports/log.ts';
import type { RecordingText } from '../ports/recording.ts';
import { readRecordingFile, readRecordings, saveRecording } from './decision-files.ts';
import { type JournalLimits, openDecisionJournal } from './decision-journal.ts';

const HEAD = '{"head":1}\n';
const WAIT = { timeout: 20_000, interval: 5 };

let folder: string;
let stops: string[];

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'tako-decisions-')), 'decisions');
  stops = [];
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

const log: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function open(limits: Partial<JournalLimits> = {}) {
  return openDecisionJournal({
    folder,
    head: HEAD,
    log,
    stopped: (reason) => void stops.push(reason),
    limits: { freeBytesMin: 0, ...limits },
  });
}

async function linesOf(recording: RecordingText | undefined): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of must(recording, 'there is one').lines) lines.push(line);
  return lines;
}

test('what was handed over is there after the end, in order, for its owner only', async () => {
  const journal = open();
  for (const line of ['a', 'b', 'c']) journal.write(`${line}\n`);
  await journal.close();
  const [recording, ...others] = readRecordings(folder);
  expect(await linesOf(recording)).toEqual(['{"head":1}', 'a', 'b', 'c']);
  expect(others).toEqual([]);
  const [name] = readdirSync(folder);
  expect(statSync(join(folder, name ?? '')).mode & 0o777).toBe(0o600);
});

test('each life of control has a recording of its own, the newest comes first', async () => {
  for (const line of ['old', 'new']) {
    const journal = open();
    journal.write(`${line}\n`);
    await journal.close();
  }
  const all = readRecordings(folder);
  expect(await Promise.all(all.map(linesOf))).toEqual([
    ['{"head":1}', 'new'],
    ['{"head":1}', 'old'],
  ]);
});

test('full segments are compressed and read as one; beyond the bound the oldest go', async () => {
  const journal = open({ segmentBytesMax: 1000, bytesMax: 2500 });
  const line = (n: number): string => `${String(n).padStart(4, '0')}${'x'.repeat(95)}\n`;
  for (let n = 0; n < 60; n += 1) {
    journal.write(line(n));
    const count = n + 1;
    if (count % 10 !== 0) continue;
    // A segment is full by now, and the next one begun.
    await vi.waitUntil(
      () => readdirSync(folder).some((name) => nameOf(count / 10 + 1, name)),
      WAIT,
    );
  }
  await journal.close();
  expect(stops).toEqual([]);
  const names = readdirSync(folder).toSorted();
  expect(names.some((name) => name.endsWith('.gz'))).toBe(true);
  const lines = await linesOf(readRecordings(folder)[0]);
  expect(lines[0]).toBe('{"head":1}');
  expect(lines.at(-1)).toBe(line(59).trimEnd());
  const numbers = lines.slice(1).map((text) => Number(text.slice(0, 4)));
  const first = must(numbers[0], 'some are left');
  expect(numbers).toEqual(Array.from({ length: 60 - first }, (_, index) => first + index));
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(bytes).toBeLessThan(2500);
});

function nameOf(segment: number, name: string): boolean {
  return name.startsWith(`000001-${String(segment).padStart(4, '0')}`);
}

test('a torn last line is left out', async () => {
  const journal = open();
  journal.write('whole\n');
  await journal.close();
  const path = join(folder, must(readdirSync(folder)[0], 'a file'));
  writeFileSync(path, `${readFileSync(path, 'utf8')}{"told":{"typ`);
  expect(await linesOf(readRecordings(folder)[0])).toEqual(['{"head":1}', 'whole']);
});

test('a disk that does not keep up ends the recording, once, and nothing else', async () => {
  const journal = open({ queueBytesMax: 10 });
  for (const line of ['1234567890', 'more', 'and more']) journal.write(`${line}\n`);
  await vi.waitUntil(() => stops.length > 0, WAIT);
  await journal.close();
  expect(stops).toEqual(['the disk does not keep up']);
});

test('the last room on a disk is left to the votes', async () => {
  const journal = open({ freeBytesMin: Number.MAX_SAFE_INTEGER });
  await vi.waitUntil(() => stops.length > 0, WAIT);
  journal.write('line\n');
  await journal.close();
  expect(stops[0]).toMatch(/^only \d+ MiB are free, and these are left to the votes$/u);
  expect(readdirSync(folder)).toEqual([]);
});

test('recordings of a newer release stay untouched, and are refused', async () => {
  await open().close();
  const newer = join(folder, '000009-0001.v9.ndjson');
  writeFileSync(newer, 'of another form');
  await open({ bytesMax: 1, filesMax: 1 }).close();
  expect(readFileSync(newer, 'utf8')).toBe('of another form');
  for (const name of readdirSync(folder)) if (!name.includes('.v9.')) rmSync(join(folder, name));
  expect(() => readRecordings(folder)).toThrow('it has version 9, this release knows up to 1');
});

test.each(['saved.ndjson', 'saved.ndjson.gz'])('%s is what was recorded', async (name) => {
  const journal = open();
  journal.write('a line\n');
  await journal.close();
  const file = join(folder, '..', name);
  await saveRecording(must(readRecordings(folder)[0], 'there is one'), file);
  expect(await linesOf(readRecordingFile(file))).toEqual(['{"head":1}', 'a line']);
  await expect(saveRecording(must(readRecordings(folder)[0], ''), file)).rejects.toThrow('EEXIST');
});

test('a file that is not there is named', async () => {
  await expect(linesOf(readRecordingFile('/nowhere/x.gz'))).rejects.toThrow('/nowhere/x.gz');
  expect(readRecordings('/nowhere')).toEqual([]);
});
