import { appendFile, mkdtemp, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventStore } from '../ports/event-store.ts';
import type { Log } from '../ports/log.ts';
import type { EventDraft, TakoEvent } from '../protocol/event.ts';
import type { NodeId } from '../protocol/ids.ts';
import { systemClock } from './clock.ts';
import { openEventLog } from './event-log.ts';

let directory = '';
let path = '';
let lines: string[] = [];
const note = (message: string, fields?: object): void => {
  lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
};
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tako-events-'));
  path = join(directory, 'events.ndjson');
  lines = [];
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function open(fileBytesMax?: number): EventStore {
  return openEventLog({ path, node: 'n1' as NodeId, clock: systemClock, log, fileBytesMax });
}

function draft(text: string): EventDraft {
  return { level: 'info', kind: 'test', text };
}

function texts(events: readonly TakoEvent[]): readonly string[] {
  return events.map((event) => `${event.id} ${event.text}`);
}

describe('the event log', () => {
  it('numbers events over restarts and gives them back', async () => {
    const first = open();
    const seen: TakoEvent[] = [];
    const end = first.subscribe((event) => seen.push(event));
    expect(first.append(draft('a'))).toMatchObject({ id: 1, node: 'n1', text: 'a' });
    first.append({ ...draft('b'), level: 'error', details: { x: 1 } });
    end();
    first.append(draft('c'));
    expect(texts(seen)).toEqual(['1 a', '2 b']);
    await first.close();
    const second = open();
    expect(second.latest(2)).toMatchObject([{ id: 2, details: { x: 1 } }, { id: 3 }]);
    second.append(draft('d'));
    expect(texts(second.latest(100))).toEqual(['1 a', '2 b', '3 c', '4 d']);
    expect(texts(second.since(1, 2))).toEqual(['2 b', '3 c']);
    expect(second.since(4, 10)).toEqual([]);
    expect(second.latest(0)).toEqual([]);
    await second.close();
    expect(lines).toEqual([]);
  });

  it('ignores a torn last line, wherever it is torn', async () => {
    const first = open();
    first.append(draft('a'));
    await first.close();
    const whole = (await stat(path)).size;
    await appendFile(path, await readFile(path));
    for (let size = (await stat(path)).size - 1; size > whole; size -= 1) {
      await truncate(path, size);
      const log2 = open();
      expect(texts(log2.latest(9))).toEqual(['1 a']);
      await log2.close();
      expect((await stat(path)).size).toBe(whole);
      await appendFile(path, (await readFile(path)).subarray(0, size - whole - 1));
    }
    await appendFile(path, 'no event\n{"id":"x"}\n');
    const third = open();
    third.append(draft('b'));
    expect(texts(third.latest(9))).toEqual(['1 a', '2 b']);
    await third.close();
    expect(lines.join()).toContain('no events');
  });

  it('is bounded: two files, the older one is replaced', async () => {
    const first = open(2000);
    for (let n = 1; n <= 100; n += 1) first.append(draft(`event ${n}`));
    expect(first.latest(100).length).toBe(100);
    await first.close();
    const older = await stat(join(directory, 'events.1.ndjson'));
    const newer = await stat(path);
    expect(older.size).toBeLessThanOrEqual(2000);
    expect(newer.size).toBeLessThanOrEqual(2000);
    const second = open(2000);
    const left = second.latest(100);
    expect(left.at(-1)?.id).toBe(100);
    expect(left.map((event) => event.id)).toEqual(
      Array.from({ length: left.length }, (_, i) => 101 - left.length + i),
    );
    second.append({ ...draft('x'.repeat(1e6)), details: { y: 'z'.repeat(1e6) } });
    await second.close();
    expect((await stat(path)).size).toBeLessThan(10_000);
  });

  it('goes on in memory when it cannot write', async () => {
    const store = open(300);
    for (let n = 0; n < 3; n += 1) store.append(draft('a'));
    await rm(directory, { recursive: true });
    for (let n = 0; n < 10; n += 1) store.append(draft('b'));
    expect(store.latest(50).length).toBe(13);
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain('cannot be written');
    await store.close();
    expect(() => open()).toThrow('Cannot open');
  });
});
