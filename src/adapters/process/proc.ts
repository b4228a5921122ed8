/** What /proc tells of processes. A process is named by its pid and its start time together. */
import { readFileSync, readdirSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot; distinguishes it from a later process with the same pid. */
  readonly startTime: number;
}

export interface ProcessInfo extends ProcessId {
  readonly name: string;
  /** R, S, D, T, Z, X... as in proc(5). */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

/** Undefined when there is no such process. A dead one that nobody has reaped yet is there. */
export function readProcess(pid: number): ProcessInfo | undefined {
  const text = tryRead(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // The name is in parentheses and may itself contain any character.
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const words = text.slice(close + 2).split(' ');
  return {
    pid,
    name: text.slice(open + 1, close),
    state: words[0] ?? '?',
    parent: Number(words[1]),
    session: Number(words[3]),
    startTime: Number(words[19]),
  };
}

/** The very process, alive; undefined when it is dead or its pid belongs to another one. */
export function findAlive(id: ProcessId): ProcessInfo | undefined {
  const info = readProcess(id.pid);
  return info !== undefined && info.startTime === id.startTime && isAlive(info) ? info : undefined;
}

export function isAlive(info: ProcessInfo): boolean {
  return info.state !== 'Z' && info.state !== 'X';
}

export function allProcesses(): readonly ProcessInfo[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((name) => readProcess(Number(name))).filter((info) => info !== undefined);
}

/** Empty for a process that is gone, a kernel thread, or a dead one. */
export function readEnvironment(pid: number): readonly string[] {
  return tryRead(`/proc/${pid}/environ`)?.split('\0') ?? [];
}

export function readArguments(pid: number): readonly string[] {
  return tryRead(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // ENOENT or ESRCH: it ended between two looks, which is what undefined says.
    return undefined;
  }
}
