/**
 * `npm run linearizability -- ...`: real clusters under mischief; the histories of their votes are
 * checked for linearizability.
 *
 *     --minutes M       one cluster after the other for that long; 5 unless told
 *     --seconds S       of mischief for each cluster; 60 unless told
 *     --seed N          of the first one; the next ones have the next seeds
 *     --shape NAME      `witness` (two nodes and a witness), `three` (nodes) or `etcd` (two nodes and
 *                       three members of etcd); in turns unless told
 *     --groups G        8 unless told
 *     --mutants         deliberate defects of the registry, each until it is caught; --only NAME
 *     --judge DIR       histories that a failed run has kept, once more
 */
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/base/tako-error.ts';
import { ensurePrograms } from '../../tools/setup.ts';
import { type ExperimentOptions, experiment, registryOf } from './experiment.ts';
import { type Registry, judge, summary } from './judge.ts';
import { REGISTRY_MUTANTS, mutantNamed, mutatedTree } from './mutants.ts';
import { SHAPES, type Shape, isEtcdHost } from './vote-cluster.ts';
import { readVotes } from './vote-lines.ts';

const MINUTE_MS = 60_000;
const SEED_MAX = 2 ** 31;
/** Clusters that a mutant is given, and how long each is troubled. */
const MUTANT_TRIES = 6;
const MUTANT_SECONDS = 15;
const USAGE_EXIT = 2;

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      minutes: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(randomInt(SEED_MAX)) },
      groups: { type: 'string', default: '8' },
      shape: { type: 'string' },
      mutants: { type: 'boolean', default: false },
      only: { type: 'string' },
      judge: { type: 'string' },
    },
  });
  if (values.judge !== undefined) return judgeKept(values.judge);
  const { minutes, seconds, seed, groups } = values;
  const numbers = [minutes, seconds, seed, groups].map(Number);
  const shapes = SHAPES.filter((shape) => values.shape === undefined || values.shape === shape);
  if (numbers.some((number) => !(number >= 0)) || shapes.length === 0) {
    say('Cannot run: --minutes, --seconds, --seed and --groups want numbers, --shape a shape');
    return USAGE_EXIT;
  }
  if (process.getuid?.() !== 0) {
    say('Cannot run: it makes network namespaces, which needs root. Next: sudo');
    return USAGE_EXIT;
  }
  if ((await ensurePrograms('soak')).length > 0) return 1;
  if (values.mutants) return mutants(values.only, Number(seed));
  const first = { seed: Number(seed), seconds: Number(seconds), groups: Number(groups) };
  return many(first, shapes, Number(minutes) * MINUTE_MS);
}

/** One cluster after the other; goes on after a failure, for the next one may tell more. */
async function many(
  first: Omit<ExperimentOptions, 'shape'>,
  shapes: readonly Shape[],
  ms: number,
): Promise<number> {
  const until = performance.now() + ms;
  const sums = { clusters: 0, failed: 0, votes: 0, operations: 0, unknown: 0 };
  for (let at = 0; at === 0 || performance.now() < until; at += 1) {
    const shape = shapes[at % shapes.length] ?? 'witness';
    const options = { ...first, shape, seed: first.seed + at };
    const { judgement, failures, done, kept } = await experiment(options);
    sums.clusters += 1;
    sums.votes += judgement.votes;
    sums.operations += judgement.operations;
    sums.unknown += judgement.unknown;
    say(`${shape}, seed ${options.seed}: ${summary(judgement)}; done: ${listed(done)}`);
    for (const failure of failures) say(`FAIL ${failure}`);
    if (failures.length === 0) continue;
    sums.failed += 1;
    say(`  histories and logs: ${kept}`);
  }
  const { clusters, failed, votes, operations, unknown } = sums;
  say(
    `${clusters} clusters, ${failed} failed: ${votes} votes, ${operations} operations, ` +
      `${unknown} of unknown outcome`,
  );
  return failed === 0 ? 0 : 1;
}

async function mutants(only: string | undefined, seed: number): Promise<number> {
  const chosen = only === undefined ? REGISTRY_MUTANTS : [mutantNamed(only)];
  let missed = 0;
  for (const mutant of chosen) {
    const tree = mutatedTree(mutant);
    try {
      const caught = await hunt(tree.root, mutant.registry, seed);
      if (caught === undefined) missed += 1;
      say(`${mutant.name}: ${caught ?? 'NOT CAUGHT'}`);
    } finally {
      tree.remove();
    }
  }
  say(`${chosen.length - missed} of ${chosen.length} mutants caught`);
  return missed === 0 ? 0 : 1;
}

/** What was found; undefined when nothing was. Only a history that is not linearizable counts. */
async function hunt(root: string, registry: Registry, seed: number): Promise<string | undefined> {
  const shapes = SHAPES.filter((shape) => registryOf(shape) === registry);
  for (let at = 0; at < MUTANT_TRIES; at += 1) {
    const shape = shapes[(at + 1) % shapes.length] ?? 'three';
    const options = { shape, root, seed: seed + at, seconds: MUTANT_SECONDS };
    try {
      const { judgement, kept } = await experiment(options);
      if (kept !== undefined) rmSync(kept, { recursive: true });
      const [failure] = judgement.failures;
      if (failure !== undefined) return `caught by cluster ${at + 1}\n${failure}`;
    } catch (error) {
      say(`  no cluster comes about (${messageOf(error)}): another one`);
    }
  }
  return undefined;
}

/** The members of a kept cluster are its folders, beside those of etcd's. */
function judgeKept(folder: string): number {
  const hosts = readdirSync(folder);
  const members = hosts.filter((name) => !isEtcdHost(name));
  const nodes = members.filter((name) => name !== 'w1');
  const votes = nodes.flatMap((name) =>
    readVotes(readFileSync(join(folder, name, 'log', 'votes.ndjson'), 'utf8')),
  );
  const judgement = judge(votes, members, members.length < hosts.length ? 'etcd' : 'members');
  say(summary(judgement));
  for (const failure of judgement.failures) say(`FAIL ${failure}`);
  return judgement.failures.length === 0 ? 0 : 1;
}

function listed(done: Readonly<Record<string, number>>): string {
  return Object.entries(done)
    .map(([what, count]) => `${count} ${what}`)
    .sort()
    .join(', ');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`The run failed: ${error instanceof Error ? error.stack : String(error)}`);
  process.exitCode = 1;
}
// Requests that wait for an answer must not keep the program.
process.exit();
