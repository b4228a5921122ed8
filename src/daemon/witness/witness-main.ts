/**
 * The witness, started by `src/daemon/witness.ts`: hearts and acceptors of many clusters in one
 * small process. It votes and promises, and runs nothing. SIGHUP: reads its files again. SIGTERM,
 * SIGINT: ends in order. Any other end is a crash, and whoever started it starts it again.
 */
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import { systemClock } from '../../adapters/clock.ts';
import { tryLockFile } from '../../adapters/flock.ts';
import { identify, writePidFile } from '../../adapters/supervise/process-id.ts';
import { becomeRealTime } from '../../adapters/supervise/real-time.ts';
import { shedFilePages } from '../../adapters/supervise/shed-pages.ts';
import { type Applied, ClusterSet } from './cluster-set.ts';
import { readClusters } from './read-clusters.ts';
import { WitnessLog } from './witness-log.ts';
import { serveWitness } from './witness-server.ts';

const EXIT_UNUSABLE = 78;
const EXIT_BROKEN = 70;
/** Storage that hangs must not hold up the end: what is not written was never answered. */
const END_MS = 5000;

export interface WitnessPlaces {
  readonly clustersDir: string;
  readonly runDir: string;
  readonly stateDir: string;
}

/** What makes a start impossible is said in one line, and the process ends. */
export async function runWitness(places: WitnessPlaces): Promise<void> {
  try {
    await serve(places);
  } catch (error) {
    const next =
      error instanceof TakoError && error.next !== undefined ? `\nNext: ${error.next}` : '';
    process.stderr.write(`tako: ${messageOf(error)}${next}\n`);
    process.exit(error instanceof TakoError ? EXIT_UNUSABLE : EXIT_BROKEN);
  }
}

async function serve({ clustersDir, runDir, stateDir }: WitnessPlaces): Promise<void> {
  if (tryLockFile(join(runDir, 'witness.lock')) === undefined) {
    throw new TakoError('busy', `Cannot run a witness: another one uses "${runDir}"`, {
      next: 'Stop it first, or choose another directory with --run-dir',
    });
  }
  const logs = new WitnessLog(runDir);
  const log = logs.with({});
  process.on('uncaughtExceptionMonitor', (error) => log.error('witness broke', { error }));
  shedFilePages();
  becomeRealTimeAndTell(log);
  const self = identify(process.pid);
  if (self !== undefined) writePidFile(join(runDir, 'witness.pid'), self);
  const clusters = new ClusterSet({
    stateDir,
    clock: systemClock,
    logFor: (name) => logs.with({ cluster: name }),
  });
  tellApplied(clusters.apply(await readClusters(clustersDir)), log);
  const reload = serialized(() => reloadFiles(clustersDir, clusters, log));
  const server = await serveWitness({
    runDir,
    clustersDir,
    log,
    status: () => clusters.status(),
    reload,
  });
  process.on('SIGHUP', () => void reload());
  const end = (signal: string): void => {
    log.info('witness asked to end', { signal });
    // By the kernel: exit(3) would wait for the threads that wait for storage.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), END_MS).unref();
    Promise.all([server.close(), clusters.close()]).then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('ending failed', { error });
        process.exit(EXIT_BROKEN);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  log.info('witness started', { clusters: clusters.status().length });
}

async function reloadFiles(directory: string, clusters: ClusterSet, log: Log): Promise<Applied> {
  try {
    return tellApplied(clusters.apply(await readClusters(directory)), log);
  } catch (error) {
    if (!(error instanceof TakoError)) throw error;
    const next = error.next === undefined ? '' : `\n  Next: ${error.next}`;
    return tellApplied({ done: [], faults: [`Nothing is changed: ${error.message}${next}`] }, log);
  }
}

function tellApplied(applied: Applied, log: Log): Applied {
  log.info('files read', { done: applied.done });
  for (const fault of applied.faults) log.error('file not used', { fault });
  return applied;
}

function becomeRealTimeAndTell(log: Log): void {
  const realTime = becomeRealTime();
  if (realTime.why.length === 0) log.info('runs in real time');
  else log.warn('does not run in real time: heavy load may look like a failure', { ...realTime });
}

/** One at a time; who comes meanwhile shares the one that begins after it. */
function serialized<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= running.then(() => {
      next = undefined;
      const started = work();
      running = started.catch(() => undefined);
      return started;
    });
    return next;
  };
}
