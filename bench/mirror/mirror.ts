/**
 * `npm run bench -- mirror`: how fast programs work on mirrored files, beside the plain file system and
 * a FUSE file system in C. Everything is measured in turns, on one disk of one test host, so that all
 * see the same machine; the copy of the mirror is on another test host.
 */
import { Cluster } from '../../test/demo/cluster.ts';
import { ledgerApp } from '../../test/demo/ledger-app.ts';
import { summarize } from '../failover/figures.ts';
import { sourceArchive } from './archive.ts';
import { type Contender, prepareContenders } from './contenders.ts';
import { MEASURES, type Measure } from './loads.ts';

const DISK_MIB = 4096;

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
  runs: number,
  tell: (line: string) => void,
): Promise<MirrorFigures> {
  const cluster = await Cluster.start({ app: ledgerApp, disks: { n1: DISK_MIB, n2: DISK_MIB } });
  try {
    const { owner = '' } = await cluster.settled();
    const { lab } = cluster;
    // The ledger goes on only as a program that waits: its client asks for nothing.
    await lab.host('client').freeze();
    const host = lab.host(owner);
    const archive = sourceArchive(lab.folder);
    const contenders = await prepareContenders(cluster, host, tell);
    const values = MEASURES.map(() => contenders.map((): number[] => []));
    for (let run = 1; run <= runs; run += 1) {
      for (const [row, measure] of MEASURES.entries()) {
        for (const [column, { name, directory }] of contenders.entries()) {
          const value = await measure.run({ host, directory, archive });
          values[row]?.[column]?.push(value);
          tell(`${run}/${runs}  ${measure.title}: ${name}: ${short(value)}`);
        }
      }
    }
    return figuresOf(contenders, values);
  } finally {
    cluster.destroy();
  }
}

function figuresOf(
  contenders: readonly Contender[],
  values: readonly (readonly (readonly number[])[])[],
): MirrorFigures {
  return {
    contenders: contenders.map(({ name }) => name),
    measures: MEASURES.map(({ id, title, better }, row) => {
      return { id, title, better, values: values[row] ?? [] };
    }),
  };
}

/** Medians, and in brackets how many times as good as the first contender. */
export function mirrorTable({ contenders, measures }: MirrorFigures): string {
  const rows = measures.map(({ title, better, values }) => {
    const medians = values.map((each) => summarize(each)?.median ?? NaN);
    const [first = NaN] = medians;
    const cells = medians.map((median, column) => {
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
