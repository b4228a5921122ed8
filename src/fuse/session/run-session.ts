/**
 * Serves one FUSE mount: reads a request, does it, answers, until the file system is unmounted or
 * aborted. Synchronous, for a worker thread that does nothing else.
 *
 * The loop ends only when the file system is unmounted or aborted, by `stop`, or by an error that
 * says that the program itself is broken (an `InvariantError`). No request and no error of the store
 * ends it.
 *
 * Everything that one reader needs is in the loop's own variables, so that several can share a
 * descriptor once the nodes are shared between threads.
 */
import { TakoError } from '../../base/tako-error.ts';
import type { FuseDevice } from '../../ports/fuse-device.ts';
import type { Log } from '../../ports/log.ts';
import { EAGAIN, EINTR, EIO, ENODEV, ENOENT } from '../wire/errno.ts';
import { ANSWERED, type RequestHandler, type SessionWiring } from '../wire/handler.ts';
import { DATA_BYTES_MAX, REQUEST_BYTES_MAX } from '../wire/init.ts';
import { Reply } from '../wire/reply.ts';
import { Request } from '../wire/request.ts';
import { negotiate, type Negotiation } from './negotiate.ts';

export interface SessionDeps {
  readonly log: Log;
  /** Asked between requests and ten times a second: true ends the session without unmounting. */
  readonly stop: () => boolean;
  /** Makes those who do what is asked; `createOperations` of `src/fuse/ops` in a mirror. */
  readonly serve: (wiring: SessionWiring) => RequestHandler;
}

/** Why a session ended. */
export type SessionEnd = 'unmounted' | 'stopped';

/** Lowest error number that the kernel takes; anything below leaves the caller waiting. */
const ERROR_MIN = -511;

/** How long a thread without work is deaf to {@link SessionDeps.stop} and to its own termination. */
const WAIT_MS = 100;

/**
 * Returns when the session is over, with the handler closed: a sync that the sink has not done by
 * then finds its descriptor gone, and nobody waits for it any more.
 * Throws a `TakoError` when the kernel cannot be served at all.
 */
export function runSession(device: FuseDevice, deps: SessionDeps): SessionEnd {
  const { log } = deps;
  const request = new Request(REQUEST_BYTES_MAX);
  const reply = new Reply(DATA_BYTES_MAX);
  const end = nextRequest(device, request, deps);
  if (end !== undefined) return end;
  const agreed = negotiate({ device, request, reply });
  if (agreed === undefined) return 'unmounted';
  const notify = (message: Uint8Array): void => {
    // ENOENT: the kernel has dropped that node already.
    const failed = device.write(message, message.length);
    if (failed < 0 && failed !== ENOENT) log.warn('notification refused', { failed });
  };
  const handler = deps.serve({ reply, flags: agreed.flags, notify });
  log.info('serving the mirror', { protocol: `${agreed.major}.${agreed.minor}` });
  try {
    return serve({ device, request, reply }, handler, deps);
  } finally {
    handler.close();
  }
}

function serve(
  { device, request, reply }: Negotiation,
  handler: RequestHandler,
  deps: SessionDeps,
): SessionEnd {
  for (;;) {
    const end = nextRequest(device, request, deps);
    if (end !== undefined) return end;
    const outcome = handler.handle(request);
    if (outcome === ANSWERED) continue;
    const error = outcome < ERROR_MIN ? EIO : Math.min(outcome, 0);
    const length = reply.finish(request, error, Math.max(outcome, 0));
    const failed = device.write(reply.buffer, length);
    // ENOENT: nobody waits for the answer any more. ENODEV: the next read says so too.
    if (failed < 0 && failed !== ENOENT && failed !== ENODEV) {
      deps.log.error('the kernel refused an answer', { failed, opcode: request.opcode, outcome });
    }
  }
}

/** Loads the next request; otherwise why there will be none. */
function nextRequest(
  device: FuseDevice,
  request: Request,
  { log, stop }: SessionDeps,
): SessionEnd | undefined {
  while (!stop()) {
    const ready = device.wait(WAIT_MS);
    if (ready === 0 || ready === EINTR) continue;
    if (ready < 0) throw deviceFailed('wait for', ready);
    const length = device.read(request.buffer);
    if (length === ENODEV) return 'unmounted';
    // ENOENT: withdrawn between its announcement and our read. EAGAIN: another thread has it.
    if (length === ENOENT || length === EINTR || length === EAGAIN) continue;
    if (length < 0) throw deviceFailed('read', length);
    if (request.load(length)) return undefined;
    log.error('a request of the kernel is malformed', { length });
  }
  return 'stopped';
}

function deviceFailed(attempt: string, error: number): TakoError {
  return new TakoError('system-call', `Cannot ${attempt} requests from /dev/fuse: error ${-error}`);
}
