/**
 * Serves one FUSE mount: reads a request, does it, answers, until the file system is unmounted or
 * aborted. Synchronous, for a worker thread that does nothing else.
 *
 * The loop ends only by ENODEV from the device, by `stop`, or by an error that says that the program
 * itself is broken (an `InvariantError`, a full sink). No request and no error of the store ends it.
 *
 * Everything that one reader needs is in the loop's own variables, so that several can share a
 * descriptor once the nodes are shared between threads.
 */
import { readSync, writeSync } from 'node:fs';
import { TakoError } from '../../base/tako-error.ts';
import type { Fd } from '../../ports/file-system.ts';
import type { Log } from '../../ports/log.ts';
import { EIO } from '../wire/errno.ts';
import { ANSWERED, type RequestHandler, type SessionWiring } from '../wire/handler.ts';
import { DATA_BYTES_MAX, REQUEST_BYTES_MAX } from '../wire/init.ts';
import { Reply } from '../wire/reply.ts';
import { Request } from '../wire/request.ts';
import { isDeviceError } from './device-error.ts';
import { negotiate, type Negotiation } from './negotiate.ts';

export interface SessionDeps {
  readonly log: Log;
  /** Asked between requests: true ends the session without unmounting. */
  readonly stop: () => boolean;
  /** Makes those who do what is asked; `createOperations` of `src/fuse/ops` in a mirror. */
  readonly serve: (wiring: SessionWiring) => RequestHandler;
}

/** Why a session ended. */
export type SessionEnd = 'unmounted' | 'stopped';

/** Lowest error number that the kernel takes; anything below leaves the caller waiting. */
const ERROR_MIN = -511;

/**
 * `deviceFd` is /dev/fuse as it was given to mount(2); it stays open. Returns when the session is
 * over, with the handler closed: a sync that the sink has not done by then finds its descriptor
 * gone, and nobody waits for it any more.
 * Throws a `TakoError` when the kernel cannot be served at all.
 */
export function runSession(deviceFd: Fd, deps: SessionDeps): SessionEnd {
  const { log } = deps;
  const request = new Request(REQUEST_BYTES_MAX);
  const reply = new Reply(DATA_BYTES_MAX);
  if (!nextRequest(deviceFd, request, log)) return 'unmounted';
  const agreed = negotiate({ deviceFd, request, reply });
  if (agreed === undefined) return 'unmounted';
  const notify = (message: Uint8Array): void => {
    // ENOENT: the kernel has dropped that node already.
    const failed = writeDevice(deviceFd, message, message.length);
    if (failed !== undefined && failed !== 'ENOENT') log.warn('notification refused', { failed });
  };
  const handler = deps.serve({ reply, flags: agreed.flags, notify });
  log.info('serving the mirror', { protocol: `${agreed.major}.${agreed.minor}` });
  try {
    return serve({ deviceFd, request, reply }, handler, deps);
  } finally {
    handler.close();
  }
}

function serve(
  { deviceFd, request, reply }: Negotiation,
  handler: RequestHandler,
  { log, stop }: SessionDeps,
): SessionEnd {
  while (!stop()) {
    if (!nextRequest(deviceFd, request, log)) return 'unmounted';
    const outcome = handler.handle(request);
    if (outcome === ANSWERED) continue;
    const error = outcome < ERROR_MIN ? EIO : Math.min(outcome, 0);
    const length = reply.finish(request, error, Math.max(outcome, 0));
    const failed = writeDevice(deviceFd, reply.buffer, length);
    // ENOENT: nobody waits for the answer any more. ENODEV: the next read says so too.
    if (failed !== undefined && failed !== 'ENOENT' && failed !== 'ENODEV') {
      log.error('the kernel refused an answer', { failed, opcode: request.opcode, outcome });
    }
  }
  return 'stopped';
}

/** False when the file system is unmounted. */
function nextRequest(deviceFd: Fd, request: Request, log: Log): boolean {
  for (;;) {
    const length = readDevice(deviceFd, request.buffer);
    if (length === 'ENODEV') return false;
    // ENOENT: the request was withdrawn between its announcement and our read.
    if (typeof length === 'string') continue;
    if (request.load(length)) return true;
    log.error('a request of the kernel is malformed', { length });
  }
}

function readDevice(deviceFd: Fd, into: Uint8Array): number | 'ENODEV' | 'again' {
  try {
    return readSync(deviceFd, into, 0, into.length, null);
  } catch (error) {
    if (isDeviceError(error, 'ENODEV')) return 'ENODEV';
    for (const code of ['ENOENT', 'EINTR', 'EAGAIN'])
      if (isDeviceError(error, code)) return 'again';
    throw new TakoError('system-call', 'Cannot read requests from /dev/fuse', { cause: error });
  }
}

/** The name of the error, if there was one. */
function writeDevice(deviceFd: Fd, message: Uint8Array, length: number): string | undefined {
  try {
    writeSync(deviceFd, message, 0, length);
    return undefined;
  } catch (error) {
    for (const code of ['ENOENT', 'ENODEV', 'EINVAL', 'EIO', 'EAGAIN', 'EINTR', 'ENOTCONN'])
      if (isDeviceError(error, code)) return code;
    throw new TakoError('system-call', 'Cannot write answers to /dev/fuse', { cause: error });
  }
}
