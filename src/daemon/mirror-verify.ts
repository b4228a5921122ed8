/** A verification worker; see `mirror-store-run.ts`. Ends when its run is over. */
import { type VerifyProgress, VerifySource } from '../adapters/mirror/copy/verify-source.ts';
import type { VerifyTask } from './mirror-store-run.ts';
import { runStoreWorker } from './mirror-store-worker.ts';

runStoreWorker<VerifyTask, VerifyProgress>(
  ({ task: { run, bytesPerSecond }, ...work }) =>
    new VerifySource({ ...work, run, bytesPerSecond }),
);
