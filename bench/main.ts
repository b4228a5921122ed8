/**
 * `npm run bench -- placement [--runs 10] [--json]`: how long the planner takes to place groups.
 *
 * `npm run bench -- simulate [--runs 10] [--json]`: how long `tako simulate` takes on a saved state of
 * 10, 100 and 1,000 nodes.
 *
 * `npm run bench -- witness [--runs 100] [--json]`: the memory of a witness of 1, 20 and 100
 * clusters, beside an empty Node.js, and how long its votes take; `--runs` votes each.
 *
 * `npm run bench -- mirror [--runs 5] [--store ext4] [--json]`: how fast programs work on mirrored files,
 * beside the plain file system and, where Debian's packages are installed, a FUSE file system in C,
 * GlusterFS and lsyncd; `--store tmpfs`: without a disk.
 *
 * `npm run bench -- resync [--runs 5] [--json]`: how long a copy of 2 GiB takes to become equal, the first
 * time and when it comes back, beside rsync.
 *
 * `npm run bench -- failover`: how long clients wait when the owner fails or hands over, at default
 * settings, beside keepalived where Debian's package is installed. Runs are interleaved, so that
 * both see the same machine.
 *
 *     npm run bench -- failover [--runs 10] [--json] [--only power-off,move]
 */
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { must } from '../src/base/assert.ts';
import { ensurePrograms } from '../tools/setup.ts';
import {
  type Contender,
  SITUATIONS,
  type Situation,
  TITLES,
  summarize,
  table,
} from './failover/figures.ts';
import { KeepalivedBench } from './failover/keepalived.ts';
import { TakoBench } from './failover/tako.ts';
import { measureMirror, mirrorTable, STORES, type Store } from './mirror/mirror.ts';
import { measurePlacement, placementTable } from './placement/placement.ts';
import { measureResync, resyncTable } from './resync/resync.ts';
import { measureSimulate, simulateTable } from './simulate/simulate.ts';
import { measureWitness, witnessTable } from './witness/witness.ts';

const NAMES = ['failover', 'mirror', 'placement', 'resync', 'simulate', 'witness'] as const;
const RUNS_DEFAULT = 10;
const USAGE_EXIT = 2;

interface Bench {
  measure(situation: Situation): Promise<number | undefined>;
  /** Its client asks for nothing while another contender is measured. */
  rest(): Promise<void>;
  wake(): Promise<void>;
  destroy(): void;
}

interface Choices {
  readonly name: (typeof NAMES)[number];
  readonly runs: number;
  readonly json: boolean;
  readonly situations: readonly Situation[];
  readonly store: Store;
}

function readChoices(words: readonly string[]): Choices | string {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: String(RUNS_DEFAULT) },
      json: { type: 'boolean', default: false },
      only: { type: 'string' },
      store: { type: 'string', default: STORES[0] },
    },
  });
  const name = positionals.join();
  if (!isName(name)) return `say which benchmark: ${NAMES.join(', ')}`;
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) return `--runs wants a number from 1`;
  const names = values.only?.split(',') ?? SITUATIONS;
  const situations = SITUATIONS.filter((situation) => names.includes(situation));
  if (situations.length !== names.length) return `--only wants some of ${SITUATIONS.join(', ')}`;
  const store = STORES.find((known) => known === values.store);
  if (store === undefined) return `--store wants one of ${STORES.join(', ')}`;
  return { name, runs, json: values.json, situations, store };
}

function isName(word: string): word is Choices['name'] {
  return NAMES.some((name) => name === word);
}

async function main(words: readonly string[]): Promise<number> {
  const choices = readChoices(words);
  if (typeof choices === 'string') {
    tell(`Cannot run a benchmark: ${choices}`);
    return USAGE_EXIT;
  }
  if (choices.name === 'placement') {
    const figures = measurePlacement(choices.runs, tell);
    if (choices.json) print(JSON.stringify({ benchmark: 'placement', figures }, undefined, 2));
    else print(`Milliseconds.\n\n${placementTable(figures)}\n\n${machine(choices)}.`);
    return 0;
  }
  if (choices.name === 'simulate') {
    const figures = measureSimulate(choices.runs, tell);
    if (choices.json) print(JSON.stringify({ benchmark: 'simulate', figures }, undefined, 2));
    else print(`Milliseconds.\n\n${simulateTable(figures)}\n\n${machine(choices)}.`);
    return 0;
  }
  if (choices.name === 'witness') {
    const figures = await measureWitness(choices.runs, tell);
    if (choices.json) print(JSON.stringify({ benchmark: 'witness', ...figures }, undefined, 2));
    else print(`${witnessTable(figures)}\n\n${machine(choices)}.`);
    return 0;
  }
  if (process.getuid?.() !== 0) {
    tell('Cannot run the benchmark: it makes network namespaces, which needs root. Next: sudo');
    return USAGE_EXIT;
  }
  const missing = (await ensurePrograms('bench', { print: tell })).map(({ name }) => name);
  const others = missing.filter((name) => name !== 'keepalived');
  if (others.length > 0) return 1;
  if (choices.name === 'resync') {
    const figures = await measureResync(choices.runs, tell);
    if (choices.json) print(JSON.stringify({ benchmark: 'resync', ...figures }, undefined, 2));
    else print(`${resyncTable(figures)}\n\n${machine(choices)}.`);
    return 0;
  }
  if (choices.name === 'mirror') {
    const figures = await measureMirror(choices, tell);
    if (choices.json) print(JSON.stringify({ benchmark: 'mirror', ...figures }, undefined, 2));
    else print(`${mirrorTable(figures)}\n\n${machine(choices)}.`);
    return 0;
  }
  const contenders = await measureAll(choices, !missing.includes('keepalived'));
  if (choices.json) print(JSON.stringify(toJson(contenders, choices), undefined, 2));
  else print(`${table(contenders)}\n\n${conditions(choices)}`);
  return 0;
}

async function measureAll(choices: Choices, withKeepalived: boolean): Promise<Contender[]> {
  const benches: [string, Bench][] = [['Tako', await TakoBench.start()]];
  if (withKeepalived) benches.push(['keepalived, 0.1 s adverts', await KeepalivedBench.start()]);
  else tell('keepalived is not installed: Tako is measured alone');
  const contenders = benches.map(([name]) => ({
    name,
    gaps: {} as Partial<Record<Situation, number[]>>,
  }));
  for (const [, bench] of benches) await bench.rest();
  for (let run = 1; run <= choices.runs; run += 1) {
    for (const situation of choices.situations) {
      for (const [index, [name, bench]] of benches.entries()) {
        await bench.wake();
        const seconds = await bench.measure(situation);
        await bench.rest();
        if (seconds === undefined) continue;
        const { gaps } = must(contenders[index], 'one per bench');
        (gaps[situation] ??= []).push(seconds);
        tell(`${run}/${choices.runs}  ${name}: ${TITLES[situation]}: ${seconds.toFixed(3)} s`);
      }
    }
  }
  for (const [, bench] of benches) bench.destroy();
  return contenders;
}

function toJson(contenders: readonly Contender[], choices: Choices): unknown {
  return {
    benchmark: 'failover',
    unit: 'seconds without an answer',
    conditions: conditions(choices),
    contenders: contenders.map(({ name, gaps }) => ({
      name,
      situations: Object.fromEntries(
        Object.entries(gaps).map(([situation, values]) => [
          situation,
          { ...summarize(values), values },
        ]),
      ),
    })),
  };
}

function conditions(choices: Choices): string {
  return `${machine(choices)}; client polls every 5 ms.`;
}

function machine({ runs }: Choices): string {
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return (
    `Median (least to most) of ${runs}; ${cpus().length} cores (${cpu?.model.trim()}), ` +
    `Linux ${release()}, Node.js ${process.version}, load at the end ${load}`
  );
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  tell(`The benchmark failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
}
// Whatever still runs in a lab must not keep the program.
process.exit();
