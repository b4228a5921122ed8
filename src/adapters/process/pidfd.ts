/**
 * Signals that can't reach the wrong process: through a descriptor of the process (pidfd_open(2)),
 * whose identity is checked after it was opened. A pid alone may be given to another process
 * between the check and the kill.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import koffi from 'koffi';
import { TakoError } from '../../base/tako-error.ts';
import { type ProcessId, findAlive } from './proc.ts';

/** The numbers are the same on all architectures. */
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const { ESRCH } = constants.errno;

type Syscall = (number: number, a: number, b: number, c: number | null, d: number) => number;
let loaded: Syscall | undefined;

/** Sends the signal if the very process still lives; tells whether it does. */
export function signalProcess(id: ProcessId, signal: string): boolean {
  const number = signalNumber(signal);
  const fd = syscall(PIDFD_OPEN, id.pid, 0, null, 0);
  if (fd < 0) {
    const errno = koffi.errno();
    if (errno === ESRCH) return false;
    throw new TakoError('system-call', `Cannot reach process ${id.pid}: pidfd_open: ${errno}`);
  }
  try {
    if (findAlive(id) === undefined) return false;
    if (syscall(PIDFD_SEND_SIGNAL, fd, number, null, 0) === 0) return true;
    const errno = koffi.errno();
    if (errno === ESRCH) return false;
    throw new TakoError('system-call', `Cannot send ${signal} to process ${id.pid}: ${errno}`);
  } finally {
    closeSync(fd);
  }
}

export function signalNumber(signal: string): number {
  const number = new Map<string, number>(Object.entries(constants.signals)).get(signal);
  if (number !== undefined) return number;
  throw new TakoError('agent-failed', `Cannot send "${signal}": there is no such signal`, {
    next: 'Use a name such as SIGTERM, SIGINT or SIGQUIT',
  });
}

function syscall(...args: Parameters<Syscall>): number {
  loaded ??= koffi
    .load(null)
    .func('syscall', 'intptr_t', ['long', 'long', 'long', 'void *', 'long']);
  return loaded(...args);
}
