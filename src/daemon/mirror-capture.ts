/**
 * The capture worker of a mirror: serves /dev/fuse in a synchronous loop and puts every change into
 * the stream. Loaded ahead of its use; gets one task, and ends with it.
 */
import { flushCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../adapters/clock.ts';
import { createLog } from '../adapters/log.ts';
import { CaptureSink, STOP_WORD } from '../adapters/mirror/stream/capture-sink.ts';
import { LeaseGate } from '../adapters/mirror/stream/lease-gate.ts';
import { sleptMs } from '../adapters/supervise/sleep-watch.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { LinuxFuseDevice } from '../adapters/system/fuse-device.ts';
import { clearOwnUmask } from '../adapters/system/own-umask.ts';
import { must } from '../base/assert.ts';
import { messageOf } from '../base/tako-error.ts';
import { createOperations } from '../fuse/ops/operations.ts';
import { runSession } from '../fuse/session/run-session.ts';
import type { CaptureReport, CaptureTask } from './mirror-capture-worker.ts';

const port = must(parentPort, 'this file runs as a worker');
const fileSystem = new LinuxFileSystem();
const log = createLog({ name: 'mirror capture', level: 'info' });

port.once('message', (task: CaptureTask) => {
  tell({ type: 'ended', problem: serve(task) });
  port.close();
});
tell({ type: 'warm' });
flushCompileCache();

/** Returns when the mount is gone; what went wrong, if something did. */
function serve(task: CaptureTask): string | undefined {
  const lease = new LeaseGate(task.lease, sleptMs);
  const sink = new CaptureSink(
    { fuseFd: task.fuseFd, answerAtOnce: task.answerAtOnce },
    {
      stream: SharedRing.attach(task.stream),
      held: SharedRing.attach(task.held),
      gate: new Int32Array(task.gate),
      lease,
      clock: systemClock,
    },
  );
  const gate = new Int32Array(task.gate);
  try {
    clearOwnUmask();
    const root = task.rootFd;
    runSession(new LinuxFuseDevice(task.fuseFd), {
      log,
      stop: () => Atomics.load(gate, STOP_WORD) === 1,
      serve: (wiring) => {
        // INIT has been answered: the mount serves.
        tell({ type: 'ready' });
        return createOperations({ root, ...wiring }, { fileSystem, sink, log });
      },
    });
    return undefined;
  } catch (error) {
    log.error('the capture of changes failed', { error });
    return messageOf(error);
  } finally {
    lease.close();
  }
}

function tell(report: CaptureReport): void {
  port.postMessage(report);
}
