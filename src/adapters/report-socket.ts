/**
 * The socket on which the program of one resource reports about itself. It belongs to the user that
 * runs the program, with mode 0600: the kernel lets nobody else connect but root.
 *
 * Whatever comes in is foreign. Bad input, too long lines and too many messages end that
 * connection and nothing else; connections, lines and answers that wait are bounded.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { type Server, type Socket, createServer } from 'node:net';
import { dirname } from 'node:path';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import {
  REPORT_LINE_BYTES_MAX,
  type ReportAnswer,
  type ReportMessage,
  readReport,
} from '../protocol/report.ts';
import { LineReader } from './line-codec.ts';
import { listenPrivately, removeSocket } from './private-socket.ts';
import { findUser } from './process/user.ts';

const CONNECTIONS_MAX = 8;
/** Messages of a connection within {@link RATE_MS}. */
const RATE_MAX = 100;
const RATE_MS = 1000;
/** Bytes of answers that wait for a program that does not read them. */
const QUEUE_BYTES_MAX = 64 * 1024;

export interface ReportSocketOptions {
  readonly path: string;
  /** Who runs the program; undefined: root. */
  readonly user: string | undefined;
  readonly log: Log;
  /** Never rejects. */
  readonly onMessage: (message: ReportMessage) => Promise<Omit<ReportAnswer, 'id'>>;
}

export interface ReportSocket {
  close(): Promise<void>;
}

/** Rejects with a TakoError when it cannot listen. */
export async function listenForReports(options: ReportSocketOptions): Promise<ReportSocket> {
  const { path, log } = options;
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serve(socket, options);
  });
  server.maxConnections = CONNECTIONS_MAX;
  const inode = await listen(server, options);
  server.on('error', (error) => {
    log.warn('cannot accept a connection', { path, error: messageOf(error) });
  });
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      for (const socket of connections) socket.destroy();
      await closed;
      await removeSocket(path, inode);
    },
  };
}

function serve(socket: Socket, { path, log, onMessage }: ReportSocketOptions): void {
  let [count, since] = [0, 0];
  const drop = (why: string): void => {
    if (socket.destroyed) return;
    log.warn('a program that reports was cut off', { path, why });
    reader.stop();
    socket.destroy();
  };
  const answer = (said: ReportAnswer): void => {
    if (socket.destroyed) return;
    if (socket.writableLength > QUEUE_BYTES_MAX) return drop('it does not read its answers');
    socket.write(`${JSON.stringify(said)}\n`);
  };
  const reader = new LineReader((value) => {
    const now = performance.now();
    if (now - since > RATE_MS) [count, since] = [0, now];
    count += 1;
    if (count > RATE_MAX) return drop(`it sent more than ${RATE_MAX} messages in ${RATE_MS} ms`);
    const message = readReport(value);
    if (typeof message === 'string') return drop(`it sent a message that is none: ${message}`);
    void onMessage(message).then((said) => answer({ id: message.id, ...said }));
  }, REPORT_LINE_BYTES_MAX);
  socket.on('data', (chunk: Buffer) => {
    const wrong = reader.push(chunk);
    if (wrong !== undefined) drop(wrong);
  });
  socket.on('error', (error) => log.debug('a program that reports is gone', { path, error }));
  socket.on('close', () => reader.stop());
}

async function listen(
  server: Server,
  { path, user }: Pick<ReportSocketOptions, 'path' | 'user'>,
): Promise<number> {
  try {
    // Others may pass through, to the sockets that are theirs.
    await mkdir(dirname(path), { recursive: true, mode: 0o711 });
    await chmod(dirname(path), 0o711);
    return await listenPrivately(server, path, user === undefined ? user : await findUser(user));
  } catch (cause) {
    throw new TakoError('system-call', `Cannot listen on "${path}": ${messageOf(cause)}`, {
      cause,
      next: 'Its resource runs all the same, but cannot report about itself',
    });
  }
}
