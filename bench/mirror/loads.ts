/**
 * What programs do with files, and how fast: each load runs real programs on a test host, in a
 * directory of its own, and leaves that empty.
 */
import { fileURLToPath } from 'node:url';
import type { Host } from '../../test/hosts/host.ts';
import { transactionsPerSecond } from './pgbench.ts';

const SMALL_FILES = fileURLToPath(new URL('small-files.mjs', import.meta.url));
const TRANSACTIONS = fileURLToPath(new URL('transactions.mjs', import.meta.url));
const FILES = 5000;
const SECONDS = 3;
const SEQUENTIAL_MIB = 512;
/** Random writes and reads stay in a file of that size. */
const RANDOM_MIB = 64;
const TIMEOUT_MS = 120_000;

export interface Place {
  readonly host: Host;
  /** In the host: exists, is empty, and is on what is measured. */
  readonly directory: string;
  /** In the host: a tar archive of a tree of sources. */
  readonly archive: string;
}

export interface Measure {
  readonly id: string;
  readonly title: string;
  /** More is better, or less. */
  readonly better: 'more' | 'less';
}

/** One run of real programs, and what it tells. */
export interface Load {
  readonly measures: readonly Measure[];
  /** A value for each measure; undefined where the program cannot run there. */
  readonly run: (place: Place) => Promise<readonly number[] | undefined>;
}

export const LOADS: readonly Load[] = [
  {
    measures: [{ id: 'sequential-write', title: 'sequential write, 1 MiB, MB/s', better: 'more' }],
    run: async (place) => {
      const { write } = await fio(place, ['--rw=write', '--bs=1M', `--size=${SEQUENTIAL_MIB}M`]);
      return [write.bw_bytes / 1e6];
    },
  },
  {
    measures: [
      { id: 'random-write', title: 'random write, 4 KiB, no sync, per s', better: 'more' },
    ],
    run: async (place) => [(await fio(place, timed('randwrite'))).write.iops],
  },
  {
    measures: [
      { id: 'synced-write', title: 'write 4 KiB and fdatasync, per s', better: 'more' },
      {
        id: 'synced-write-p99',
        title: 'the same: fdatasync, 99th percentile, µs',
        better: 'less',
      },
    ],
    run: async (place) => {
      const { sync, write } = await fio(place, [...timed('write'), '--fdatasync=1']);
      return [write.iops, (sync.lat_ns.percentile?.['99.000000'] ?? NaN) / 1000];
    },
  },
  {
    measures: [{ id: 'random-read', title: 'random read, 4 KiB, warm, per s', better: 'more' }],
    run: async (place) => [(await fio(place, [...timed('randread'), '--pre_read=1'])).read.iops],
  },
  {
    measures: [
      { id: 'create', title: `create, write and close ${FILES} files, per s`, better: 'more' },
      { id: 'unlink', title: `unlink ${FILES} files, per s`, better: 'more' },
    ],
    run: async ({ host, directory }) => {
      const words = [directory, String(FILES)];
      const found = await script<{ created: number; unlinked: number }>(host, SMALL_FILES, words);
      return [found.created, found.unlinked];
    },
  },
  {
    measures: [{ id: 'untar', title: 'untar a tree of sources, s', better: 'less' }],
    run: async ({ host, directory, archive }) => {
      const begin = performance.now();
      const words = ['--extract', `--file=${archive}`, `--directory=${directory}`];
      await host.run(['tar', ...words], { timeoutMs: TIMEOUT_MS });
      const seconds = (performance.now() - begin) / 1000;
      await empty(host, directory);
      return [seconds];
    },
  },
  {
    measures: [{ id: 'sqlite', title: 'SQLite, one row per transaction, per s', better: 'more' }],
    run: async ({ host, directory }) => {
      const { perSecond } = await script<{ perSecond: number }>(host, TRANSACTIONS, [directory]);
      await empty(host, directory);
      return [perSecond];
    },
  },
  {
    measures: [{ id: 'pgbench', title: 'pgbench TPC-B, 4 clients, per s', better: 'more' }],
    run: async ({ host, directory }) => {
      const perSecond = await transactionsPerSecond(host, directory);
      await empty(host, directory);
      return perSecond === undefined ? undefined : [perSecond];
    },
  },
];

interface FioSide {
  readonly iops: number;
  readonly bw_bytes: number;
}

interface FioJob {
  readonly read: FioSide;
  readonly write: FioSide;
  readonly sync: { readonly lat_ns: { readonly percentile?: Readonly<Record<string, number>> } };
}

function timed(rw: string): readonly string[] {
  return [`--rw=${rw}`, '--bs=4k', `--size=${RANDOM_MIB}M`, '--time_based', `--runtime=${SECONDS}`];
}

async function fio({ host, directory }: Place, words: readonly string[]): Promise<FioJob> {
  const common = ['--name=load', '--ioengine=psync', '--output-format=json', '--randseed=1'];
  const { stdout } = await host.run(['fio', `--directory=${directory}`, ...common, ...words], {
    timeoutMs: TIMEOUT_MS,
  });
  await empty(host, directory);
  const [job] = (JSON.parse(stdout) as { readonly jobs: readonly FioJob[] }).jobs;
  if (job === undefined) throw new Error(`fio told of no job: ${stdout}`);
  return job;
}

async function script<T>(host: Host, path: string, words: readonly string[]): Promise<T> {
  const { stdout } = await host.run([process.execPath, path, ...words], { timeoutMs: TIMEOUT_MS });
  return JSON.parse(stdout) as T;
}

async function empty(host: Host, directory: string): Promise<void> {
  await host.run(['find', directory, '-mindepth', '1', '-delete'], { timeoutMs: TIMEOUT_MS });
}
