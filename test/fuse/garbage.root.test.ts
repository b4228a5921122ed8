/**
 * Requests that no kernel would send: whatever is in them, an operation answers or ignores it, and
 * the next one is served. (A request is trusted as little as a packet.)
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { NO_ACTIVITY } from '../../src/ports/activity.ts';
import { createOperations } from '../../src/fuse/ops/operations.ts';
import { ANSWERED } from '../../src/fuse/wire/handler.ts';
import { DATA_BYTES_MAX } from '../../src/fuse/wire/init.ts';
import { Reply } from '../../src/fuse/wire/reply.ts';
import { Request } from '../../src/fuse/wire/request.ts';

const REQUESTS = 30_000;
const HEADER = 40;
const OPCODES = 70;

function fill(request: Request, dice: Prng): number {
  const length = HEADER + dice.below(dice.chance(0.2) ? 400 : 100);
  const view = new DataView(request.buffer.buffer);
  for (let at = HEADER; at < length; at += 1) {
    // Mostly zeros and small numbers: those that come close to making sense.
    request.buffer[at] = dice.chance(0.7) ? 0 : dice.below(dice.chance(0.5) ? 128 : 256);
  }
  view.setUint32(0, length, true);
  view.setUint32(4, dice.below(OPCODES), true);
  view.setBigUint64(16, BigInt(dice.below(dice.chance(0.9) ? 6 : 1000)), true);
  view.setUint32(36, dice.chance(0.95) ? 0 : dice.below(0x10000), true);
  return length;
}

test('garbage is answered', () => {
  const base = fs.mkdtempSync(join(tmpdir(), 'tako-garbage-'));
  onTestFinished(() => {
    spawnSync('umount', ['-l', base]);
    fs.rmdirSync(base);
  });
  // Small, for some of the requests allocate as much as there is.
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', base]).status).toBe(0);
  const root = fs.openSync(base, fs.constants.O_RDONLY);
  const reply = new Reply(DATA_BYTES_MAX);
  const request = new Request(4096);
  let inside = false;
  let seq = 0;
  const answers: number[] = [];
  const nothing = (): void => undefined;
  const operations = createOperations(
    { root, reply, flags: -1, notify: nothing },
    {
      fileSystem: new LinuxFileSystem(),
      activity: NO_ACTIVITY,
      log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
      sink: {
        enter: () => void (inside = true),
        append: () => (seq += 1),
        linkLost: () => undefined,
        last: () => seq,
        leave: () => void (inside = false),
        answer: (message) => void answers.push(message.length),
        answerSync: (message) => void answers.push(message.length),
      },
    },
  );
  const dice = new Prng(42);
  const outcomes = new Map<number, number>();
  for (let i = 0; i < REQUESTS; i += 1) {
    if (!request.load(fill(request, dice))) continue;
    const outcome = operations.handle(request);
    expect(inside).toBe(false);
    expect(Number.isSafeInteger(outcome)).toBe(true);
    expect(outcome === ANSWERED || outcome <= reply.room).toBe(true);
    outcomes.set(Math.min(outcome, 0), (outcomes.get(Math.min(outcome, 0)) ?? 0) + 1);
  }
  operations.close();
  expect(outcomes.get(0)).toBeGreaterThan(1000);
  expect(seq).toBeGreaterThan(100);
  fs.closeSync(root);
});
