/**
 * The capture worker of a mirror: serves /dev/fuse in a synchronous loop and puts every change into
 * the stream. Loaded ahead of its use; gets one task, and ends with it.
 */
import { flushCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { systemClock } from '../adapters/clock.ts';
import { createLog } from '../adapters/log.ts';
import { ActivityLog } from '../adapters/mirror/activity/activity-log.ts';
import { activityPath } from '../adapters/mirror/activity/activity-store.ts';
import { ActivityRequest } from '../adapters/mirror/activity/activity-request.ts';
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
import { NO_ACTIVITY } from '../ports/activity.ts';
import type { ActivityTask, CaptureReport, CaptureTask } from './mirror-capture-worker.ts';

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
  const gate = new Int32Array(task.gate);
  let activity: ActivityLog | undefined;
  try {
    const recorded = task.activity === undefined ? undefined : recordActivity(task.activity);
    activity = recorded?.log;
    const sink = new CaptureSink(
      { fuseFd: task.fuseFd, answerAtOnce: task.answerAtOnce },
      {
        stream: SharedRing.attach(task.stream),
        held: SharedRing.attach(task.held),
        gate,
        lease,
        clock: systemClock,
        entered: recorded?.entered ?? ((): void => undefined),
      },
    );
    clearOwnUmask();
    const root = task.rootFd;
    runSession(new LinuxFuseDevice(task.fuseFd), {
      log,
      stop: () => {
        // What is asked is done between changes, or now that there are none.
        if (recorded?.isAsked() === true) {
          sink.enter();
          sink.leave();
        }
        return Atomics.load(gate, STOP_WORD) === 1;
      },
      serve: (wiring) => {
        // INIT has been answered: the mount serves.
        tell({ type: 'ready' });
        const deps = { fileSystem, sink, activity: activity ?? NO_ACTIVITY, log };
        return createOperations({ root, ...wiring }, deps);
      },
    });
    return undefined;
  } catch (error) {
    log.error('the capture of changes failed', { error });
    return messageOf(error);
  } finally {
    lease.close();
    activity?.close();
  }
}

/** Throws when the log cannot be made: then nothing may be changed. */
function recordActivity(task: ActivityTask): {
  readonly log: ActivityLog;
  readonly isAsked: () => boolean;
  readonly entered: (last: number) => void;
} {
  const request = new ActivityRequest(task.request);
  const { directory, generation, head } = task;
  const activity = new ActivityLog({
    generation,
    pathOf: (number) => activityPath(directory, number),
    head,
    log,
    refuses: (refuses) => request.setRefuses(refuses),
  });
  return {
    log: activity,
    isAsked: () => request.pending !== undefined,
    entered: (last) => {
      const { pending } = request;
      if (pending === undefined) return;
      request.done(pending === 'roll' ? activity.roll(last) : activity.stored(), last);
    },
  };
}

function tell(report: CaptureReport): void {
  port.postMessage(report);
}
