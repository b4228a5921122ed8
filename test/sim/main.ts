/**
 * `npm run sim -- ...`: lives of simulated clusters, under everything that can befall one.
 *
 *     --seed N          that one life; with --runs, from that one on
 *     --runs K          so many fresh ones
 *     --minutes M       fresh ones for that long; --jobs 2 uses two processors
 *     --shrink SEED     fewest faults with which that life still breaks; kept in a file
 *     --replay FILE     a life from such a file
 *     --mutants         deliberate defects, each until it is caught; --only NAME for one
 *     --steps           procedures, interrupted at each durable step; --procedure NAME for one;
 *                       with --step K --way WAY that one life
 */
import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LONG_RUN, MUST_REACH } from '../../src/sim/coverage.ts';
import { type LifePlan, live, planLife } from '../../src/sim/life.ts';
import { PROCEDURES } from '../../src/sim/procedures.ts';
import { failureText } from '../../src/sim/report.ts';
import { shrinkList } from '../../src/sim/shrink.ts';
import { MUTANTS } from './mutants.ts';
import { runMutant, runSeedsElsewhere } from './mutant-run.ts';
import {
  type Caught,
  type HuntJob,
  huntSteps,
  interruptEverywhere,
  interruptOnce,
  procedureCalled,
} from './steps.ts';
import { huntKept, type KeptJob } from './kept-lives.ts';
import { addResults, runSeeds, SEED_MAX, type SeedsJob, type SeedsResult } from './seeds.ts';

const LINES = 50;
const SHRINK_TRIES_MAX = 500;
const MUTANT_SECONDS = 120;
const RUNS = 200;
const USAGE_EXIT = 2;

async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      minutes: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      shrink: { type: 'string' },
      replay: { type: 'string' },
      mutants: { type: 'boolean', default: false },
      only: { type: 'string' },
      steps: { type: 'boolean', default: false },
      procedure: { type: 'string' },
      step: { type: 'string' },
      way: { type: 'string', default: '' },
      job: { type: 'string' },
    },
  });
  if (values.job !== undefined) return work(JSON.parse(values.job) as SeedsJob | HuntJob | KeptJob);
  if (values.shrink !== undefined) return shrink(Number(values.shrink));
  if (values.replay !== undefined) return show(readPlan(values.replay));
  if (values.mutants) return mutants(values.only);
  if (values.steps) return steps(values.procedure, values.step, values.way);
  const seed = values.seed === undefined ? randomInt(SEED_MAX) : Number(values.seed);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const asked = values.runs === undefined ? undefined : Number(values.runs);
  const jobs = Number(values.jobs);
  const numbers = [seed, minutes ?? 1, asked ?? 1, jobs];
  if (numbers.some((number) => !(number >= 0)) || !Number.isInteger(jobs) || jobs < 1) {
    say('Cannot simulate: --seed, --runs, --minutes and --jobs want numbers');
    return USAGE_EXIT;
  }
  if (values.seed !== undefined && asked === undefined && minutes === undefined) {
    return show(planLife(seed));
  }
  const runs = asked ?? (minutes === undefined ? RUNS : undefined);
  return many({
    seed,
    runs,
    seconds: minutes === undefined ? undefined : minutes * 60,
    jobs,
  });
}

/** One life, twice: with all that is known of it when it breaks. */
function show(plan: LifePlan): number {
  const report = live(plan, LINES);
  const again = live(plan);
  const known = Object.keys(report.marks).find((mark) => mark.startsWith('known '));
  const held = known === undefined ? 'every promise held' : `ended by a defect (${known})`;
  if (report.failure === undefined) {
    say(
      `seed ${plan.seed}: ${(report.virtualMs / 1000).toFixed(1)} s, ${plan.faults.length} faults, ` +
        `${report.acknowledged} writes acknowledged, trace ${report.hash}: ${held}`,
    );
  } else say(failureText(report));
  if (again.hash === report.hash) return report.failure === undefined ? 0 : 1;
  say(`FAIL the same seed gave two different lives: ${report.hash} and ${again.hash}`);
  return 1;
}

interface Many {
  readonly seed: number;
  readonly runs: number | undefined;
  readonly seconds: number | undefined;
  readonly jobs: number;
}

async function many({ seed, runs, seconds, jobs }: Many): Promise<number> {
  say(`from seed ${seed} on, with ${jobs} ${jobs === 1 ? 'process' : 'processes'}`);
  const parts = Array.from({ length: jobs }, (_, index): SeedsJob => {
    const share = runs === undefined ? undefined : Math.ceil((runs - index) / jobs);
    const from = (seed + index) % SEED_MAX;
    return { from, step: jobs, runs: share, seconds, hunt: [] };
  });
  const results =
    jobs === 1
      ? parts.map((job) => runSeeds(job, (failed) => say(describe(failed))))
      : await Promise.all(parts.map((job) => runSeedsElsewhere(import.meta.filename, job)));
  const result = results.reduce(addResults);
  if (jobs > 1) for (const failure of result.failures) say(describe(failure.seed));
  return summary(result);
}

function describe(seed: number): string {
  return failureText(live(planLife(seed), LINES));
}

function summary(result: SeedsResult): number {
  const { lives, seconds, virtualMs, acknowledged, failures, unlike, marks } = result;
  for (const [mark, count] of Object.entries(marks).sort(([a], [b]) => (a < b ? -1 : 1))) {
    say(`  ${String(count).padStart(8)} ${mark}`);
  }
  say(
    `${lives} lives in ${seconds.toFixed(1)} s: ${(lives / seconds).toFixed(1)} seeds per second, ` +
      `${(virtualMs / 3_600_000).toFixed(2)} hours of cluster time, ` +
      `${acknowledged} writes acknowledged`,
  );
  const missing = lives < LONG_RUN ? [] : MUST_REACH.filter((mark) => marks[mark] === undefined);
  for (const mark of missing) say(`FAIL never reached: ${mark}`);
  for (const seed of unlike) say(`FAIL seed ${seed} gave two different lives`);
  for (const { seed, message } of failures) say(`FAIL seed ${seed}: ${message.split('\n')[0]}`);
  const bad = failures.length + unlike.length + missing.length;
  say(bad === 0 ? 'ok' : `${failures.length} of ${lives} lives broke a promise`);
  return bad === 0 ? 0 : 1;
}

function shrink(seed: number): number {
  const plan = planLife(seed);
  const first = live(plan).failure;
  if (first === undefined) {
    say(`seed ${seed} breaks nothing, so there is nothing to make small`);
    return 0;
  }
  const kind = kindOf(first.message);
  const faults = shrinkList(
    plan.faults,
    (fewer) => kindOf(live({ ...plan, faults: fewer }).failure?.message ?? '') === kind,
    SHRINK_TRIES_MAX,
  );
  const small = { ...plan, faults };
  const file = join(tmpdir(), `tako-sim-${seed}.json`);
  writeFileSync(file, `${JSON.stringify(small, undefined, 1)}\n`);
  show(small);
  say(`${plan.faults.length} faults became ${faults.length}: npm run sim -- --replay ${file}`);
  return 1;
}

/** Failures are of one kind when they name the same promise. */
function kindOf(message: string): string {
  return message.split(':')[0] ?? '';
}

function readPlan(file: string): LifePlan {
  return JSON.parse(readFileSync(file, 'utf8')) as LifePlan;
}

async function mutants(only: string | undefined): Promise<number> {
  const chosen = MUTANTS.filter(({ name }) => only === undefined || name === only);
  if (chosen.length === 0) {
    say(`Cannot run mutant "${only}": known are ${MUTANTS.map(({ name }) => name).join(', ')}`);
    return USAGE_EXIT;
  }
  let missed = 0;
  for (const mutant of chosen) {
    const result = await runMutant(mutant, MUTANT_SECONDS);
    const { caught, lives, seconds, where = '', message } = result;
    if (!caught) missed += 1;
    const took = `${lives} lives, ${seconds.toFixed(1)} s`;
    const what = caught
      ? `caught by ${kindOf(message)} (${took}, ${where})`
      : `NOT CAUGHT (${took})`;
    say(`${mutant.name}: ${what} ${message}`);
  }
  say(`${chosen.length - missed} of ${chosen.length} mutants caught`);
  return missed === 0 ? 0 : 1;
}

function steps(name: string | undefined, step: string | undefined, way: string): number {
  const one = name === undefined ? undefined : procedureCalled(name);
  if (one === undefined && (name !== undefined || step !== undefined)) {
    const known = PROCEDURES.map((procedure) => procedure.name).join(', ');
    say(`Cannot interrupt procedure "${name ?? ''}": known are ${known}`);
    return USAGE_EXIT;
  }
  if (one !== undefined && step !== undefined) {
    const { text, failed } = interruptOnce(one, { step: Number(step), way }, LINES);
    say(text);
    return failed ? 1 : 0;
  }
  let failed = 0;
  let total = 0;
  for (const procedure of one === undefined ? PROCEDURES : [one]) {
    const result = interruptEverywhere(procedure);
    const { interruptions, failures, seconds, settledMs } = result;
    failed += failures.length;
    total += interruptions;
    say(
      `${procedure.name}: ${result.steps} steps, ${interruptions} interruptions, ` +
        `${failures.length} failed; settled after ${(settledMs / 1000).toFixed(1)} s at most ` +
        `(${seconds.toFixed(0)} s)`,
    );
    for (const { message, command } of failures) {
      say(`FAIL ${message.split('\n')[0]}\n  repeat it: ${command}`);
    }
  }
  say(failed === 0 ? `ok: ${total} interruptions` : `${failed} of ${total} interruptions failed`);
  return failed === 0 ? 0 : 1;
}

/** A part of a run, in a process of its own. */
function work(job: SeedsJob | HuntJob | KeptJob): number {
  const result = workOn(job);
  say(JSON.stringify(result));
  return 0;
}

function workOn(job: SeedsJob | HuntJob | KeptJob): SeedsResult | Caught {
  if ('procedure' in job) return huntSteps(job);
  return 'kept' in job ? huntKept(job) : runSeeds(job, () => undefined);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = await main(process.argv.slice(2));
