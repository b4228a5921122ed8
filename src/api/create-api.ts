/**
 * The API of a node: HTTP over `RUNDIR/api.sock`, which only root can open. It checks the form of
 * requests and turns errors into {@link ApiProblem}s; everything else is {@link Steering}'s.
 */
import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { fastify, type FastifyInstance } from 'fastify';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { Steering } from '../ports/steering.ts';
import { type EventStreams, createEventStreams } from './event-streams.ts';
import { handleProblems } from './problems.ts';
import { addRoutes } from './routes.ts';

const BODY_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX = 128;
/** sun_path has 108 bytes, its end included; the temporary name is longer by four. */
const PATH_BYTES_MAX = 103;
const PROBE_MS = 1000;

export interface Api {
  /** Answers on this unix socket from now on; replaces a stale socket file, refuses a living one. */
  listen(socketPath: string): Promise<void>;
  /** Ends event streams, lets requests under way end, removes the socket. */
  close(): Promise<void>;
}

export function createApi(steering: Steering, log: Log): Api {
  const app = fastify({ logger: false, bodyLimit: BODY_BYTES_MAX, forceCloseConnections: 'idle' });
  app.server.maxConnections = CONNECTIONS_MAX;
  const streams = createEventStreams(steering, log);
  handleProblems(app, log);
  addRoutes(app, steering, streams);
  let socket: string | undefined;
  return {
    listen: async (path) => {
      await listenAt(app, path);
      socket = path;
    },
    close: () => closeApi(app, streams, socket),
  };
}

/**
 * Listens under a temporary name and moves the socket into place once it is ready and closed to
 * others, so that a client meets either the old socket or a working one.
 */
async function listenAt(app: FastifyInstance, path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new TakoError(
      'system-call',
      `Cannot listen on "${path}": a socket's path has at most ${PATH_BYTES_MAX} bytes here`,
      { next: 'Choose a shorter run directory' },
    );
  }
  if (await isAnswered(path)) {
    throw new TakoError('busy', `Cannot listen on "${path}": another process answers there`, {
      next: 'Stop the other Tako that uses this run directory, or choose another one',
    });
  }
  const temporary = `${path}.new`;
  try {
    await rm(temporary, { force: true });
    await app.listen({ path: temporary });
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } catch (error) {
    throw new TakoError('system-call', `Cannot listen on "${path}": ${messageOf(error)}`, {
      next: 'Check that the run directory exists and is writable',
      cause: error,
    });
  }
}

async function closeApi(
  app: FastifyInstance,
  streams: EventStreams,
  socket: string | undefined,
): Promise<void> {
  streams.close();
  await app.close();
  if (socket !== undefined) await rm(socket, { force: true });
}

/** Whether some process accepts connections on the socket file. */
async function isAnswered(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return false;
  if (!stat.isSocket()) {
    throw new TakoError('system-call', `Cannot listen on "${path}": it is not a socket`, {
      next: 'Move that file away',
    });
  }
  return new Promise((resolve) => {
    const probe = createConnection(path);
    const settle = (answered: boolean): void => {
      probe.destroy();
      resolve(answered);
    };
    // One that neither accepts nor refuses lives, and must not be pushed away.
    probe.setTimeout(PROBE_MS, () => settle(true));
    probe.on('connect', () => settle(true));
    probe.on('error', () => settle(false));
  });
}
