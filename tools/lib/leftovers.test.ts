import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { findLeftovers, openScope, removeLeftovers, type TestScope } from './leftovers.ts';

let scope: TestScope;

beforeEach(() => {
  scope = openScope('');
});

afterEach(() => rmSync(scope.folder, { recursive: true, force: true }));

/** Other runs on the machine may come and go meanwhile: only what names this one counts here. */
async function own(): Promise<readonly string[]> {
  const found = await findLeftovers(scope, 0);
  return found.filter((each) => each.startsWith('process') || each.includes(scope.folder));
}

test('a clean run leaves nothing', async () => {
  expect(await own()).toEqual([]);
});

test('a forgotten file is found and removed', async () => {
  writeFileSync(join(scope.folder, 'forgotten'), '');
  expect(await own()).toEqual([`temporary file ${join(scope.folder, 'forgotten')}`]);
  removeLeftovers(scope);
  expect(existsSync(scope.folder)).toBe(false);
});

test('a process that outlives the run is found by its environment and ended', async () => {
  const child = spawn('sleep', ['60'], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, ...scope.environment },
  });
  const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
  await new Promise((resolve) => child.once('spawn', resolve));
  const pid = must(child.pid, 'it was spawned');
  expect(await own()).toEqual([`process ${pid}: sleep 60`]);
  removeLeftovers(scope);
  expect(await ended).toBe('SIGKILL');
});

test('what ends within the time it is given is no leftover', async () => {
  const file = join(scope.folder, 'soon-gone');
  writeFileSync(file, '');
  const search = findLeftovers(scope, 10_000);
  rmSync(file);
  expect((await search).filter((each) => each.includes(scope.folder))).toEqual([]);
});
