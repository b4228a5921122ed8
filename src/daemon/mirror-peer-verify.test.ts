import { beforeEach, expect, test } from 'vitest';
import type { VerifyProgress } from '../adapters/mirror/copy/verify-source.ts';
import { instant } from '../base/time.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { FromMirror } from '../protocol/mirror-ipc.ts';
import { PeerVerify, SCRUB_PAUSE_MS } from './mirror-peer-verify.ts';
import type { RunEvents } from './mirror-store-run.ts';

const PEER = 'n2' as NodeId;
const FOUND: VerifyProgress = { files: 3, bytes: 4096 };

let now: number;
let runs: { events: RunEvents<VerifyProgress>; target: number; stopped: boolean }[];
let told: FromMirror[];
let verify: PeerVerify;

beforeEach(() => {
  [now, runs, told] = [1000, [], []];
  verify = new PeerVerify(PEER, {
    clock: { now: () => instant(now), wallTime: () => '' },
    start: ({ target }, events) => {
      const run = { events, target, stopped: false };
      runs.push(run);
      return { receive: () => undefined, stop: () => void (run.stopped = true) };
    },
    report: (message) => told.push(message),
    changed: () => undefined,
  });
});

function due(): boolean {
  return verify.scrubIsDue(instant(now));
}

test('the scrub comes some time after the start, and after each end', () => {
  expect(due()).toBe(false);
  now += SCRUB_PAUSE_MS;
  expect(due()).toBe(true);
  verify.start({ kind: 'scrub', target: 1, bytesPerSecond: 1 });
  expect([due(), verify.busy]).toEqual([false, false]);
  now += 10 * SCRUB_PAUSE_MS;
  runs[0]?.events.ended?.(FOUND);
  expect(due()).toBe(false);
  now += SCRUB_PAUSE_MS;
  expect(due()).toBe(true);
  expect(verify.status).toMatchObject({ kind: 'scrub', state: 'equal', ...FOUND });
  // Nobody asked.
  expect(told).toEqual([]);
});

test('what somebody asks for goes before the scrub, and is answered', () => {
  verify.start({ kind: 'scrub', target: 1, bytesPerSecond: 1 });
  verify.start({ kind: 'asked', target: 2, bytesPerSecond: 1 });
  expect(runs.map(({ stopped, target }) => [target, stopped])).toEqual([
    [1, true],
    [2, false],
  ]);
  expect([verify.busy, due()]).toEqual([true, false]);
  runs[1]?.events.ended?.(FOUND);
  expect(told).toEqual([{ type: 'verified', peer: PEER, ...FOUND }]);
  expect(verify.busy).toBe(false);
});

test.each(['asked', 'scrub'] as const)('a store that cannot be read is told, %s', (kind) => {
  verify.start({ kind, target: 1, bytesPerSecond: 1 });
  runs[0]?.events.progress(FOUND);
  runs[0]?.events.failed('Cannot verify "x": read: EIO');
  expect(told).toMatchObject([{ type: 'verifyFailed', peer: PEER }]);
  expect(verify.status).toMatchObject({ state: 'broken-off', ...FOUND });
  expect(runs[0]?.stopped).toBe(true);
});

test('a connection that is lost breaks it off, once', () => {
  verify.breakOff('nothing is under way');
  expect(verify.status).toBeUndefined();
  verify.start({ kind: 'asked', target: 1, bytesPerSecond: 1 });
  verify.breakOff('lost');
  verify.breakOff('lost again');
  expect(verify.status).toMatchObject({ state: 'broken-off', detail: 'lost' });
  expect(told).toEqual([]);
});
