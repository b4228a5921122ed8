/**
 * `npm run bench -- mirror`: how fast programs work on mirrored files, beside the plain file system and
 * a FUSE file system in C. Everything is measured in turns, on one disk of one test host, so that all
 * see the same machine; the copy of the mirror is on another test host.
 */
import type { App } from '../../test/demo/app.ts';
import { Cluster } from '../../test/demo/cluster.ts';
import { ledgerApp } from '../../test/demo/ledger-app.ts';
import { summarize } from '../failover/figures.ts';
import { sourceArchive } from './archive.ts';
import { type Contender, prepareContenders } from './contenders.ts';
import { type Load, LOADS, type Measure } from './loads.ts';

const DISK_MIB = 4096;
const TMPFS_MIB = 2048;

/** What is below everything that is measured: an image on the machine's disk, or memory. */
export const STORES = ['ext4', 'tmpfs'] as const;
export type Store = (typeof STORES)[number];

export interface MirrorFigures {
  readonly contenders: readonly string[];
  readonly measures: readonly {
    readonly id: string;
    readonly title: string;
    readonly better: Measure['better'];
    /** Values of all runs, by contender. */
    readonly values: readonly (readonly number[])[];
  }[];
}

export async function measureMirror(
  { runs, store }: { readonly runs: number; readonly store: Store },
  tell: (line: string) => void,
): Promise<MirrorFigures> {
  const disks = { n1: DISK_MIB, n2: DISK_MIB };
  const cluster = await Cluster.start(
    store === 'ext4' ? { app: ledgerApp, disks } : { app: onTmpfs(ledgerApp) },
  );
  try {
    const { owner = '' } = await cluster.settled();
    const { lab } = cluster;
    // The ledger goes on only as a program that waits: its client asks for nothing.
    await lab.host('client').freeze();
    const host = lab.host(owner);
    const archive = sourceArchive(lab.folder);
    const contenders = await prepareContenders(cluster, host, tell);
    const values = new Values(contenders.length);
    for (let run = 1; run <= runs; run += 1) {
      for (const [load, column] of turns(contenders)) {
        const { name = '', directory = '' } = contenders[column] ?? {};
        const found = await load.run({ host, directory, archive });
        for (const [row, { id, title }] of load.measures.entries()) {
          const value = values.add(id, column, found?.[row]);
          tell(`${run}/${runs}  ${title}: ${name}: ${value === undefined ? '-' : short(value)}`);
        }
      }
    }
    return figuresOf(contenders, values);
  } finally {
    cluster.destroy();
  }
}

/** Each load on each contender, before the next load: so all see the machine at about the same time. */
function turns(contenders: readonly Contender[]): readonly (readonly [Load, number])[] {
  return LOADS.flatMap((load) => contenders.map((_, column) => [load, column] as const));
}

/** Of all runs, by measure and contender. */
class Values {
  readonly #byMeasure: ReadonlyMap<string, readonly number[][]>;

  constructor(contenders: number) {
    const ids = LOADS.flatMap(({ measures }) => measures.map(({ id }) => id));
    const none = (): number[][] => Array.from({ length: contenders }, () => []);
    this.#byMeasure = new Map(ids.map((id) => [id, none()]));
  }

  add(id: string, column: number, value: number | undefined): number | undefined {
    if (value !== undefined) this.of(id)[column]?.push(value);
    return value;
  }

  of(id: string): readonly number[][] {
    return this.#byMeasure.get(id) ?? [];
  }
}

/** Its files, and those of every contender, are in memory. */
function onTmpfs(app: App): App {
  const prepare: App['prepare'] = async (lab) => {
    const words = ['mount', '-t', 'tmpfs', '-o', `size=${TMPFS_MIB}m`, 'store', '/srv'];
    const nodes = lab.hosts.filter(({ links }) => links.includes('mirror'));
    for (const host of nodes) await host.run(words);
    await app.prepare(lab);
  };
  return { ...app, prepare };
}

function figuresOf(contenders: readonly Contender[], values: Values): MirrorFigures {
  const measures = LOADS.flatMap((load) => load.measures);
  return {
    contenders: contenders.map(({ name }) => name),
    measures: measures.map((measure) => ({ ...measure, values: values.of(measure.id) })),
  };
}

/** Medians, and in brackets how many times as good as the first contender. */
export function mirrorTable({ contenders, measures }: MirrorFigures): string {
  const rows = measures.map(({ title, better, values }) => {
    const medians = values.map((each) => summarize(each)?.median ?? NaN);
    const [first = NaN] = medians;
    const cells = medians.map((median, column) => {
      if (Number.isNaN(median)) return '-';
      const ratio = better === 'more' ? median / first : first / median;
      return column === 0 ? short(median) : `${short(median)} (${ratio.toFixed(2)})`;
    });
    return `| ${[title, ...cells].join(' | ')} |`;
  });
  const heads = ['', ...contenders];
  return [`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...rows].join('\n');
}

function short(value: number): string {
  return value < 10 ? value.toFixed(2) : String(Math.round(value));
}
