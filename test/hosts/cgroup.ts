/**
 * The control groups of a lab. Every process of a lab, whatever namespaces it is in and however it
 * was started, is in the lab's subtree of the cgroup2 hierarchy:
 *
 *     CGROUP2/tako-lab-ID/          the lab: killing this ends all of it
 *     CGROUP2/tako-lab-ID/fabric    the switch
 *     CGROUP2/tako-lab-ID/NODE      a node: freezing this freezes all of it
 *
 * A node has a cgroup namespace and a cgroup2 mount of its own, so that it sees its group as the
 * root and may make groups below it, which freezing and killing cover too.
 * Synchronous, because it also serves exit handlers.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const KILL_TIMEOUT_MS = 10_000;
const POLL_MS = 5;

/** Where the cgroup2 hierarchy is mounted. */
export function cgroupRoot(): string {
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, mountPoint, type] = line.split(' ');
    if (type === 'cgroup2' && mountPoint !== undefined) return mountPoint;
  }
  throw new Error(
    'Cannot make test hosts: no cgroup2 file system is mounted, and they need one. ' +
      'Next: mount it with `mount -t cgroup2 none /sys/fs/cgroup`',
  );
}

export function makeCgroup(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** Freezes or thaws everything in the group and below. Returns whether the kernel says it is done. */
export function setFrozen(path: string, frozen: boolean): boolean {
  writeFileSync(join(path, 'cgroup.freeze'), frozen ? '1' : '0');
  return isFrozen(path) === frozen;
}

export function isFrozen(path: string): boolean {
  return readFileSync(join(path, 'cgroup.events'), 'utf8').includes('frozen 1');
}

export function isPopulated(path: string): boolean {
  return readFileSync(join(path, 'cgroup.events'), 'utf8').includes('populated 1');
}

/** SIGKILL to everything in the group and below, frozen or not; returns when nothing is left. */
export function killCgroup(path: string): void {
  if (!existsSync(path)) return;
  const deadline = performance.now() + KILL_TIMEOUT_MS;
  while (isPopulated(path)) {
    killOnce(path);
    if (performance.now() > deadline) {
      throw new Error(`Cannot end the processes of "${path}": some outlive SIGKILL`);
    }
    sleepSync(POLL_MS);
  }
}

/** Kills what is in the group and removes it with all groups below. */
export function removeCgroup(path: string): void {
  if (!existsSync(path)) return;
  killCgroup(path);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  rmdirSync(path);
}

function killOnce(path: string): void {
  const kill = join(path, 'cgroup.kill');
  if (existsSync(kill)) {
    writeFileSync(kill, '1');
    return;
  }
  // Kernels before 5.14: one by one, deepest groups included.
  for (const pid of pidsBelow(path)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function pidsBelow(path: string): number[] {
  const own = readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
  const below = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => pidsBelow(join(path, entry.name)));
  return [...own.map(Number), ...below];
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
