/**
 * `npm run soak -- --minutes 30`: the ledger under far more load than the machine has processors
 * for. Load is not a failure: nothing may move, nothing be lost, and no suspension be long.
 */
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../../tools/setup.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { pause } from '../hosts/wait.ts';
import { type SuspendFigures, suspends } from './suspends.ts';

const MINUTE_MS = 60_000;
const STRESSORS = 8;
const SUSPEND_LIMIT_MS = 1000;
const EVENTS_MAX = 10_000;
const PROGRESS_EVERY_MS = 30_000;
const USAGE_EXIT = 2;

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: 'string', default: '30' },
      stressors: { type: 'string', default: String(STRESSORS) },
    },
  });
  const [minutes, stressors] = [Number(values.minutes), Number(values.stressors)];
  if (!(minutes > 0) || !Number.isInteger(stressors)) {
    say('Cannot soak: --minutes and --stressors want numbers');
    return USAGE_EXIT;
  }
  if (process.getuid?.() !== 0) {
    say('Cannot soak: it makes network namespaces, which needs root. Next: sudo');
    return USAGE_EXIT;
  }
  if ((await ensurePrograms('soak')).length > 0) return 1;
  const cluster = await Cluster.start({ app: ledgerApp });
  say(`${ledgerApp.name} runs; ${minutes} minutes with ${stressors} CPU stressors follow`);
  try {
    return await soak(cluster, minutes * MINUTE_MS, stressors);
  } finally {
    cluster.destroy();
  }
}

async function soak(cluster: Cluster, ms: number, stressors: number): Promise<number> {
  const before = await cluster.settled();
  await cluster.client.mark();
  const seconds = String(Math.ceil(ms / 1000));
  const words = ['--cpu', String(stressors), '--timeout', `${seconds}s`, '--quiet'];
  const load = cluster.lab.host('client').spawn(['stress-ng', ...words], { logFile: '/dev/null' });
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt) {
    await pause(Math.min(PROGRESS_EVERY_MS, Math.max(0, endsAt - performance.now())));
    const { stats } = cluster.client;
    const longest = (await cluster.client.report()).longestGapMs;
    say(
      `${stats?.acknowledged} acknowledged, ${stats?.lost} lost, longest gap ${inSeconds(longest)}`,
    );
  }
  load.kill('SIGKILL');
  const after = await cluster.settled();
  const report = await cluster.client.report();
  const audit = await cluster.client.audit();
  const figures = suspends(await cluster.events(after.owner ?? '', EVENTS_MAX));
  const moves = (after.epoch ?? 0) - (before.epoch ?? 0);
  say(
    `${audit.acknowledged} acknowledged, ${audit.lost} lost; ${moves} failovers; ` +
      `${figures.count} suspensions, the longest ${inSeconds(figures.longestMs)}; ` +
      `longest gap ${inSeconds(report.longestGapMs)}`,
  );
  const problems = judge({ moves, lost: audit.lost, figures, violations: audit.violations });
  for (const problem of problems) say(`FAIL ${problem}`);
  if (problems.length > 0) say(`logs: ${cluster.keepLogs()}`);
  else say('ok');
  return problems.length === 0 ? 0 : 1;
}

function judge(seen: {
  readonly moves: number;
  readonly lost: number;
  readonly figures: SuspendFigures;
  readonly violations: readonly string[];
}): string[] {
  const problems = [...seen.violations];
  if (seen.moves > 0) problems.push(`the group changed its owner ${seen.moves} times`);
  if (seen.lost > 0) problems.push(`${seen.lost} records are lost`);
  if (seen.figures.longestMs > SUSPEND_LIMIT_MS) {
    problems.push(`a suspension took ${inSeconds(seen.figures.longestMs)}`);
  }
  return problems;
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`The soak failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
}
// Whatever still runs in the lab must not keep the program.
process.exit();
