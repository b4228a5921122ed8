/**
 * The main thread's handle on a worker that reads the store for one copy, a resync or a verification:
 * one per copy and run, ended with it.
 */
import { Worker } from 'node:worker_threads';
import { messageOf } from '../base/tako-error.ts';
import type { ResyncProgress } from '../ports/resync.ts';
import type { VerifyProgress } from '../adapters/mirror/copy/verify-source.ts';
import type { DirtyPaths } from '../protocol/dirty-paths.ts';
import { workerFile } from './mirror-capture-worker.ts';

export interface StoreTask {
  readonly rootFd: number;
  /** Entries of this run carry it. */
  readonly target: number;
  readonly stream: SharedArrayBuffer;
  /** One word: 1 when the run is over and the worker must append nothing more. */
  readonly cancel: SharedArrayBuffer;
}

export interface ResyncTask extends StoreTask {
  /** Undefined: anything can differ. */
  readonly known: KnownDirty | undefined;
}

/** All that can differ: what was changed behind entry `since`, and what else is known. */
export interface KnownDirty {
  readonly since: number;
  readonly paths: DirtyPaths;
  /** The memory that the capture worker shares: where it says that a file lost a name. */
  readonly gate: SharedArrayBuffer;
  /** The copy has changes of its own, which it is to tell. */
  readonly asksOwn: boolean;
}

export interface VerifyTask extends StoreTask {
  readonly run: number;
  readonly bytesPerSecond: number;
}

/** A run, as the copy's side of the primary has it. */
export interface StoreRun {
  /** A message of the copy. */
  receive(body: Uint8Array): void;
  stop(): void;
}

export type ToStoreRun = { readonly type: 'receive'; readonly body: Uint8Array } | { type: 'stop' };

export type FromStoreRun<Progress> =
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'ended'; readonly progress: Progress }
  | { readonly type: 'failed'; readonly reason: string };

export interface RunEvents<Progress> {
  readonly progress: (progress: Progress) => void;
  /** It has come to its end, where that is told. */
  readonly ended?: (progress: Progress) => void;
  readonly failed: (reason: string) => void;
}

/** The worker frees its descriptors by itself; one that hangs in the store is ended after this. */
const STOP_MS_MAX = 10_000;

export function startResyncWorker(
  task: Omit<ResyncTask, 'cancel'>,
  events: RunEvents<ResyncProgress>,
): StoreRun {
  return startRun('mirror-resync', task, events);
}

export function startVerifyWorker(
  task: Omit<VerifyTask, 'cancel'>,
  events: RunEvents<VerifyProgress>,
): StoreRun {
  return startRun('mirror-verify', task, events);
}

function startRun<Progress>(file: string, task: object, events: RunEvents<Progress>): StoreRun {
  const cancel = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { ...task, cancel: cancel.buffer };
  const worker = new Worker(new URL(workerFile(file), import.meta.url), { workerData });
  let over = false;
  worker.on('message', (message: FromStoreRun<Progress>) => {
    if (over) return;
    if (message.type === 'progress') events.progress(message.progress);
    else if (message.type === 'ended') events.ended?.(message.progress);
    else events.failed(message.reason);
  });
  worker.on('error', (error) => {
    if (!over) events.failed(messageOf(error));
  });
  function post(message: ToStoreRun): void {
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
