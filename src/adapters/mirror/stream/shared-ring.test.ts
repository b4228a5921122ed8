import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeFrame, type Frame } from '../../../protocol/mirror-frames.ts';
import { crc32 } from 'node:zlib';
import { decodeChange } from '../../../protocol/change-codec.ts';
import { EntryWriter } from './entry-writer.ts';
import { pushHeld, readHeld } from './held-records.ts';
import { SharedRing } from './shared-ring.ts';

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function frames(ring: SharedRing, from: number): { frames: Frame[]; next: number } {
  const found: Frame[] = [];
  let next = from;
  const head = ring.headFrom(from);
  for (;;) {
    const record = ring.recordAt(next, head);
    if (record === undefined) return { frames: found, next };
    const frame = decodeFrame(record.bytes.slice(), crc32);
    if (!frame.ok) throw new Error(frame.reason);
    found.push(frame.value);
    next = record.next;
  }
}

/** A thread that appends `count` changes whose data says which one it is. */
function appender(ring: SharedRing, name: number, count: number): Worker {
  const source = `
    const { workerData } = require('node:worker_threads');
    (async () => {
      const { SharedRing } = await import(workerData.ring);
      const { EntryWriter } = await import(workerData.writer);
      const ring = SharedRing.attach(workerData.memory);
      const writer = new EntryWriter(ring);
      for (let i = 0; i < workerData.count; i++) {
        const data = new Uint8Array((i * 37) % 300).fill(workerData.name);
        ring.lock();
        writer.change({ type: 'write', path: Uint8Array.of(workerData.name), offset: i, data });
        ring.unlock();
      }
    })();`;
  const worker = new Worker(source, {
    eval: true,
    workerData: {
      ring: new URL('shared-ring.ts', import.meta.url).href,
      writer: new URL('entry-writer.ts', import.meta.url).href,
      memory: ring.memory,
      name,
      count,
    },
  });
  workers.push(worker);
  return worker;
}

describe('shared ring', () => {
  test('two threads append, one reads: nothing is lost, torn or out of order', async () => {
    const ring = SharedRing.create(4096);
    const [count, threads] = [3000, 2];
    for (let name = 1; name <= threads; name += 1) appender(ring, name, count);
    const seen = [0, 0, 0];
    let [position, number] = [0, 0];
    while (number < count * threads) {
      const bell = ring.bell;
      const { frames: found, next } = frames(ring, position);
      for (const frame of found) {
        number += 1;
        expect(frame.number).toBe(number);
        const change = decodeChange(frame.payload);
        if (!change.ok || change.value.type !== 'write') throw new Error('not what was appended');
        const [name = 0] = change.value.path;
        expect(change.value.offset).toBe(seen[name]);
        seen[name] = (seen[name] ?? 0) + 1;
        expect(change.value.data.every((byte) => byte === name)).toBe(true);
      }
      position = next;
      ring.free(position);
      if (found.length === 0) await ring.nextBell(bell);
    }
    expect(seen).toEqual([0, count, count]);
  });

  test('a full ring holds the appender up until there is room', async () => {
    const ring = SharedRing.create(1024);
    const worker = appender(ring, 1, 100);
    const exit = once(worker, 'exit');
    await ring.nextBell(ring.bell);
    const ended = await Promise.race([exit.then(() => true), pause(200)]);
    expect(ended).toBe(false);
    let position = 0;
    let count = 0;
    while (count < 100) {
      const { frames: found, next } = frames(ring, position);
      count += found.length;
      position = next;
      ring.free(position);
      await pause(1);
    }
    await exit;
    expect(ring.last).toBe(100);
  });

  test('closing a full ring sets the appender free', async () => {
    const ring = SharedRing.create(1024);
    const exit = once(appender(ring, 1, 100), 'exit');
    await ring.nextBell(ring.bell);
    ring.close();
    await exit;
    expect(ring.last).toBeLessThan(100);
  });

  test('an appender that gives up gets nothing and leaves the ring as it was', () => {
    const ring = SharedRing.create(1024);
    const writer = new EntryWriter(ring, 3, () => true);
    ring.lock();
    for (let i = 0; i < 3; i += 1) writer.message(new Uint8Array(300));
    expect(writer.message(new Uint8Array(300))).toBeUndefined();
    ring.unlock();
    expect(frames(ring, 0).frames.map((frame) => frame.target)).toEqual([3, 3, 3]);
  });

  test('held replies come out as they went in', () => {
    const ring = SharedRing.create(1024);
    const held = {
      kind: 'sync',
      seq: 12,
      reply: Uint8Array.of(1, 2, 3),
      fd: 9,
      dataOnly: true,
    } as const;
    expect(pushHeld(ring, held)).toBe(true);
    const record = ring.recordAt(0, ring.headFrom(0));
    expect(record === undefined ? undefined : readHeld(record.bytes)).toEqual(held);
    ring.close();
    expect(pushHeld(ring, held)).toBe(false);
  });
});

function pause(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
