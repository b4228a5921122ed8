/**
 * The side that answers the controls of the other nodes, on each of this node's link addresses.
 * A connection must come from a configured address and know the cluster key; then it may ask. A
 * stranger gets nothing past the handshake, a peer that breaks the protocol is cut off.
 */
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { InvariantError, must } from '../../base/assert.ts';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { serverTlsOptions, type TlsIdentity, tlsPeer } from '../tls-psk.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { isVersionTell, versionTell, versionTrouble } from './version-tell.ts';

const HANDSHAKE_MS = 2000;
const CONNECTIONS_MAX = 64;
/** A peer has one connection, and for a moment a second while it moves to another link. */
const CONNECTIONS_PER_PEER_MAX = 4;
const ASKS_MAX = 64;
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;
/** The peer pings every 200 ms; so long without a byte, it is gone. */
const SILENCE_MS = 5000;
const LISTEN_RETRY_MS = 500;
/** Refusals are told at most so often: a port scan must not fill the disk. */
const REFUSAL_LOG_MS = 60_000;

export interface RpcHandlers {
  /** The answer, or a `TakoError` that is handed to the asking node. */
  readonly onRequest: (from: NodeId, method: string, params: unknown) => Promise<unknown>;
  readonly onNotify?: ((from: NodeId, method: string, params: unknown) => void) | undefined;
}

export interface RpcServerOptions extends RpcHandlers {
  readonly identity: TlsIdentity;
  /** This node's own. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly peers: readonly { readonly node: NodeId; readonly addresses: readonly string[] }[];
  readonly log: Log;
}

export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #connections = new Map<TLSSocket, NodeId>();
  readonly #listeners: Listener[];
  #refusalLoggedAt = Number.NEGATIVE_INFINITY;
  #refusals = 0;

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#listeners = options.addresses.map(
      (address) => new Listener(this.#createServer(), address, options.port, options.log),
    );
  }

  /** Connections that were refused so far: strangers, other keys, broken protocol. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Resolves when each address listens, or was tried once. */
  async started(): Promise<void> {
    await Promise.all(this.#listeners.map(({ tried }) => tried));
  }

  async close(): Promise<void> {
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  #createServer(): Server {
    const { identity, peers } = this.#options;
    const allowed = new Set(peers.flatMap(({ addresses }) => addresses));
    const server = createTlsServer({
      ...serverTlsOptions(
        identity,
        peers.map(({ node }) => node),
      ),
      handshakeTimeout: HANDSHAKE_MS,
    });
    server.maxConnections = CONNECTIONS_MAX;
    server.prependListener('connection', (socket) => {
      if (allowed.has(socket.remoteAddress ?? '')) return;
      this.#refused(`a connection from ${socket.remoteAddress ?? 'nowhere'}, no node's address`);
      socket.destroy();
    });
    server.on('tlsClientError', (error) => this.#refused(`a failed handshake: ${error.message}`));
    server.on('secureConnection', (socket) => this.#accept(socket));
    return server;
  }

  #accept(socket: TLSSocket): void {
    const from = tlsPeer(socket);
    if (from === undefined) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, from);
    const same = [...this.#connections].filter(([, node]) => node === from);
    if (same.length > CONNECTIONS_PER_PEER_MAX) must(same[0], 'longer than 0')[0].destroy();
    socket.setNoDelay(true);
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    // Nothing to do for one that breaks: the peer connects again.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#connections.delete(socket));
    const told = versionTell();
    if (told !== undefined) socket.write(told);
    const reader = new FrameReader();
    const asks = { open: 0 };
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) {
          if (socket.destroyed) return;
          this.#receive(socket, from, frame, asks);
        }
      } catch (error) {
        if (error instanceof InvariantError) throw error;
        this.#refused(`"${from}" sent ${messageOf(error)}`);
        socket.destroy();
      }
    });
  }

  #receive(socket: TLSSocket, from: NodeId, frame: Frame, asks: { open: number }): void {
    if (frame.type === 'ping') {
      write(socket, { type: 'pong' });
    } else if (isVersionTell(frame)) {
      this.#judge(socket, from, frame);
    } else if (frame.type === 'tell') {
      this.#options.onNotify?.(from, frame.method, frame.params);
    } else if (frame.type === 'ask') {
      if (asks.open >= ASKS_MAX) {
        const message = `Cannot answer ${frame.method}: ${ASKS_MAX} requests are under way`;
        write(socket, failure(frame.id, new TakoError('busy', message)));
        return;
      }
      asks.open += 1;
      this.#answer(from, frame)
        .then((answer) => write(socket, answer))
        .finally(() => {
          asks.open -= 1;
        })
        .catch(endProcess);
    }
  }

  /** What the peer asks would not be understood as it is meant. */
  #judge(socket: TLSSocket, peer: NodeId, frame: Frame): void {
    const trouble = versionTrouble(frame, { me: this.#options.identity.node, peer });
    if (trouble === undefined) return;
    this.#refused(`version-unsupported: ${trouble.why}; next: ${trouble.next}`);
    // With an end, so that what was told first still arrives.
    socket.removeAllListeners('data');
    socket.end();
  }

  async #answer(
    from: NodeId,
    { id, method, params }: Extract<Frame, { type: 'ask' }>,
  ): Promise<Frame> {
    try {
      const result = await this.#options.onRequest(from, method, params);
      return { type: 'answer', id, ok: true, result };
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      if (!(error instanceof TakoError)) {
        this.#options.log.error('request of a peer failed unexpectedly', { from, method, error });
      }
      return failure(id, error);
    }
  }

  #refused(what: string): void {
    this.#refusals += 1;
    const now = performance.now();
    if (now - this.#refusalLoggedAt < REFUSAL_LOG_MS) return;
    this.#refusalLoggedAt = now;
    this.#options.log.warn('refused a control connection', { what, refusals: this.#refusals });
  }
}

/** Only a broken invariant comes here, and nobody catches one to go on. */
function endProcess(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function failure(id: number, error: unknown): Frame {
  const known = error instanceof TakoError ? error : undefined;
  return {
    type: 'answer',
    id,
    ok: false,
    code: known?.code ?? 'internal',
    message: messageOf(error),
    next: known?.next,
  };
}

function write(socket: TLSSocket, frame: Frame): void {
  if (socket.destroyed) return;
  const id = frame.type === 'answer' ? frame.id : 0;
  const tooLong = new TakoError('internal', 'Cannot answer: the answer is too long for one frame');
  const bytes = encodeFrame(frame) ?? encodeFrame(failure(id, tooLong));
  if (bytes === undefined || socket.writableLength > QUEUE_BYTES_MAX) {
    socket.destroy();
    return;
  }
  socket.write(bytes);
}

/** Listens on one address, and keeps trying while the machine does not have it yet. */
class Listener {
  /** Resolves when the first attempt has succeeded or failed. */
  readonly tried: Promise<void>;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #complained = false;

  constructor(server: Server, address: string, port: number, log: Log) {
    this.#server = server;
    const listen = (): void => {
      if (!this.#closed) server.listen({ host: address, port });
    };
    this.tried = new Promise((resolve) => {
      server.on('listening', () => {
        if (this.#complained) log.info('control address listens now', { address, port });
        resolve();
      });
      server.on('error', (error) => {
        if (!this.#complained)
          log.warn('control address cannot listen yet', { address, port, error });
        this.#complained = true;
        this.#retry = setTimeout(listen, LISTEN_RETRY_MS);
        resolve();
      });
    });
    listen();
  }

  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (!this.#server.listening) return Promise.resolve();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}
