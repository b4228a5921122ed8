/** The helper worker of a mirror; see `mirror-helper-worker.ts`. */
import { flushCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { EntryWriter } from '../adapters/mirror/stream/entry-writer.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { errorName } from '../adapters/system/errno.ts';
import { LinuxFileSystem } from '../adapters/system/file-system.ts';
import { FUSE_TYPE, unmount } from '../adapters/system/mount.ts';
import { writersBelow } from '../adapters/system/writers-below.ts';
import { must, unreachable } from '../base/assert.ts';
import { messageOf } from '../base/tako-error.ts';
import type { HelperAnswer, HelperRequest, HelperTask } from './mirror-helper-worker.ts';

const port = must(parentPort, 'this file runs as a worker');
const fs = new LinuxFileSystem();

port.on('message', ({ id, task }: HelperRequest) => {
  const answer: HelperAnswer = { id, ...attempt(task) };
  port.postMessage(answer);
});

flushCompileCache();

function attempt(task: HelperTask): Omit<HelperAnswer, 'id'> {
  try {
    if (task.type !== 'writersBelow') return { problem: perform(task), writers: [] };
    const writers = writersBelow(task.path, (type) => type === FUSE_TYPE);
    return { problem: undefined, writers };
  } catch (error) {
    return { problem: messageOf(error), writers: [] };
  }
}

function perform(task: Exclude<HelperTask, { type: 'writersBelow' }>): string | undefined {
  switch (task.type) {
    case 'unmount':
      unmount(task.path);
      return undefined;
    case 'barrier':
      return appendBarrier(SharedRing.attach(task.stream));
    case 'sync':
      return syncStore(task.rootFd);
    default:
      return unreachable(task);
  }
}

function appendBarrier(ring: SharedRing): string | undefined {
  ring.lock();
  try {
    const seq = new EntryWriter(ring).barrier(true);
    return seq === undefined ? 'the stream was closed' : undefined;
  } finally {
    ring.unlock();
  }
}

function syncStore(rootFd: number): string | undefined {
  const failed = fs.syncVolume(rootFd);
  return failed < 0 ? `Cannot sync the store: syncfs says ${errorName(-failed)}` : undefined;
}
