/** Real children: restarted, adopted, never mistaken, ended in time. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import { LOG_BYTES_MAX } from './child-log.ts';
import { identify, isRunning, type ProcessIdentity, readPidFile, signal } from './process-id.ts';
import { type ChildSpec, Supervisor } from './supervisor.ts';

const WAIT_MS = 10_000;
const log = createLog({ name: 'test', level: 'silent' });
let dir = '';
let supervisors: Supervisor[] = [];
let seen: ProcessIdentity[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tako-supervise-'));
});
afterEach(() => {
  for (const supervisor of supervisors) supervisor.close();
  for (const process of seen) signal(process, 'SIGKILL');
  supervisors = [];
  seen = [];
  rmSync(dir, { recursive: true, force: true });
});

const pidFile = (name: string): string => join(dir, `${name}.pid`);
const shell = (name: string, script: string, stopMs = 5000): ChildSpec => ({
  name,
  command: ['sh', '-c', script],
  stopMs,
});

function supervisor(): Supervisor {
  const made = new Supervisor({ runDir: dir, log, clock: systemClock });
  supervisors.push(made);
  return made;
}

async function until<T>(look: () => T | undefined | false, what: string): Promise<T> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function running(name: string, other?: ProcessIdentity): Promise<ProcessIdentity> {
  const found = await until(() => {
    const now = readPidFile(pidFile(name));
    return now?.pid === other?.pid ? undefined : now;
  }, `${name} runs`);
  seen.push(found);
  return found;
}

test('a child that is killed is back within a second, in a session of its own', async () => {
  supervisor().add(shell('one', 'exec sleep 1000'));
  const first = await running('one');
  expect(process.kill(-first.pid, 0)).toBe(true);
  const start = performance.now();
  signal(first, 'SIGKILL');
  await running('one', first);
  expect(performance.now() - start).toBeLessThan(1000);
});

test('a child that dies again and again is started with pauses', async () => {
  const starts = join(dir, 'starts');
  supervisor().add(shell('one', `date +%s%3N >> ${starts}`));
  const times = await until(() => {
    const lines = existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n') : [];
    return lines.length >= 4 && lines.map(Number);
  }, 'four starts');
  const pauses = times.slice(1).map((time, i) => time - must(times[i], 'one before'));
  expect(pauses[1]).toBeGreaterThanOrEqual(190);
  expect(pauses[2]).toBeGreaterThanOrEqual(490);
});

test('the next supervisor adopts what runs, and notices its end', async () => {
  const former = supervisor();
  former.add(shell('one', 'exec sleep 1000'));
  const child = await running('one');
  former.close();
  supervisor().add(shell('one', 'exec sleep 2000'));
  expect(readPidFile(pidFile('one'))?.pid).toBe(child.pid);
  signal(child, 'SIGKILL');
  await running('one', child);
});

test('a number that another process has now is no reason to leave it, or to kill it', async () => {
  const stranger = spawn('sleep', ['1000']);
  const id = must(identify(must(stranger.pid, 'started')), 'runs');
  seen.push(id);
  writeFileSync(pidFile('one'), `${id.pid} ${Number(id.startTime) - 1}\n`);
  const own = supervisor();
  own.add(shell('one', 'exec sleep 1000'));
  const child = await running('one');
  expect(child.pid).not.toBe(id.pid);
  await own.stop('one');
  expect(isRunning(child)).toBe(false);
  expect(isRunning(id)).toBe(true);
});

test.each(['', 'garbage', '1', '-5 3\n', '99999999999 1\n'])(
  'a pid file with %j means nothing',
  (content) => {
    writeFileSync(pidFile('one'), content);
    expect(readPidFile(pidFile('one'))).toBeUndefined();
  },
);

test('stopping waits for an orderly end, then kills; nothing is restarted', async () => {
  const own = supervisor();
  const done = join(dir, 'done');
  const onTerm = `trap "sleep 0.3; touch ${done}; exit" TERM`;
  const orderly = `${onTerm}; touch ${dir}/up1; while :; do sleep 0.05; done`;
  const stubborn = `trap "" TERM; touch ${dir}/up2; while :; do sleep 0.05; done`;
  own.add(shell('orderly', orderly));
  own.add(shell('stubborn', stubborn, 300));
  const all = [await running('orderly'), await running('stubborn')];
  await until(() => existsSync(join(dir, 'up1')) && existsSync(join(dir, 'up2')), 'traps are set');
  await Promise.all([own.stop('orderly'), own.stop('stubborn')]);
  expect(existsSync(done)).toBe(true);
  expect(all.map(isRunning)).toEqual([false, false]);
  expect(existsSync(pidFile('orderly'))).toBe(false);
});

test('an adopted child is stopped as well', async () => {
  const former = supervisor();
  former.add(shell('one', 'exec sleep 1000'));
  const child = await running('one');
  former.close();
  const own = supervisor();
  own.add(shell('one', 'exec sleep 1000'));
  await own.stop('one');
  expect(isRunning(child)).toBe(false);
});

test('a program that is not there is tried again, not fatal', async () => {
  const own = supervisor();
  own.add({ name: 'none', command: ['/nonexistent/program'], stopMs: 100 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await own.stop('none');
});

test('output goes to a file that does not grow without bound', async () => {
  const path = join(dir, 'log', 'one.log');
  const own = supervisor();
  writeFileSync(path, Buffer.alloc(LOG_BYTES_MAX + 1, 'x'), { mode: 0o600 });
  own.add(shell('one', 'echo out; echo err >&2; exec sleep 1000'));
  await running('one');
  await until(() => readFileSync(path, 'utf8') === 'out\nerr\n', 'its output');
  expect(readFileSync(`${path}.1`).length).toBe(LOG_BYTES_MAX + 1);
});
