/** A TCP proxy between two mirrors: connections through it can be cut, or silently swallowed. */
import { type Server, type Socket, connect, createServer } from 'node:net';

export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #swallow = false;
  #bytes = 0;

  constructor(at: { host: string; port: number }, to: { host: string; port: number }) {
    this.#server = createServer((near) => {
      const far = connect(to);
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on('data', (data) => {
          if (this.#swallow) return;
          this.#bytes += data.length;
          other.write(data);
        });
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    this.#server.listen(at);
  }

  /** What went through it, both ways. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Like a link that is pulled: nothing is refused, nothing arrives. */
  swallow(on: boolean): void {
    this.#swallow = on;
  }

  /** Ends the connections; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
