/** Copies that come back after the stream has forgotten them, and are compared only where they can differ. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Epoch } from '../protocol/ids.ts';
import { Rig, type RigNode } from '../../test/mirror/rig.ts';

const EPOCH = 1 as Epoch;
const MIB = 1024 * 1024;
const FILES = 300;

let rig: Rig;
let a: RigNode;
let b: RigNode;

beforeEach(async () => {
  rig = new Rig({ nodes: 2, basePort: 41620 });
  [a, b] = [rig.node(0), rig.node(1)];
  mkdirSync(`${a.path}/dir`);
  for (let i = 0; i < FILES; i += 1) writeFileSync(`${a.path}/dir/${i}`, `file ${i}`);
  execFileSync('ln', [`${a.path}/dir/1`, `${a.path}/other`]);
  await Promise.all([a.start(), b.start()]);
  a.grantLease(1);
  await a.ok({ type: 'serve', epoch: EPOCH, inSync: [a.id] });
  await followed();
});
afterEach(() => rig.close());

async function followed(): Promise<void> {
  a.news.length = 0;
  await b.ok({ type: 'follow', epoch: EPOCH, primary: a.id });
  await caughtUp();
}

async function caughtUp(): Promise<void> {
  await a.until(() => a.heard('peerCaughtUp').length > 0, 'the copy has caught up');
  await a.ok({ type: 'admit', peer: b.id });
}

function stored(): unknown {
  return (JSON.parse(b.note()) as { stored?: unknown }).stored;
}

async function gone(): Promise<void> {
  await a.until(() => a.heard('peerSilent').length > 0, 'the copy is missed');
  await a.ok({ type: 'expel', peer: b.id });
}

/** More than the stream keeps, and two changes of what was there before. */
function changeMuch(): void {
  const fd = openSync(`${a.path}/dir/large`, 'w');
  const block = Buffer.alloc(MIB, 'tako');
  for (let i = 0; i < 40; i += 1) writeSync(fd, block, 0, MIB, (i % 4) * MIB);
  closeSync(fd);
  appendFileSync(`${a.path}/dir/7`, ', changed');
  rmSync(`${a.path}/dir/8`);
}

/** How the last stream to the copy began, as the primary logged it. */
function lastBegin(): Record<string, unknown> {
  const lines = a.logs.join('').split('\n');
  const begun = lines.filter((line) => line.includes('stream to a copy begins'));
  return JSON.parse(begun.at(-1) ?? '{}') as Record<string, unknown>;
}

function expectEqual(): void {
  writeFileSync(`${a.path}/last`, 'end', { flush: true });
  execFileSync('diff', ['-r', a.path, b.path]);
}

test('after its machine or process has died: behind what it had noted as stored', async () => {
  await b.until(() => stored() !== undefined, 'what it has stored is noted');
  await b.kill();
  await gone();
  changeMuch();
  await b.start();
  await followed();
  expect(lastBegin()).toMatchObject({ type: 'resync', since: expect.any(Number) as number });
  expectEqual();
});

test('after its connection was lost: behind what it had applied', async () => {
  b.signal('SIGSTOP');
  await gone();
  const lost = (): boolean => a.logs.join('').includes('connection to a copy lost');
  await a.until(lost, 'the connection is given up');
  changeMuch();
  a.news.length = 0;
  b.signal('SIGCONT');
  await caughtUp();
  expect(lastBegin()).toMatchObject({ type: 'resync', since: expect.any(Number) as number });
  expectEqual();
});

test.each([
  ['by unlink', () => rmSync(`${a.path}/dir/1`)],
  ['by rename', () => renameSync(`${a.path}/dir/2`, `${a.path}/dir/1`)],
])(
  'everything is compared when a file lost one of several names meanwhile, %s',
  async (_, lose) => {
    await b.until(() => stored() !== undefined, 'what it has stored is noted');
    await b.kill();
    await gone();
    changeMuch();
    appendFileSync(`${a.path}/dir/1`, ', changed through one name');
    lose();
    await b.start();
    await followed();
    expect(lastBegin()).toMatchObject({
      type: 'resync',
      reason: expect.stringMatching('not known'),
    });
    expect(lastBegin()).not.toHaveProperty('since');
    expectEqual();
  },
);

test('everything is compared when the copy turned out to be another than it should be', async () => {
  await b.until(() => stored() !== undefined, 'what it has stored is noted');
  const below = join(rig.base, 'below');
  mkdirSync(below);
  // A bind mount of the directory above does not bring the guard along.
  execFileSync('mount', ['--bind', dirname(b.path), below]);
  try {
    writeFileSync(join(below, 'data', 'dir', '9'), 'spoilt');
    mkdirSync(join(below, 'data', 'dir', 'new'));
  } finally {
    execFileSync('umount', [below]);
  }
  // What it is told to make is there already.
  mkdirSync(`${a.path}/dir/new`);
  await a.until(() => a.heard('peerFailed').length > 0, 'it has failed');
  expect(stored()).toBeUndefined();
  await a.ok({ type: 'expel', peer: b.id });
  await b.kill();
  await b.start();
  await followed();
  expect(lastBegin()).not.toHaveProperty('since');
  expectEqual();
});
