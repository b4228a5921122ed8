/** `npm run demo -- --check`: runs the scenarios by itself, one line each. */
import { styleText } from 'node:util';
import type { App } from './app.ts';
import { Cluster } from './cluster.ts';
import { type Scenario, type Verdict, runScenario } from './scenario.ts';

export interface CheckOptions {
  readonly app: App;
  readonly scenarios: readonly Scenario[];
  /** In place of each scenario's own number of rounds. */
  readonly rounds: number | undefined;
  readonly print: (line: string) => void;
}

/** Disks of limited size, because one scenario fills one. */
const DISKS = { n1: 512, n2: 512 };

/** Runs them all, also after a failure; returns whether all passed. */
export async function checkAll(options: CheckOptions): Promise<boolean> {
  const { print } = options;
  const verdicts: Verdict[] = [];
  let cluster = await startCluster(options);
  print(heading());
  for (const scenario of options.scenarios) {
    const rounds = options.rounds ?? scenario.times ?? 1;
    for (let round = 1; round <= rounds; round += 1) {
      const verdict = await runScenario(cluster, scenario, round);
      verdicts.push(verdict);
      print(line(verdict, rounds));
      if (verdict.problems.length === 0) continue;
      for (const problem of verdict.problems) print(`      ${problem}`);
      print(`      logs: ${cluster.keepLogs()}`);
      // What comes next must not suffer from what this one left.
      cluster.destroy();
      cluster = await startCluster(options);
    }
  }
  cluster.destroy();
  return summarize(verdicts, print);
}

async function startCluster({ app, print }: CheckOptions): Promise<Cluster> {
  const startedAt = performance.now();
  const cluster = await Cluster.start({ app, disks: DISKS });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  print(`Two nodes, a witness and a client stand; ${app.name} is protected (after ${seconds} s).`);
  return cluster;
}

function heading(): string {
  const columns = ['outage'.padStart(8), 'acknowledged'.padStart(13), 'lost'.padStart(5)];
  return styleText('bold', `     ${'scenario'.padEnd(62)}${columns.join('')}  owner`);
}

function line(verdict: Verdict, rounds: number): string {
  const { scenario, round, owners, problems } = verdict;
  const passed = problems.length === 0;
  const title = rounds === 1 ? scenario.title : `${scenario.title} (${round}/${rounds})`;
  const outage = Number.isNaN(verdict.outageMs) ? '?' : `${(verdict.outageMs / 1000).toFixed(2)} s`;
  const columns = [
    outage.padStart(8),
    verdict.acknowledged.toLocaleString('en').padStart(13),
    String(verdict.lost).padStart(5),
  ];
  const word = passed ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
  return `${word} ${title.padEnd(62)}${columns.join('')}  ${owners.join(' -> ')}`;
}

function summarize(verdicts: readonly Verdict[], print: (line: string) => void): boolean {
  const failed = verdicts.filter(({ problems }) => problems.length > 0);
  const lost = verdicts.reduce((sum, verdict) => sum + verdict.lost, 0);
  const words = `${verdicts.length - failed.length} of ${verdicts.length} passed, ${lost} lost`;
  print(styleText(failed.length === 0 ? 'green' : 'red', words));
  return failed.length === 0;
}
