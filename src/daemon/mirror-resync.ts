/** A resync worker; see `mirror-store-run.ts`. Ends when its run is over. */
import { type SourceDirty, StoreResyncSource } from '../adapters/mirror/copy/resync-source.ts';
import { lastLinkLost } from '../adapters/mirror/stream/capture-sink.ts';
import type { ResyncProgress } from '../ports/resync.ts';
import type { KnownDirty, ResyncTask } from './mirror-store-run.ts';
import { runStoreWorker } from './mirror-store-worker.ts';

runStoreWorker<ResyncTask, ResyncProgress>(
  ({ task, ...work }) => new StoreResyncSource({ ...work, dirty: dirtyOf(task.known) }),
);

function dirtyOf(known: KnownDirty | undefined): SourceDirty | undefined {
  if (known === undefined) return undefined;
  const gate = new Int32Array(known.gate);
  return {
    paths: known.paths,
    linkLost: () => lastLinkLost(gate) > known.since,
    asksOwn: known.asksOwn,
  };
}
