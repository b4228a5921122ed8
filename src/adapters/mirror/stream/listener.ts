/**
 * Where a secondary waits for its primary: one TLS server per link address of this node. An address
 * that is not there yet is tried again; who does not know the cluster key never gets past the
 * handshake.
 */
import { createServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import { messageOf } from '../../../base/tako-error.ts';
import type { Log } from '../../../ports/log.ts';

const LISTEN_AGAIN_MS = 500;
const HANDSHAKE_MS_MAX = 2000;
const CONNECTIONS_MAX = 32;

export interface ListenerOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly tls: TlsOptions;
}

export interface ListenerDeps {
  readonly log: Log;
  readonly onConnection: (socket: TLSSocket) => void;
}

export class MirrorListener {
  readonly #options: ListenerOptions;
  readonly #deps: ListenerDeps;
  readonly #servers = new Set<Server>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #open = false;

  constructor(options: ListenerOptions, deps: ListenerDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Resolves with what went wrong, when no address at all could be listened on. Repeatable. */
  async open(): Promise<string | undefined> {
    if (this.#open) return undefined;
    this.#open = true;
    const results = await Promise.all(this.#options.addresses.map((at) => this.#listen(at)));
    const problems = results.filter((result) => result !== undefined);
    if (problems.length < results.length) return undefined;
    this.close();
    return problems.join('; ') || 'this node has no address on any link';
  }

  close(): void {
    this.#open = false;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const server of this.#servers) server.close();
    this.#servers.clear();
  }

  #listen(host: string): Promise<string | undefined> {
    const { port, tls } = this.#options;
    const server = createServer({ ...tls, handshakeTimeout: HANDSHAKE_MS_MAX, noDelay: true });
    server.maxConnections = CONNECTIONS_MAX;
    server.on('secureConnection', (socket) => {
      if (this.#open) this.#deps.onConnection(socket);
      else socket.destroy();
    });
    server.on('tlsClientError', (error) => {
      this.#deps.log.debug('connection refused', { host, port, error: messageOf(error) });
    });
    return new Promise((resolve) => {
      server.on('error', (error) => {
        this.#servers.delete(server);
        server.close();
        resolve(`${host} port ${port}: ${messageOf(error)}`);
        this.#later(host);
      });
      server.listen({ host, port }, () => {
        if (!this.#open) server.close();
        resolve(undefined);
      });
      this.#servers.add(server);
    });
  }

  #later(host: string): void {
    if (!this.#open) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#open) void this.#listen(host);
    }, LISTEN_AGAIN_MS);
    this.#timers.add(timer);
  }
}
