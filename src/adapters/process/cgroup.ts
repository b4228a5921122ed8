/**
 * Control groups, version 2: a process and all that descends from it stay in the group whatever
 * they do (sessions, double forks, cleared environment), so that the group is the one proof that
 * nothing is left. A group lies beneath that of this process, or at the top where that can't be;
 * no controller is needed, so it may be a machine that otherwise uses version 1.
 */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import { errnoCode } from '../errno-code.ts';
import { parseMountInfo } from '../system/mount-info.ts';

const DEPTH_MAX = 32;
const UNIQUE = /^[0-9a-f]{12}$/;

/**
 * Makes a group and returns its directory. Undefined when no hierarchy of version 2 is mounted
 * where this process may write.
 */
export function makeCgroup(name: string, log: Log): string | undefined {
  for (const parent of parentDirectories()) {
    const path = join(parent, name);
    try {
      mkdirSync(path);
      if (existsSync(join(path, 'cgroup.events'))) return path;
      rmdirSync(path);
    } catch (error) {
      log.debug('cannot make a control group here', { path, error: messageOf(error) });
    }
  }
  return undefined;
}

/** Whether version 2 is mounted at all. */
export function hasCgroups(): boolean {
  return cgroupMounts().length > 0;
}

/** The end of a group's name, which makes it unique. */
export function uniqueSuffix(): string {
  return randomBytes(6).toString('hex');
}

/**
 * A group called `prefix` and a unique suffix that has a living process. Empty ones, left by a
 * launch that was cut short, are removed on the way.
 */
export function findPopulatedGroup(prefix: string, log: Log): string | undefined {
  for (const parent of parentDirectories()) {
    if (!existsSync(parent)) continue;
    for (const name of readdirSync(parent)) {
      // The rest as well: one name may be the beginning of another one.
      if (!name.startsWith(prefix) || !UNIQUE.test(name.slice(prefix.length))) continue;
      const path = join(parent, name);
      if (isPopulated(path)) return path;
      tryRemoveGroup(path, log);
    }
  }
  return undefined;
}

/** Where groups may be made, the best place first. */
export function parentDirectories(): readonly string[] {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  const found: string[] = [];
  for (const { root, path } of cgroupMounts()) {
    const inside = own === root || own.startsWith(`${root}/`);
    // A group outside of what is visible here shows as `/../..`.
    if (inside && !own.includes('/..')) found.push(join(path, own.slice(root.length)));
    found.push(path);
  }
  return [...new Set(found)];
}

/** `root`: the group that is at the top of what is mounted, without a slash at its end. */
function cgroupMounts(): readonly { readonly root: string; readonly path: string }[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter((mount) => mount.type === 'cgroup2')
    .map(({ root, path }) => ({ root: root === '/' ? '' : root, path }));
}

/** True while a living process is in the group or beneath it. */
export function isPopulated(path: string): boolean {
  const events = readGroupFile(path, 'cgroup.events');
  return events !== undefined && !/^populated 0$/m.test(events);
}

export function isFrozen(path: string): boolean {
  return /^frozen 1$/m.test(readGroupFile(path, 'cgroup.events') ?? '');
}

/** All processes in the group and beneath it. */
export function groupPids(path: string): readonly number[] {
  return groupAndBeneath(path).flatMap((directory) =>
    (readGroupFile(directory, 'cgroup.procs') ?? '').split('\n').filter(Boolean).map(Number),
  );
}

/** False when the kernel (before 5.14) has no `cgroup.kill`. */
export function killGroup(path: string): boolean {
  return tryWrite(path, 'cgroup.kill', '1');
}

/** False when the group is gone. */
export function setFrozen(path: string, frozen: boolean): boolean {
  return tryWrite(path, 'cgroup.freeze', frozen ? '1' : '0');
}

/** Removes an empty group; one that cannot be removed costs nothing and is left. */
export function tryRemoveGroup(path: string, log: Log): void {
  for (const directory of groupAndBeneath(path).toReversed()) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') continue;
      log.warn('cannot remove a control group', { path: directory, error: messageOf(error) });
      return;
    }
  }
}

/** Parents before their children. */
function groupAndBeneath(path: string, depth = 0): readonly string[] {
  if (depth > DEPTH_MAX) throw new Error(`Control groups nest too deeply at "${path}"`);
  let names: readonly string[] = [];
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
  return [path, ...names.flatMap((name) => groupAndBeneath(join(path, name), depth + 1))];
}

/**
 * Undefined when the group is gone: the kernel lets one be removed only when it is empty. A group
 * that is merely out of sight (hierarchy not mounted here) is an error, not an empty group.
 */
function readGroupFile(path: string, name: string): string | undefined {
  try {
    return readFileSync(join(path, name), 'utf8');
  } catch (error) {
    if (isGone(error) && existsSync(join(dirname(path), 'cgroup.procs'))) return undefined;
    throw groupError(path, error);
  }
}

function tryWrite(path: string, name: string, text: string): boolean {
  try {
    // No O_CREAT: the files of a group are the kernel's.
    writeFileSync(join(path, name), text, { flag: 'r+' });
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw groupError(path, error);
  }
}

function groupError(path: string, cause: unknown): TakoError {
  const text = `Cannot look into the control group "${path}": ${messageOf(cause)}`;
  const next = 'Mount the cgroup2 hierarchy again where it was when the program was started';
  return new TakoError('agent-failed', text, { cause, next });
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes(errnoCode(error) ?? '');
}
