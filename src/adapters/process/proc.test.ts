import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { must } from '../../base/assert.ts';
import { signalNumber, signalProcess } from './pidfd.ts';
import { findAlive, readProcess } from './proc.ts';
import { parseUser } from './user.ts';

it('reads a process whose name is meant to confuse, and signals just that one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tako-proc-'));
  const program = join(directory, 'a) Z 1 (b');
  await copyFile('/bin/sleep', program);
  const child = spawn(program, ['1000'], { detached: true });
  try {
    const pid = must(child.pid, 'it was started');
    await new Promise((resolve) => child.once('spawn', resolve));
    const info = must(readProcess(pid), 'it runs');
    expect(info).toMatchObject({ name: 'a) Z 1 (b', session: pid, parent: process.pid });
    const former = { pid, startTime: info.startTime - 1 };
    expect(findAlive(former)).toBeUndefined();
    expect(signalProcess(former, 'SIGKILL')).toBe(false);
    expect(findAlive(info)).toBeDefined();
    expect(signalProcess(info, 'SIGTERM')).toBe(true);
    const signal = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)));
    expect(signal).toBe('SIGTERM');
    expect(signalProcess(info, 'SIGTERM')).toBe(false);
  } finally {
    child.kill('SIGKILL');
    await rm(directory, { recursive: true });
  }
});

it('knows the names of signals only', () => {
  expect(signalNumber('SIGQUIT')).toBe(3);
  expect(() => signalNumber('QUIT')).toThrow('no such signal');
  expect(() => signalNumber('constructor')).toThrow('no such signal');
});

it('finds users by their whole name', () => {
  const passwd =
    'post:x:1:2::/p:/bin/p\npostgres:x:104:110:PG:/var/lib/postgresql:\nbad:x:a:b:::\n';
  expect(parseUser('postgres', passwd)).toEqual({
    name: 'postgres',
    uid: 104,
    gid: 110,
    home: '/var/lib/postgresql',
    shell: '/bin/sh',
  });
  expect(parseUser('pos', passwd)).toBeUndefined();
  expect(parseUser('bad', passwd)).toBeUndefined();
});
