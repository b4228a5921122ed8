/** What the workers that read the store for one copy have in common; see `mirror-store-run.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Store } from '../adapters/mirror/copy/store.ts';
import { RingResyncStream } from '../adapters/mirror/stream/resync-stream.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { must } from '../base/assert.ts';
import type { ResyncStream } from '../ports/resync.ts';
import type { FromStoreRun, StoreTask, ToStoreRun } from './mirror-store-run.ts';

/** Has a run to its end, or until it is stopped. */
export interface StoreSource {
  start(): void;
  /** A message of the copy. */
  receive(body: Uint8Array): void;
  stop(): void;
}

export interface StoreReport<Progress> {
  readonly progress: (progress: Progress) => void;
  readonly ended: (progress: Progress) => void;
  readonly failed: (reason: string) => void;
}

export interface StoreWork<Task, Progress> {
  readonly task: Task;
  readonly store: Store;
  readonly stream: ResyncStream;
  readonly report: StoreReport<Progress>;
}

/** To be called once, in a worker: starts the run that it was made for. */
export function runStoreWorker<Task extends StoreTask, Progress>(
  sourceOf: (work: StoreWork<Task, Progress>) => StoreSource,
): void {
  const port = must(parentPort, 'this runs in a worker');
  const task = workerData as Task;
  const cancel = new Int32Array(task.cancel);
  const tell = (message: FromStoreRun<Progress>): void => port.postMessage(message);
  const source = sourceOf({
    task,
    store: { fs: new LinuxFileSystem(), root: task.rootFd },
    stream: new RingResyncStream({
      ring: SharedRing.attach(task.stream),
      target: task.target,
      cancelled: () => Atomics.load(cancel, 0) === 1,
    }),
    report: {
      progress: (progress) => tell({ type: 'progress', progress }),
      ended: (progress) => tell({ type: 'ended', progress }),
      failed: (reason) => tell({ type: 'failed', reason }),
    },
  });
  port.on('message', (message: ToStoreRun) => {
    if (message.type === 'receive') {
      source.receive(message.body);
      return;
    }
    source.stop();
    port.close();
  });
  source.start();
}
