/** The control side of a mirror's socket (`src/protocol/mirror-ipc.ts`). */
import { join } from 'node:path';
import type { Log } from '../ports/log.ts';
import type { MirrorAnswer, MirrorCommand, MirrorControl } from '../ports/mirror-control.ts';
import type { MirrorId } from '../protocol/ids.ts';
import type { FromMirror, MirrorStatus, ToMirror } from '../protocol/mirror-ipc.ts';
import {
  LOCAL_FEATURES,
  LOCAL_PROTOCOL,
  commonVersion,
  noCommonVersion,
  readRange,
} from '../protocol/versions.ts';
import { type LineClient, connectLines } from './line-socket.ts';

export class MirrorClient implements MirrorControl {
  readonly #client: LineClient<ToMirror>;
  readonly #answers = new Map<number, (answer: MirrorAnswer) => void>();
  readonly #newsListeners: ((news: FromMirror) => void)[] = [];
  readonly #connectionListeners: ((connected: boolean) => void)[] = [];
  readonly #waiting = new Set<() => void>();
  #nextId = 1;
  #status: MirrorStatus | undefined;
  readonly #log: Log;
  readonly #mirror: MirrorId;
  #refused = false;

  constructor(options: { readonly mirror: MirrorId; readonly runDir: string; readonly log: Log }) {
    this.#log = options.log;
    this.#mirror = options.mirror;
    this.#client = connectLines<FromMirror, ToMirror>({
      path: join(options.runDir, `mirror-${options.mirror}.sock`),
      log: options.log,
      // Connected means usable: the first status must be there.
      onOpen: () => void this.#send({ type: 'status' }),
      onMessage: (message) => this.#received(message),
      onClose: () => this.#lost(),
    });
  }

  get status(): MirrorStatus | undefined {
    return this.#status;
  }

  get connected(): boolean {
    return this.#status !== undefined;
  }

  async command(command: MirrorCommand): Promise<MirrorAnswer> {
    if (!this.connected) return gone();
    const { newest } = readRange(this.#status?.speaks) ?? { newest: 0 };
    const asked = featureOf(command);
    if (asked !== undefined && newest < asked.from) {
      const message = `the mirror process is of a release that cannot ${asked.what}; restart it`;
      return { ok: false, code: 'version-unsupported', message };
    }
    return this.#send(command);
  }

  whenConnected(ms: number): Promise<boolean> {
    if (this.connected) return Promise.resolve(true);
    return new Promise((resolve) => {
      const ready = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(ready);
        resolve(this.connected);
      };
      const timer = setTimeout(ready, ms);
      this.#waiting.add(ready);
    });
  }

  onNews(listener: (news: FromMirror) => void): void {
    this.#newsListeners.push(listener);
  }

  onConnection(listener: (connected: boolean) => void): void {
    this.#connectionListeners.push(listener);
  }

  close(): void {
    this.#client.close();
  }

  #send(command: MirrorCommand): Promise<MirrorAnswer> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      this.#answers.set(id, resolve);
      if (this.#client.send({ ...command, id })) return;
      this.#answers.delete(id);
      resolve(gone());
    });
  }

  #received(message: FromMirror): void {
    if (message.type === 'done') {
      if (message.ok) this.#setStatus(message.status);
      const answered = this.#answers.get(message.id);
      this.#answers.delete(message.id);
      answered?.(message);
      return;
    }
    if (message.type === 'status') this.#setStatus(message.status);
    for (const listener of this.#newsListeners) listener(message);
  }

  #setStatus(status: MirrorStatus): void {
    if (!this.#understands(status)) return;
    const first = this.#status === undefined;
    this.#status = status;
    if (!first) return;
    for (const ready of [...this.#waiting]) ready();
    for (const listener of this.#connectionListeners) listener(true);
  }

  /** One that does not speak a version of this release is steered by none: it goes on as it was. */
  #understands(status: MirrorStatus): boolean {
    const speaks = readRange(status.speaks) ?? { oldest: 0, newest: 0 };
    if (commonVersion(LOCAL_PROTOCOL, speaks) !== undefined) return true;
    if (this.#refused) return false;
    this.#refused = true;
    const own = { name: 'control', speaks: LOCAL_PROTOCOL };
    const { why } = noCommonVersion(own, { name: `the mirror ${this.#mirror}`, speaks });
    const next = 'restart Tako on this node, so that all its processes are of one release';
    this.#log.error('mirror not steered', { code: 'version-unsupported', why, next });
    return false;
  }

  #lost(): void {
    const was = this.connected;
    this.#status = undefined;
    const answers = [...this.#answers.values()];
    this.#answers.clear();
    for (const answer of answers) answer(gone());
    if (!was) return;
    for (const listener of this.#connectionListeners) listener(false);
  }
}

function gone(): MirrorAnswer {
  return { ok: false, code: 'not-running', message: 'the mirror process does not answer' };
}

/** What not every release can do. */
function featureOf(
  command: MirrorCommand,
): { readonly from: number; readonly what: string } | undefined {
  if (command.type === 'verify') return { from: LOCAL_FEATURES.verify, what: 'verify copies' };
  if (command.type !== 'follow' || command.keepBefore === undefined) return undefined;
  return { from: LOCAL_FEATURES.keepAside, what: 'keep its copy aside' };
}
