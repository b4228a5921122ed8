/**
 * Makes the calling process one that no load on the machine can hold up: real-time scheduling, or at
 * least a high priority, and memory that is not paged out. Children do not inherit the scheduling.
 */
import { constants, setPriority } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { messageOf } from '../../base/tako-error.ts';

const SCHED_FIFO = 1;
const SCHED_RESET_ON_FORK = 0x40000000;
const MCL_CURRENT = 1;
const MCL_FUTURE = 2;
const MCL_ONFAULT = 4;
export const REAL_TIME_PRIORITY = 20;

const libc = koffi.load(null);
const setScheduler = libc.func('sched_setscheduler', 'int', [
  'int',
  'int',
  'void *',
]) as unknown as (pid: number, policy: number, parameters: Uint8Array) => number;
const lockMemory = libc.func('mlockall', 'int', ['int']) as unknown as (flags: number) => number;

export interface RealTime {
  readonly scheduling: 'real-time' | 'high priority' | 'normal';
  readonly memoryLocked: boolean;
  /** Why it is not all that was wanted. */
  readonly why: readonly string[];
}

export function becomeRealTime(): RealTime {
  const why: string[] = [];
  const scheduling = schedule(why);
  // Only pages that are used: a JavaScript engine reserves far more than it ever touches.
  const memoryLocked = lockMemory(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) === 0;
  if (!memoryLocked) why.push(`memory not locked: ${errorName()}`);
  return { scheduling, memoryLocked, why };
}

function schedule(why: string[]): RealTime['scheduling'] {
  const parameters = Buffer.alloc(4);
  parameters.writeInt32LE(REAL_TIME_PRIORITY);
  if (setScheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, parameters) === 0) return 'real-time';
  why.push(`no real-time scheduling: ${errorName()}`);
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
    return 'high priority';
  } catch (error) {
    why.push(`no higher priority: ${messageOf(error)}`);
    return 'normal';
  }
}

function errorName(): string {
  return getSystemErrorName(-koffi.errno());
}
