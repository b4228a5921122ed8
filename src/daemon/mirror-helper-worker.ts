/**
 * The main thread's handle on the helper worker, which makes the system calls that may block for
 * long: unmounting (the kernel may ask the mount itself first), syncing the whole store, and looking
 * at what all processes have open.
 */
import { Worker } from 'node:worker_threads';
import type { Writer } from '../adapters/system/writers-below.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import { workerFile } from './mirror-capture-worker.ts';

export type HelperTask =
  | { readonly type: 'unmount'; readonly path: string }
  /** Append the barrier that ends the epoch. */
  | { readonly type: 'barrier'; readonly stream: SharedArrayBuffer }
  | { readonly type: 'sync'; readonly rootFd: number }
  /** Who writes below the mount on `path`. */
  | { readonly type: 'writersBelow'; readonly path: string };

export interface HelperRequest {
  readonly id: number;
  readonly task: HelperTask;
}

export interface HelperAnswer {
  readonly id: number;
  /** What went wrong, undefined when all went well. */
  readonly problem: string | undefined;
  readonly writers: readonly Writer[];
}

export class MirrorHelper {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (answer: Omit<HelperAnswer, 'id'>) => void>();
  #lastId = 0;

  constructor() {
    this.#worker = new Worker(new URL(workerFile('mirror-helper'), import.meta.url));
    this.#worker.on('message', ({ id, ...answer }: HelperAnswer) => this.#answer(id, answer));
    this.#worker.on('error', (error) => {
      const answer = { problem: messageOf(error), writers: [] };
      for (const id of this.#waiting.keys()) this.#answer(id, answer);
    });
    this.#worker.unref();
  }

  /** What stands against it, undefined when it is unmounted. */
  async unmount(path: string): Promise<string | undefined> {
    return (await this.#ask({ type: 'unmount', path })).problem;
  }

  /** Throws when it cannot be told. */
  async writersBelow(path: string): Promise<readonly Writer[]> {
    const { problem, writers } = await this.#ask({ type: 'writersBelow', path });
    if (problem !== undefined) throw new TakoError('system-call', problem);
    return writers;
  }

  async barrier(stream: SharedArrayBuffer): Promise<void> {
    const { problem } = await this.#ask({ type: 'barrier', stream });
    if (problem !== undefined) throw new TakoError('store-failed', problem);
  }

  /** Makes everything on the file system of `rootFd` durable. */
  async sync(rootFd: number): Promise<void> {
    const { problem } = await this.#ask({ type: 'sync', rootFd });
    if (problem !== undefined) throw new TakoError('store-failed', problem);
  }

  #ask(task: HelperTask): Promise<Omit<HelperAnswer, 'id'>> {
    this.#lastId += 1;
    const request: HelperRequest = { id: this.#lastId, task };
    this.#worker.postMessage(request);
    return new Promise((resolve) => this.#waiting.set(request.id, resolve));
  }

  #answer(id: number, answer: Omit<HelperAnswer, 'id'>): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}
