/** The main thread's handle on the capture worker: started ahead of its use, used once. */
import { Worker } from 'node:worker_threads';
import type { ActivityHead } from '../adapters/mirror/activity/activity-file.ts';
import { messageOf } from '../base/tako-error.ts';
import type { LeaseGateOptions } from '../adapters/mirror/stream/lease-gate.ts';

export interface CaptureTask {
  readonly fuseFd: number;
  readonly rootFd: number;
  readonly lease: LeaseGateOptions;
  readonly answerAtOnce: boolean;
  readonly stream: SharedArrayBuffer;
  readonly held: SharedArrayBuffer;
  readonly gate: SharedArrayBuffer;
  /** Undefined where no other node has a copy. */
  readonly activity: ActivityTask | undefined;
}

/** Where changes are recorded before they are made (`adapters/mirror/activity`). */
export interface ActivityTask {
  readonly directory: string;
  readonly generation: number;
  readonly head: ActivityHead;
  readonly request: SharedArrayBuffer;
}

export type CaptureReport =
  | { readonly type: 'warm' }
  | { readonly type: 'ready' }
  | { readonly type: 'ended'; readonly problem: string | undefined };

export class CaptureWorker {
  readonly #worker: Worker;
  /** The modules are loaded. */
  readonly warm: Promise<void>;
  /** The kernel's INIT was answered: the mount serves. */
  readonly ready: Promise<void>;
  readonly #ended: Promise<string | undefined>;

  constructor() {
    const worker = new Worker(new URL(workerFile('mirror-capture'), import.meta.url));
    this.#worker = worker;
    let warm = (): void => undefined;
    let ready = (): void => undefined;
    this.warm = new Promise((resolve) => (warm = resolve));
    this.ready = new Promise((resolve) => (ready = resolve));
    this.#ended = new Promise((resolve) => {
      worker.on('message', (report: CaptureReport) => {
        if (report.type === 'warm') warm();
        else if (report.type === 'ready') ready();
        else resolve(report.problem);
      });
      worker.on('error', (error) => resolve(`the capture worker failed: ${messageOf(error)}`));
      worker.on('exit', () => resolve('the capture worker exited'));
    });
    worker.unref();
  }

  /** Serves the device until it ends; resolves with what went wrong, if something did. */
  run(task: CaptureTask): Promise<string | undefined> {
    this.#worker.ref();
    this.#worker.postMessage(task);
    return this.#ended.finally(() => this.#worker.unref());
  }
}

/** Workers are started from the sources in development and from what was built in a release. */
export function workerFile(name: string): string {
  return `./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
}
