/**
 * Processes by number and start time, so that a number that was given to another process since is
 * never taken for the one that was meant.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { errnoCode } from '../errno-code.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Ticks since the machine started, as field 22 of /proc/PID/stat gives them. */
  readonly startTime: string;
}

/** Undefined when there is no such process, or only what is left of it (a zombie). */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT' || errnoCode(error) === 'ESRCH') return undefined;
    throw error;
  }
  // The second field, the name in parentheses, may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (state === 'Z' || state === 'X' || startTime === undefined) return undefined;
  return { pid, startTime };
}

export function isRunning(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

/** Sends a signal to that process only; false when it is gone. */
export function signal(target: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isRunning(target)) return false;
  try {
    return process.kill(target.pid, name);
  } catch (error) {
    if (errnoCode(error) === 'ESRCH') return false;
    throw error;
  }
}

export function writePidFile(path: string, identity: ProcessIdentity): void {
  writeFileSync(`${path}.new`, `${identity.pid} ${identity.startTime}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** The process of the file, if it is still that one and runs. */
export function readPidFile(path: string): ProcessIdentity | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const match = /^(\d{1,10}) (\d{1,20})\n$/u.exec(text);
  if (match === null) return undefined;
  const identity = { pid: Number(match[1]), startTime: match[2] ?? '' };
  return isRunning(identity) ? identity : undefined;
}

export function removePidFile(path: string): void {
  rmSync(path, { force: true });
}
