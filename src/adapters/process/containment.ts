/**
 * What belongs to a program. Two kinds: a control group (exact, also against programs that try to
 * get away), and where there is none, a search of /proc (weaker: a process that left the session,
 * cleared its environment and lost its parent between two looks is not found).
 */
import type { Log } from '../../ports/log.ts';
import {
  groupPids,
  isFrozen,
  isPopulated,
  killGroup,
  setFrozen,
  tryRemoveGroup,
} from './cgroup.ts';
import { signalProcess } from './pidfd.ts';
import { type ProcessId, type ProcessInfo, allProcesses, isAlive, readProcess } from './proc.ts';
import { findAlive, readEnvironment } from './proc.ts';

/** Name of the environment variable that every process of a program inherits. */
export const MARKER_VARIABLE = 'TAKO_PROGRAM';
/** Rounds of looking and killing within one call; whoever forks faster waits for the next call. */
const KILL_ROUNDS_MAX = 20;

export interface Containment {
  isEmpty(): boolean;
  members(): readonly ProcessInfo[];
  killAll(): void;
  /** False where it is not offered. */
  setFrozen(frozen: boolean): boolean;
  isFrozen(): boolean;
  /** Gives back what it took; it must be empty. */
  release(): void;
}

export function cgroupContainment(path: string, log: Log): Containment {
  const members = (): readonly ProcessInfo[] =>
    groupPids(path)
      .map(readProcess)
      .filter((info) => info !== undefined);
  return {
    isEmpty: () => !isPopulated(path),
    members,
    killAll: () => {
      if (killGroup(path)) return;
      // Without cgroup.kill: frozen processes cannot fork, and die all the same when thawed.
      setFrozen(path, true);
      for (const member of members()) signalProcess(member, 'SIGKILL');
      setFrozen(path, false);
    },
    setFrozen: (frozen) => setFrozen(path, frozen),
    isFrozen: () => isFrozen(path),
    release: () => tryRemoveGroup(path, log),
  };
}

export interface ScanOptions {
  /** Value of the marker variable, or its beginning when it ends with a colon. */
  readonly marker: string;
  readonly main: ProcessId | undefined;
}

export function scanContainment({ marker, main }: ScanOptions): Containment {
  const known = new Map<number, ProcessId>();
  const look = (): readonly ProcessInfo[] => {
    const all = allProcesses().filter(isAlive);
    // The number of a session may be given anew only after its leader is gone.
    const session = main !== undefined && findAlive(main) !== undefined ? main.pid : undefined;
    for (const info of all) {
      const parent = known.get(info.parent);
      const child = parent !== undefined && findAlive(parent) !== undefined;
      if (child || info.session === session || isMarked(info.pid, marker))
        known.set(info.pid, info);
    }
    const found = all.filter((info) => known.get(info.pid)?.startTime === info.startTime);
    const pids = new Set(found.map((info) => info.pid));
    for (const pid of known.keys()) if (!pids.has(pid)) known.delete(pid);
    return found;
  };
  return {
    isEmpty: () => look().length === 0,
    members: look,
    killAll: () => {
      for (let round = 0; round < KILL_ROUNDS_MAX; round += 1) {
        const found = look();
        if (found.length === 0) return;
        // Stopped first, so that a parent cannot fork while its children are killed.
        for (const info of found) signalProcess(info, 'SIGSTOP');
        for (const info of look()) signalProcess(info, 'SIGKILL');
      }
    },
    setFrozen: () => false,
    isFrozen: () => false,
    release: () => known.clear(),
  };
}

export function isMarked(pid: number, marker: string): boolean {
  const wanted = `${MARKER_VARIABLE}=${marker}`;
  const partial = marker.endsWith(':');
  return readEnvironment(pid).some((entry) =>
    partial ? entry.startsWith(wanted) : entry === wanted,
  );
}
