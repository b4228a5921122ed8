/**
 * What a lab leaves in the world, and how it is taken away again. All of it hangs on two names: the
 * lab's folder (`/tmp/tako-lab-XXXXXX`) and the control group of the same name. Processes end with
 * the group; namespaces, interfaces, addresses and mounts end with the processes. So `removeLab`
 * needs to know nothing but the folder, and works for a lab of a run that was killed half-way.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { cgroupRoot, removeCgroup } from './cgroup.ts';

const BASE = process.env['TAKO_LAB_DIR'] ?? '/tmp';
const PREFIX = 'tako-lab-';
const STATE = 'lab.json';
/** A folder without a state file may be one that is being made right now; older ones are remains. */
const UNFINISHED_MS = 60_000;

interface LabState {
  readonly owner: { readonly pid: number; readonly startedAt: string };
}

/** Makes the folder and writes down who owns it, before anything else of the lab exists. */
export function makeLabFolder(): string {
  const folder = mkdtempSync(join(BASE, PREFIX));
  const owner = { pid: process.pid, startedAt: startOf(process.pid) };
  writeFileSync(join(folder, `${STATE}.new`), JSON.stringify({ owner }));
  renameSync(join(folder, `${STATE}.new`), join(folder, STATE));
  return folder;
}

export function labCgroup(folder: string): string {
  return join(cgroupRoot(), basename(folder));
}

/** Takes everything of the lab away. Repeatable; synchronous, so that exit handlers may call it. */
export function removeLab(folder: string): void {
  removeCgroup(labCgroup(folder));
  if (!existsSync(folder)) return;
  for (const mountPoint of mountsBelow(folder)) execFileSync('umount', ['-l', mountPoint]);
  for (const device of loopDevicesBelow(folder)) execFileSync('losetup', ['-d', device]);
  rmSync(folder, { recursive: true, force: true });
}

/** Removes the labs of test runs that ended without doing so; returns their folders. */
export function sweepAbandonedLabs(): string[] {
  const swept: string[] = [];
  for (const name of readdirSync(BASE)) {
    const folder = join(BASE, name);
    if (!name.startsWith(PREFIX) || !isAbandoned(folder)) continue;
    removeLab(folder);
    swept.push(folder);
  }
  return swept;
}

/** The kernel's start time of a process: with it, a number that was used again is no confusion. */
export function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const zombie = fields[0] === 'Z' || fields[0] === 'X';
    return zombie ? 'ended' : (fields[19] ?? 'ended');
  } catch {
    return 'ended';
  }
}

function isAbandoned(folder: string): boolean {
  try {
    const state = JSON.parse(readFileSync(join(folder, STATE), 'utf8')) as LabState;
    return startOf(state.owner.pid) !== state.owner.startedAt;
  } catch {
    // No state file: made a moment ago, or removed by someone else at this moment, or remains.
    const stat = statSync(folder, { throwIfNoEntry: false });
    return stat !== undefined && Date.now() - stat.mtimeMs > UNFINISHED_MS;
  }
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .toReversed();
}

function loopDevicesBelow(folder: string): string[] {
  if (!readdirSync(folder).some((name) => name.endsWith('.disk'))) return [];
  const list = execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  return list
    .toString()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, file]) => file?.startsWith(`${folder}/`) === true)
    .map(([device]) => device ?? '');
}
