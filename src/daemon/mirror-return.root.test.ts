/** Copies that come back after the stream has forgotten them, and are compared only where they can differ. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Epoch } from '../protocol/ids.ts';
import { Rig, type RigNode } from '../../test/mirror/rig.ts';

const EPOCH = 1 as Epoch;
const NEXT = 2 as Epoch;
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
  // Files with one name each, apart from the others.
  mkdirSync(`${a.path}/plain`);
  for (let i = 0; i < 20; i += 1) writeFileSync(`${a.path}/plain/${i}`, `file ${i}`);
  writeFileSync(`${a.path}/plain/huge`, Buffer.alloc(2 * MIB, 'huge'));
  mkdirSync(`${a.path}/quiet`);
  writeFileSync(`${a.path}/quiet/1`, 'file 1');
  execFileSync('ln', [`${a.path}/dir/1`, `${a.path}/dir/other`]);
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
function lastBegin(primary = a): Record<string, unknown> {
  const lines = primary.logs.join('').split('\n');
  const begun = lines.filter((line) => line.includes('stream to a copy begins'));
  return JSON.parse(begun.at(-1) ?? '{}') as Record<string, unknown>;
}

function expectEqual(primary = a): void {
  writeFileSync(`${primary.path}/last`, 'end', { flush: true });
  execFileSync('diff', ['-r', a.path, b.path]);
}

/** Its copy is in sync: it goes on with everything that was acknowledged as durable. */
async function takeOver(): Promise<void> {
  await b.ok({ type: 'seal', epoch: EPOCH });
  b.grantLease(2);
  await b.ok({ type: 'serve', epoch: NEXT, inSync: [b.id] });
}

/** The former primary follows the one that took over. */
async function comesBack(): Promise<void> {
  await a.start();
  b.news.length = 0;
  await a.ok({ type: 'follow', epoch: NEXT, primary: b.id });
  await b.until(() => b.heard('peerCaughtUp').length > 0, 'the former primary has caught up');
  await b.ok({ type: 'admit', peer: a.id });
}

describe('a primary that died', () => {
  const own = { type: 'resync', since: expect.any(Number) as number, beside: 'own' };

  /** Changes that the other copy never gets: its process is stopped meanwhile. */
  async function changeAlone(): Promise<void> {
    await b.until(() => stored() !== undefined, 'what it has stored is noted');
    appendFileSync(`${a.path}/plain/3`, ', sent');
    b.signal('SIGSTOP');
    // More than fits into what lies between the two.
    writeFileSync(`${a.path}/filler`, Buffer.alloc(24 * MIB, 'fill'));
    appendFileSync(`${a.path}/plain/4`, ', never sent');
    mkdirSync(`${a.path}/made/below`, { recursive: true });
    writeFileSync(`${a.path}/made/below/new`, 'new');
    renameSync(`${a.path}/plain/5`, `${a.path}/made/moved`);
    // It gets small, so that it is no longer seen that its directory does not stand for it.
    rmSync(`${a.path}/plain/huge`);
    writeFileSync(`${a.path}/plain/huge`, 'small');
    rmSync(`${a.path}/plain/6`);
    await a.kill();
    b.signal('SIGCONT');
  }

  /** What the other copy has of `changeAlone`. */
  function expectNotSent(): void {
    expect(readFileSync(`${b.path}/plain/4`, 'utf8')).toBe('file 4');
    expect(readFileSync(`${b.path}/plain/3`, 'utf8')).toBe('file 3, sent');
  }

  test('is compared where either of the two changed something', async () => {
    await changeAlone();
    await takeOver();
    expectNotSent();
    appendFileSync(`${b.path}/plain/9`, ', changed by the other');
    rmSync(`${b.path}/plain/10`);
    await comesBack();
    expect(lastBegin(b)).toMatchObject(own);
    expectEqual(b);
    // What it changed is everybody's now: there is nothing left to be told.
    await a.until(() => !a.hasActivity(), 'its activity log is gone');
    await a.kill();
    await b.until(() => b.heard('peerSilent').length > 0, 'the copy is missed');
    await b.ok({ type: 'expel', peer: a.id });
    await comesBack();
    expect(lastBegin(b)).not.toMatchObject(own);
    expectEqual(b);
  });

  test('is compared so, too, when the other was restarted meanwhile', async () => {
    await changeAlone();
    await takeOver();
    appendFileSync(`${b.path}/quiet/1`, ', changed by the other');
    await b.kill();
    await b.start();
    b.grantLease(2);
    await b.ok({ type: 'serve', epoch: NEXT, inSync: [b.id] });
    appendFileSync(`${b.path}/plain/11`, ', and once more');
    await comesBack();
    expect(lastBegin(b)).toMatchObject(own);
    expectEqual(b);
  });

  test('and serves again has what it changed before sent to its copy', async () => {
    await changeAlone();
    await a.start();
    a.grantLease(2);
    await a.ok({ type: 'serve', epoch: NEXT, inSync: [a.id] });
    appendFileSync(`${a.path}/plain/11`, ', and once more');
    a.news.length = 0;
    await b.ok({ type: 'follow', epoch: NEXT, primary: a.id });
    await caughtUp();
    expect(lastBegin()).toMatchObject({ ...own, beside: 'former' });
    expectEqual();
  });
});

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
