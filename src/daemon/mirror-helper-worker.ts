/**
 * The main thread's handle on the helper worker, which makes the system calls that may block for
 * long: unmounting (the kernel may ask the mount itself first) and syncing the whole store.
 */
import { Worker } from 'node:worker_threads';
import { messageOf, TakoError } from '../base/tako-error.ts';
import { workerFile } from './mirror-capture-worker.ts';

export type HelperTask =
  | { readonly type: 'unmount'; readonly path: string }
  /** Append the barrier that ends the epoch. */
  | { readonly type: 'barrier'; readonly stream: SharedArrayBuffer }
  | { readonly type: 'sync'; readonly rootFd: number };

export interface HelperRequest {
  readonly id: number;
  readonly task: HelperTask;
}

export interface HelperAnswer {
  readonly id: number;
  /** What went wrong, undefined when all went well. */
  readonly problem: string | undefined;
}

export class MirrorHelper {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (problem: string | undefined) => void>();
  #lastId = 0;

  constructor() {
    this.#worker = new Worker(new URL(workerFile('mirror-helper'), import.meta.url));
    this.#worker.on('message', ({ id, problem }: HelperAnswer) => this.#answer(id, problem));
    this.#worker.on('error', (error) => {
      for (const id of this.#waiting.keys()) this.#answer(id, messageOf(error));
    });
    this.#worker.unref();
  }

  /** What stands against it, undefined when it is unmounted. */
  unmount(path: string): Promise<string | undefined> {
    return this.#ask({ type: 'unmount', path });
  }

  async barrier(stream: SharedArrayBuffer): Promise<void> {
    const problem = await this.#ask({ type: 'barrier', stream });
    if (problem !== undefined) throw new TakoError('store-failed', problem);
  }

  /** Makes everything on the file system of `rootFd` durable. */
  async sync(rootFd: number): Promise<void> {
    const problem = await this.#ask({ type: 'sync', rootFd });
    if (problem !== undefined) throw new TakoError('store-failed', problem);
  }

  #ask(task: HelperTask): Promise<string | undefined> {
    this.#lastId += 1;
    const request: HelperRequest = { id: this.#lastId, task };
    this.#worker.postMessage(request);
    return new Promise((resolve) => this.#waiting.set(request.id, resolve));
  }

  #answer(id: number, problem: string | undefined): void {
    this.#waiting.get(id)?.(problem);
    this.#waiting.delete(id);
  }
}
