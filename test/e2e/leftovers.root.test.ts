/** A test run with a whole cluster in it that is killed outright leaves nothing behind. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { labCgroup } from '../hosts/remains.ts';
import { until } from '../hosts/wait.ts';

const HOLD = fileURLToPath(new URL('./fixtures/hold-cluster.ts', import.meta.url));

function startHolding(): Promise<{ readonly folder: string; readonly pid: number }> {
  const child = spawn(process.execPath, [HOLD], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (data: Buffer) => {
      resolve({ folder: data.toString().trim(), pid: child.pid ?? 0 });
    });
    child.once('close', () => reject(new Error('hold-cluster.ts ended too early')));
  });
}

function processesOf(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}

it.each(['SIGKILL', 'SIGINT'] as const)('nothing is left after %s', async (signal) => {
  const { folder, pid } = await startHolding();
  expect(processesOf(folder).length).toBeGreaterThan(4);
  process.kill(pid, signal);
  await until(
    'no process, group, mount, disk or folder is left',
    () =>
      processesOf(folder).length === 0 &&
      !existsSync(folder) &&
      !existsSync(labCgroup(folder)) &&
      !readFileSync('/proc/self/mounts', 'utf8').includes(folder) &&
      !execFileSync('losetup', ['--list']).toString().includes(folder),
    { timeoutMs: 20_000 },
  );
});
