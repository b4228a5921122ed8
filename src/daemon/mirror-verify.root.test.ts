/** Copies compared with their primary while programs write, equal ones and spoilt ones. */
import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Epoch } from '../protocol/ids.ts';
import { Rig, type RigNode } from '../../test/mirror/rig.ts';

const EPOCH = 1 as Epoch;
const RATE = 500_000_000;
const MIB = 1024 * 1024;

let rig: Rig;
let a: RigNode;
let b: RigNode;

beforeEach(async () => {
  rig = new Rig({ nodes: 2, basePort: 41600 });
  [a, b] = [rig.node(0), rig.node(1)];
  await Promise.all([a.start(), b.start()]);
  a.grantLease(1);
  await a.ok({ type: 'serve', epoch: EPOCH, inSync: [a.id] });
  await b.ok({ type: 'follow', epoch: EPOCH, primary: a.id });
  await inSync();
});
afterEach(() => rig.close());

async function inSync(): Promise<void> {
  await a.until(() => a.heard('peerCaughtUp').length > 0, 'the copy has caught up');
  await a.ok({ type: 'admit', peer: b.id });
  await a.until(() => peer()?.state === 'in-sync', 'the copy counts as in sync');
}

function peer() {
  return a.status.peers.find(({ node }) => node === b.id);
}

function fill(): void {
  mkdirSync(`${a.path}/dir/deep`, { recursive: true });
  for (let i = 0; i < 200; i += 1) writeFileSync(`${a.path}/dir/${i}`, `file ${i}`);
  writeFileSync(`${a.path}/dir/deep/large`, Buffer.alloc(3 * MIB + 17, 'tako'));
  const sparse = openSync(`${a.path}/sparse`, 'w');
  ftruncateSync(sparse, 40 * MIB + 5);
  writeSync(sparse, 'data', 20 * MIB + 3);
  closeSync(sparse);
  execFileSync('ln', ['-s', 'dir/1', `${a.path}/link`]);
  execFileSync('ln', [`${a.path}/dir/2`, `${a.path}/other`]);
  execFileSync('mkfifo', [`${a.path}/fifo`]);
  execFileSync('setfattr', ['-n', 'user.tako', '-v', 'x', `${a.path}/dir/3`]);
  writeFileSync(`${a.path}/last`, 'end', { flush: true });
}

/** Does something to the copy behind the mirror's back. */
function behind(spoil: (directory: string) => void): void {
  const below = join(rig.base, 'below');
  mkdirSync(below);
  // A bind mount of the directory above does not bring the guard along.
  execFileSync('mount', ['--bind', dirname(b.path), below]);
  try {
    spoil(join(below, basename(b.path)));
  } finally {
    execFileSync('umount', [below]);
    rmSync(below, { recursive: true });
  }
}

test('what is equal is found equal, while a program writes', async () => {
  fill();
  const script = `
    const fs = require('node:fs');
    const path = process.argv[1];
    for (let i = 0; ; i += 1) {
      fs.appendFileSync(path + '/log', 'line ' + i);
      fs.writeFileSync(path + '/new', String(i).repeat(i % 1000));
      fs.renameSync(path + '/new', path + '/replaced');
      fs.mkdirSync(path + '/come'); fs.writeFileSync(path + '/come/file', 'x');
      fs.rmSync(path + '/come', { recursive: true });
    }`;
  const writer = spawn(process.execPath, ['-e', script, a.path], { stdio: 'ignore' });
  try {
    for (let run = 1; run <= 3; run += 1) {
      await a.ok({ type: 'verify', bytesPerSecond: RATE });
      await a.until(() => a.heard('verified').length === run, 'it is found equal');
    }
  } finally {
    writer.kill('SIGKILL');
  }
  const [first] = a.heard('verified');
  expect(first).toMatchObject({ peer: b.id });
  await a.until(() => peer()?.verify?.state === 'equal', 'the status says so');
  const found = peer()?.verify;
  expect(found?.files).toBeGreaterThanOrEqual(204);
  expect(found?.bytes).toBeGreaterThan(3 * MIB);
  expect(a.heard('peerFailed')).toEqual([]);
  expect(peer()?.state).toBe('in-sync');
});

test.each([
  [
    'one byte of a file',
    'content of "dir/deep/large" is another between byte 1048576 and 1179648',
    (copy: string) => {
      const fd = openSync(`${copy}/dir/deep/large`, 'r+');
      writeSync(fd, 'T', MIB + 5);
      closeSync(fd);
    },
  ],
  [
    'a hole',
    'content of "sparse" is another',
    (copy: string) => {
      const fd = openSync(`${copy}/sparse`, 'r+');
      writeSync(fd, 'x', 30 * MIB);
      closeSync(fd);
    },
  ],
  ['a length', 'of "dir/7" are others', (copy: string) => appendFileSync(`${copy}/dir/7`, '!')],
  ['a mode', 'of "dir/8" are others', (copy: string) => chmodSync(`${copy}/dir/8`, 0o600)],
  ['a name', 'other names are in "dir/deep"', (copy: string) => rmSync(`${copy}/dir/deep/large`)],
  [
    'an attribute',
    'of "dir/3" are others',
    (copy: string) => execFileSync('setfattr', ['-n', 'user.tako', '-v', 'y', `${copy}/dir/3`]),
  ],
])('%s that differs makes the copy fail, and a resync sets it right', async (_, found, spoil) => {
  fill();
  behind(spoil);
  await a.ok({ type: 'verify', bytesPerSecond: RATE });
  await a.until(() => a.heard('peerFailed').length > 0, 'the difference is reported');
  const [failed] = a.heard('peerFailed');
  expect(failed).toMatchObject({ peer: b.id });
  expect(JSON.stringify(failed).replaceAll('\\"', '"')).toContain(`verification: `);
  expect(JSON.stringify(failed).replaceAll('\\"', '"')).toContain(found);
  await a.until(() => peer()?.verify?.state === 'broken-off', 'the status says so');

  a.news.length = 0;
  await a.ok({ type: 'expel', peer: b.id });
  await inSync();
  await a.ok({ type: 'verify', bytesPerSecond: RATE });
  await a.until(() => a.heard('verified').length > 0, 'it is equal again');
  execFileSync('diff', ['-r', '--no-dereference', '-x', 'fifo', a.path, b.path]);
  expect(readFileSync(`${b.path}/last`, 'utf8')).toBe('end');
});

test('without a copy in sync, or twice at once, nothing begins', async () => {
  fill();
  await a.ok({ type: 'verify', bytesPerSecond: 100_000 });
  const twice = await a.command({ type: 'verify', bytesPerSecond: RATE });
  expect(twice).toMatchObject({ ok: false, code: 'busy' });
  expect(JSON.stringify(twice)).toContain('is being verified already');
  await b.kill();
  await a.until(() => peer()?.verify?.state === 'broken-off', 'the loss ends it');
  const alone = await a.command({ type: 'verify', bytesPerSecond: RATE });
  expect(alone).toMatchObject({ ok: false, code: 'busy' });
  expect(JSON.stringify(alone)).toContain('is not in sync');
});
