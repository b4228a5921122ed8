/** A verification worker; see `mirror-store-run.ts`. Ends when its run is over. */
import { parentPort, workerData } from 'node:worker_threads';
import { type VerifyProgress, VerifySource } from '../adapters/mirror/copy/verify-source.ts';
import { RingResyncStream } from '../adapters/mirror/stream/resync-stream.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { must } from '../base/assert.ts';
import type { FromStoreRun, ToStoreRun, VerifyTask } from './mirror-store-run.ts';

const port = must(parentPort, 'this file runs as a worker');
const task = workerData as VerifyTask;
const cancel = new Int32Array(task.cancel);

function tell(message: FromStoreRun<VerifyProgress>): void {
  port.postMessage(message);
}

const source = new VerifySource({
  store: { fs: new LinuxFileSystem(), root: task.rootFd },
  stream: new RingResyncStream({
    ring: SharedRing.attach(task.stream),
    target: task.target,
    cancelled: () => Atomics.load(cancel, 0) === 1,
  }),
  run: task.run,
  bytesPerSecond: task.bytesPerSecond,
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
