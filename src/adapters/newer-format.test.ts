/** Files of newer releases are refused and stay as they are, to the last byte. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Log } from '../ports/log.ts';
import type { MirrorId, NodeId } from '../protocol/ids.ts';
import { decodeLeaseMark, encodeLeaseMark } from '../protocol/lease-mark.ts';
import type { Epoch } from '../protocol/ids.ts';
import { instant } from '../base/time.ts';
import { readReport } from '../protocol/report.ts';
import { systemClock } from './clock.ts';
import { openEventLog } from './event-log.ts';
import { FileCopyNote } from './mirror/copy/copy-note.ts';
import { encodeCommit, encodeFile, encodeFrame } from './record-log-format.ts';
import { openRecordLog } from './record-log.ts';

/** An `acceptor.log` of the release before there were versions: group `g`, `{n: 7}`. */
const FIRST_RELEASE = [
  '54414b4f4c4f47311c0000003b378b3be14d6bdd7b2267656e65726174696f6e223a312c22696422',
  '3a2230306666227d20000000227076815bb7c4777b22736571223a312c2270757473223a5b5b2267',
  '222c7b226e223a377d5d5d7d',
].join('');

let directory = '';
let said: string[] = [];
const note = (message: string, fields?: object): void => {
  said.push(`${message} ${JSON.stringify(fields ?? {})}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tako-newer-'));
  said = [];
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (path: string) => openRecordLog({ path, log, decode: (value) => value as object });

test('the votes of a newer release', async () => {
  const path = join(directory, 'acceptor.log');
  const bytes = Buffer.concat([
    Buffer.from('TAKOLOG1', 'latin1'),
    encodeFrame({ generation: 4, id: 'abc', version: 2 }),
    Buffer.from('frames of a form that is yet to be thought of'),
  ]);
  // The other file may be of the old form still: the newer release was stopped half-way.
  const old = encodeFile({ generation: 3, id: 'abc' }, [['g', { n: 1 }]]);
  writeFileSync(path, bytes);
  writeFileSync(`${path}.2`, old);
  await expect(open(path)).rejects.toMatchObject({
    code: 'version-unsupported',
    message: `Cannot use "${path}": it has version 2, this release knows up to 1`,
  });
  expect(readFileSync(path)).toEqual(bytes);
  expect(readFileSync(`${path}.2`)).toEqual(old);
});

test('votes as the first release wrote them, byte for byte, are read', async () => {
  const path = join(directory, 'acceptor.log');
  const file = Buffer.from(FIRST_RELEASE, 'hex');
  for (const name of [path, `${path}.2`]) {
    writeFileSync(name, Buffer.concat([file, encodeCommit(2, [['h', { n: 8 }]])]));
  }
  const store = await open(path);
  expect([...store.entries()]).toEqual([
    ['g', { n: 7 }],
    ['h', { n: 8 }],
  ]);
  await store.close();
});

test('the note of a copy', () => {
  const file = join(directory, 'g.m.json');
  const text = '{"version":2,"mirror":"g.m","state":"clean","epoch":3,"sequence":4,"more":1}\n';
  writeFileSync(file, text);
  const make = (): FileCopyNote =>
    new FileCopyNote({
      file,
      mirror: 'g.m' as MirrorId,
      store: { root: -1 } as never,
      background: { syncVolume: async () => 0 },
      log,
    });
  expect(make).toThrow(`Cannot use "${file}": it has version 2, this release knows up to 1`);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('events: the service goes on, with events in memory only', async () => {
  const path = join(directory, 'events.ndjson');
  const text = '{"version":2}\n{"id":[1],"what":"another form"}\n{"torn';
  writeFileSync(path, text);
  const events = openEventLog({ path, node: 'n1' as NodeId, clock: systemClock, log });
  events.append({ level: 'error', kind: 'test', text: 'it happened' });
  expect(events.latest(5)).toMatchObject([{ id: 1, text: 'it happened' }]);
  await events.close();
  expect(readFileSync(path, 'utf8')).toBe(text);
  expect(readdirSync(directory)).toEqual(['events.ndjson']);
  expect(existsSync(join(directory, 'events.1.ndjson'))).toBe(false);
  expect(said.join('\n')).toContain('version-unsupported');
});

test('a lease mark of another form is no lease', () => {
  const mark = { epoch: 3 as Epoch, validUntil: instant(1000), sleptMs: 0 };
  const bytes = encodeLeaseMark(mark);
  expect(decodeLeaseMark(bytes)).toEqual(mark);
  new DataView(bytes.buffer).setUint32(4, 1, true);
  expect(decodeLeaseMark(bytes)).toBeUndefined();
});

test('a report of another form is turned down with the reason', () => {
  expect(readReport({ type: 'health', health: 'ok', version: 1 })).toMatchObject({ health: 'ok' });
  expect(readReport({ type: 'health', health: 'ok', version: 2 })).toContain('"version" is not 1');
});
