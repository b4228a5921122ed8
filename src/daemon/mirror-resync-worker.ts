/** The main thread's handle on a resync worker: one per copy and run, ended with it. */
import { Worker } from 'node:worker_threads';
import { messageOf } from '../base/tako-error.ts';
import type { ResyncProgress } from '../ports/resync.ts';
import { workerFile } from './mirror-capture-worker.ts';
import type { ResyncRun } from './mirror-peer.ts';

export interface ResyncTask {
  readonly rootFd: number;
  /** Entries of this run carry it. */
  readonly target: number;
  readonly stream: SharedArrayBuffer;
  /** One word: 1 when the run is over and the worker must append nothing more. */
  readonly cancel: SharedArrayBuffer;
}

export type ToResync = { readonly type: 'receive'; readonly body: Uint8Array } | { type: 'stop' };

export type FromResync =
  | { readonly type: 'progress'; readonly progress: ResyncProgress }
  | { readonly type: 'failed'; readonly reason: string };

export interface ResyncEvents {
  readonly progress: (progress: ResyncProgress) => void;
  readonly failed: (reason: string) => void;
}

/** The worker frees its descriptors by itself; one that hangs in the store is ended after this. */
const STOP_MS_MAX = 10_000;

export function startResyncWorker(
  task: Omit<ResyncTask, 'cancel'>,
  events: ResyncEvents,
): ResyncRun {
  const cancel = new Int32Array(new SharedArrayBuffer(4));
  const workerData: ResyncTask = { ...task, cancel: cancel.buffer };
  const worker = new Worker(new URL(workerFile('mirror-resync'), import.meta.url), { workerData });
  let over = false;
  worker.on('message', (message: FromResync) => {
    if (over) return;
    if (message.type === 'progress') events.progress(message.progress);
    else events.failed(message.reason);
  });
  worker.on('error', (error) => {
    if (!over) events.failed(messageOf(error));
  });
  function post(message: ToResync): void {
    worker.postMessage(message);
  }
  return {
    receive: (body) => {
      if (!over) post({ type: 'receive', body });
    },
    stop: () => {
      if (over) return;
      over = true;
      Atomics.store(cancel, 0, 1);
      post({ type: 'stop' });
      worker.unref();
      const timer = setTimeout(() => void worker.terminate(), STOP_MS_MAX);
      timer.unref();
      worker.on('exit', () => clearTimeout(timer));
    },
  };
}
