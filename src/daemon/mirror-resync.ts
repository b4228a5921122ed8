/** A resync worker; see `mirror-store-run.ts`. Ends when its run is over. */
import { parentPort, workerData } from 'node:worker_threads';
import { type SourceDirty, StoreResyncSource } from '../adapters/mirror/copy/resync-source.ts';
import { lastLinkLost } from '../adapters/mirror/stream/capture-sink.ts';
import { RingResyncStream } from '../adapters/mirror/stream/resync-stream.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { must } from '../base/assert.ts';
import type { ResyncProgress } from '../ports/resync.ts';
import type { FromStoreRun, KnownDirty, ResyncTask, ToStoreRun } from './mirror-store-run.ts';

const port = must(parentPort, 'this file runs as a worker');
const task = workerData as ResyncTask;
const cancel = new Int32Array(task.cancel);

function tell(message: FromStoreRun<ResyncProgress>): void {
  port.postMessage(message);
}

const source = new StoreResyncSource({
  store: { fs: new LinuxFileSystem(), root: task.rootFd },
  stream: new RingResyncStream({
    ring: SharedRing.attach(task.stream),
    target: task.target,
    cancelled: () => Atomics.load(cancel, 0) === 1,
  }),
  dirty: dirtyOf(task.known),
  report: {
    progress: (progress) => tell({ type: 'progress', progress }),
    failed: (reason) => tell({ type: 'failed', reason }),
  },
});

function dirtyOf(known: KnownDirty | undefined): SourceDirty | undefined {
  if (known === undefined) return undefined;
  const gate = new Int32Array(known.gate);
  return { paths: known.paths, linkLost: () => lastLinkLost(gate) > known.since };
}

port.on('message', (message: ToStoreRun) => {
  if (message.type === 'receive') {
    source.receive(message.body);
    return;
  }
  source.stop();
  port.close();
});
source.start();
