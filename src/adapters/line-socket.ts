/**
 * Newline-delimited JSON over unix stream sockets: how the processes of a node speak.
 *
 * - The server replaces a stale socket file, and refuses to push away a server that lives.
 * - The client connects by itself, again and again; what is sent while it is not connected is
 *   refused, so whoever uses it says everything that counts in `onOpen`.
 * - Nothing is unbounded: a line has a longest length, and a peer that does not read is dropped
 *   when {@link QUEUE_BYTES_MAX} wait for it. Malformed input ends that connection, with a log
 *   line, and nothing else. What a callback throws is not caught here.
 */
import { lstat } from 'node:fs/promises';
import { type Server, type Socket, createConnection, createServer } from 'node:net';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import { LINE_BYTES_MAX, LineReader, encodeLine } from './line-codec.ts';
import { listenPrivately, removeSocket } from './private-socket.ts';

/** Bytes that may wait for a peer that does not read. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
const RETRY_MS = 20;
const CLIENTS_MAX = 256;

/** One end of a connection. */
export interface LinePeer<Out> {
  /** Unique within this process. */
  readonly id: number;
  /** False when it was not sent: not connected, too long, or the queue is full. */
  send(message: Out): boolean;
  /** What was sent and is not yet in the kernel is dropped. */
  close(): void;
}

export interface LineServerOptions<In, Out> {
  readonly path: string;
  readonly log: Log;
  /** Rejects what is not one of the caller's messages; without it any JSON object passes. */
  readonly isMessage?: ((value: unknown) => value is In) | undefined;
  readonly onOpen?: ((peer: LinePeer<Out>) => void) | undefined;
  readonly onMessage: (message: In, peer: LinePeer<Out>) => void;
  readonly onClose?: ((peer: LinePeer<Out>) => void) | undefined;
}

export interface LineServer<Out> {
  readonly peers: ReadonlySet<LinePeer<Out>>;
  broadcast(message: Out): void;
  close(): Promise<void>;
}

export interface LineClientOptions<In, Out> {
  readonly path: string;
  readonly log: Log;
  readonly isMessage?: ((value: unknown) => value is In) | undefined;
  readonly onOpen?: ((client: LineClient<Out>) => void) | undefined;
  readonly onMessage: (message: In, client: LineClient<Out>) => void;
  readonly onClose?: ((client: LineClient<Out>) => void) | undefined;
  /** Time between two attempts to connect (20). */
  readonly retryMs?: number | undefined;
}

export interface LineClient<Out> extends LinePeer<Out> {
  readonly connected: boolean;
  /** For good: it does not connect again, and `onClose` is called if it was connected. */
  close(): void;
}

let lastId = 0;

/** Listens with mode 0600. Rejects with a TakoError when it cannot. */
export async function serveLines<In, Out>(
  options: LineServerOptions<In, Out>,
): Promise<LineServer<Out>> {
  const { path, log } = options;
  await refuseLiveServer(path);
  const peers = new Set<LinePeer<Out>>();
  const server = createServer((socket) => {
    const peer = attach<In, Out>(socket, {
      path,
      log,
      isMessage: options.isMessage,
      onMessage: (message, self) => options.onMessage(message, self),
      onClose: (self) => {
        if (peers.delete(self)) options.onClose?.(self);
      },
    });
    peers.add(peer);
    options.onOpen?.(peer);
  });
  server.maxConnections = CLIENTS_MAX;
  server.on('drop', () => log.warn('connection refused, too many clients', { path }));
  const inode = await listen(server, path);
  server.on('error', (error) => log.warn('cannot accept a connection', { path, error }));
  return {
    peers,
    broadcast: (message) => {
      for (const peer of [...peers]) peer.send(message);
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const peer of [...peers]) peer.close();
      await closed;
      await removeSocket(path, inode);
    },
  };
}

/** Starts to connect at once and goes on until closed. */
export function connectLines<In, Out>(options: LineClientOptions<In, Out>): LineClient<Out> {
  const { path, log } = options;
  let current: LinePeer<Out> | undefined;
  let attempt: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let failures = 0;
  lastId += 1;
  const client: LineClient<Out> = {
    id: lastId,
    get connected() {
      return current !== undefined;
    },
    send: (message) => current?.send(message) ?? false,
    close: () => {
      closed = true;
      clearTimeout(timer);
      attempt?.destroy();
      current?.close();
    },
  };

  function retryLater(): void {
    if (!closed) timer = setTimeout(connect, options.retryMs ?? RETRY_MS);
  }

  function connect(): void {
    const socket = createConnection(path);
    attempt = socket;
    const onError = (error: Error): void => {
      attempt = undefined;
      // Once per outage: it tries again many times a second.
      if (failures === 0) log.debug('cannot connect yet', { path, error: messageOf(error) });
      failures += 1;
      retryLater();
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      attempt = undefined;
      failures = 0;
      current = attach<In, Out>(socket, {
        path,
        log,
        isMessage: options.isMessage,
        onMessage: (message) => options.onMessage(message, client),
        onClose: () => {
          current = undefined;
          retryLater();
          options.onClose?.(client);
        },
      });
      options.onOpen?.(client);
    });
  }

  connect();
  return client;
}

interface Attachment<In, Out> {
  readonly path: string;
  readonly log: Log;
  readonly isMessage: ((value: unknown) => value is In) | undefined;
  readonly onMessage: (message: In, peer: LinePeer<Out>) => void;
  readonly onClose: (peer: LinePeer<Out>) => void;
}

function attach<In, Out>(socket: Socket, to: Attachment<In, Out>): LinePeer<Out> {
  const { log, path } = to;
  let open = true;
  const isMessage = to.isMessage ?? (isObject as (value: unknown) => value is In);
  const reader = new LineReader((value) => {
    if (isMessage(value)) to.onMessage(value, peer);
    else drop('it sent something that is no message', 'warn');
  });
  lastId += 1;
  const peer: LinePeer<Out> = {
    id: lastId,
    send: (message) => {
      if (!open) return false;
      const line = encodeLine(message);
      if (line === undefined) {
        log.error('message not sent, too long', { path, limitBytes: LINE_BYTES_MAX });
        return false;
      }
      if (socket.writableLength + line.length > QUEUE_BYTES_MAX) {
        drop(`it does not read, ${socket.writableLength} bytes wait for it`, 'warn');
        return false;
      }
      socket.write(line);
      return true;
    },
    close: () => {
      open = false;
      reader.stop();
      socket.destroy();
    },
  };

  function drop(why: string, level: 'warn' | 'debug'): void {
    if (!open) return;
    log[level]('connection closed', { path, peer: peer.id, why });
    peer.close();
  }

  socket.on('data', (chunk: Buffer) => {
    const wrong = reader.push(chunk);
    if (wrong !== undefined) drop(wrong, 'warn');
  });
  socket.on('error', (error) => drop(messageOf(error), 'debug'));
  socket.on('close', () => {
    open = false;
    reader.stop();
    to.onClose(peer);
  });
  return peer;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function listen(server: Server, path: string): Promise<number> {
  try {
    return await listenPrivately(server, path);
  } catch (cause) {
    throw new TakoError('system-call', `Cannot listen on "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Check that its directory exists and that this program may write there',
    });
  }
}

async function refuseLiveServer(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new TakoError('system-call', `Cannot listen on "${path}": it is there, no socket`, {
      next: `Move "${path}" away`,
    });
  }
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // ECONNREFUSED: nobody listens. EAGAIN: its queue of connections is full, so somebody does.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });
  if (alive) {
    throw new TakoError('system-call', `Cannot listen on "${path}": another process serves it`, {
      next: `Find it with: ss -xlp | grep ${path}`,
    });
  }
}
