/**
 * The heart's local socket: control steers, mirrors listen. There is one control at a time: what an
 * earlier one was allowed (`revoke`) must not meet what a later one says, so a second is turned away
 * while the first is connected.
 */
import { join } from 'node:path';
import type { FromHeart, ToHeart } from '../../protocol/heart-ipc.ts';
import {
  LOCAL_PROTOCOL,
  commonVersion,
  noCommonVersion,
  readRange,
} from '../../protocol/versions.ts';
import type { Log } from '../../ports/log.ts';
import { type LinePeer, type LineServer, serveLines } from '../../adapters/line-socket.ts';
import type { HeartRunner } from './heart-runner.ts';
import { isToHeart } from './to-heart.ts';

type Client = LinePeer<FromHeart>;

/** What mirrors hear too. */
const FOR_ALL: readonly FromHeart['type'][] = ['peers', 'lease'];

export class HeartServer {
  readonly #path: string;
  readonly #log: Log;
  readonly #mirrors = new Set<Client>();
  #control: Client | undefined;
  #server: LineServer<FromHeart> | undefined;

  constructor(runDir: string, log: Log) {
    this.#path = join(runDir, 'heart.sock');
    this.#log = log;
  }

  async listen(runner: HeartRunner): Promise<void> {
    this.#server = await serveLines<ToHeart, FromHeart>({
      path: this.#path,
      log: this.#log,
      isMessage: isToHeart,
      onMessage: (message, client) => this.#received(runner, message, client),
      onClose: (client) => this.#closed(client),
    });
  }

  report(message: FromHeart): void {
    this.#control?.send(message);
    if (!FOR_ALL.includes(message.type)) return;
    for (const mirror of [...this.#mirrors]) mirror.send(message);
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #received(runner: HeartRunner, message: ToHeart, client: Client): void {
    if (message.type === 'hello') return this.#hello(runner, message, client);
    if (client === this.#control) return runner.command(message);
    this.#log.warn('command refused: not from control', { command: message.type });
    client.close();
  }

  #hello(runner: HeartRunner, hello: Extract<ToHeart, { type: 'hello' }>, client: Client): void {
    const { role, name, pid } = hello;
    const speaks = readRange(hello.speaks) ?? { oldest: 0, newest: 0 };
    if (commonVersion(LOCAL_PROTOCOL, speaks) === undefined) {
      const own = { name: 'this heart', speaks: LOCAL_PROTOCOL };
      const { why } = noCommonVersion(own, { name: `${role} (pid ${pid})`, speaks });
      this.#log.error('client turned away', { code: 'version-unsupported', role, pid, why });
      // It reads from the welcome what this heart speaks, and gives up what it began.
      client.send(runner.welcome());
      return client.close();
    }
    if (role === 'control') {
      if (this.#control !== undefined && this.#control !== client) {
        this.#log.warn('second control turned away', { pid });
        return client.close();
      }
      this.#control = client;
      this.#log.info('control connected', { pid });
      runner.controlConnected();
    } else {
      this.#mirrors.add(client);
      this.#log.info('mirror connected', { mirror: name, pid });
    }
    client.send(runner.welcome());
    runner.reportAll();
  }

  #closed(client: Client): void {
    this.#mirrors.delete(client);
    if (client !== this.#control) return;
    this.#control = undefined;
    this.#log.warn('control disconnected; its groups go on');
  }
}
