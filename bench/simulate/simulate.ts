/**
 * `npm run bench -- simulate`: how long `tako simulate` takes on a saved state, over the size of the
 * cluster, as a command from its start to its answer, and the part of it that plans; beside `tako
 * version`, which does nothing, and the plain pass over all groups and nodes.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, must } from '../../src/base/assert.ts';
import { type Prediction, whatIf } from '../../src/sim/what-if/what-if.ts';
import { summarize } from '../failover/figures.ts';
import { GROUPS_PER_NODE, makeCluster } from '../placement/cluster.ts';
import { linearPass } from '../placement/linear.ts';
import { type SavedState, makeState } from './state.ts';

const SIZES = [10, 100, 1000] as const;
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const QUESTION = ['lose', 'n3'];
const MEASURES = ['nothing', 'plain', 'planned', 'command'] as const;
type Measure = (typeof MEASURES)[number];

export interface SimulateFigures {
  readonly nodes: number;
  readonly groups: number;
  /** Groups that the answer moves. */
  readonly moved: number;
  readonly milliseconds: Readonly<Record<Measure, readonly number[]>>;
}

export function measureSimulate(
  runs: number,
  tell: (line: string) => void,
): readonly SimulateFigures[] {
  return SIZES.map((nodes) => {
    const folder = mkdtempSync(join(tmpdir(), 'tako-bench-'));
    try {
      const figures = measureSize(nodes, runs, folder);
      tell(`${figures.groups} groups on ${nodes} nodes: ${runs} runs`);
      return figures;
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

function measureSize(nodes: number, runs: number, folder: string): SimulateFigures {
  const saved = makeState(nodes);
  const [config, state] = [join(folder, 'config.json'), join(folder, 'state.json')];
  writeFileSync(config, JSON.stringify(saved.config));
  writeFileSync(state, JSON.stringify(saved.status));
  const words = ['simulate', '--json', '--config', config, '--state', state, ...QUESTION];
  const cluster = makeCluster(nodes, 'narrow');
  const times: Record<Measure, number[]> = { nothing: [], plain: [], planned: [], command: [] };
  let moved = 0;
  for (let run = 0; run < runs; run += 1) {
    times.nothing.push(timed(() => tako(['version'])).ms);
    times.plain.push(timed(() => linearPass(cluster)).ms);
    times.planned.push(timed(() => ask(saved)).ms);
    const { ms, result } = timed(() => tako(words));
    times.command.push(ms);
    moved = movedIn(JSON.parse(result) as Prediction);
  }
  assert(moved > 0, 'a node that runs groups loses them');
  return { nodes, groups: nodes * GROUPS_PER_NODE, moved, milliseconds: times };
}

function ask({ config, status }: SavedState): Prediction {
  return whatIf(config, status, QUESTION);
}

function movedIn({ steps }: Prediction): number {
  return must(steps[0], 'one step was asked for').outcomes.filter(
    ({ before, after }) => before !== undefined && before !== after,
  ).length;
}

function tako(words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...words], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  assert(status === 0, `tako ${words.join(' ')}: ${stderr}`);
  return stdout;
}

function timed<T>(work: () => T): { readonly result: T; readonly ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

const HEADS = ['cluster', 'moved', '`tako version`', 'plain pass', 'planned', '`tako simulate`'];

/** A Markdown table of milliseconds, each as median (least to most). */
export function simulateTable(all: readonly SimulateFigures[]): string {
  const rows = all.map(({ groups, nodes, moved, milliseconds }) => {
    const cells = MEASURES.map((measure) => {
      const { median, least, most } = must(summarize(milliseconds[measure]), 'at least one run');
      const [middle, low, high] = [median, least, most].map((ms) => ms.toFixed(ms < 10 ? 1 : 0));
      return `${middle} (${low} to ${high})`;
    });
    return `| ${[`${groups} groups on ${nodes} nodes`, moved, ...cells].join(' | ')} |`;
  });
  return [`| ${HEADS.join(' | ')} |`, `|${'---|'.repeat(HEADS.length)}`, ...rows].join('\n');
}
