/** Lives, one after the other: for a number of seeds, or until some time has passed. */
import { addMarks } from '../../src/sim/coverage.ts';
import { live, planLife } from '../../src/sim/life.ts';
import { drawSwarm } from '../../src/sim/swarm.ts';

/** Two nodes with fences, groups with hooks, or groups with words of placement. */
export type LifeKind = 'fences' | 'hooks' | 'placement';

export interface SeedsJob {
  readonly from: number;
  readonly step: number;
  readonly runs: number | undefined;
  /** By the clock; of the processor when something is hunted. */
  readonly seconds: number | undefined;
  /** End with the first life that breaks one of these promises. */
  readonly hunt: readonly string[];
  /** Only lives of that kind. */
  readonly only?: LifeKind | undefined;
}

export interface SeedsResult {
  readonly lives: number;
  readonly seconds: number;
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly failures: readonly { readonly seed: number; readonly message: string }[];
  /** Lives that were not the same when lived again. */
  readonly unlike: readonly number[];
  readonly marks: Readonly<Record<string, number>>;
}

/** Every so many lives one is lived twice, to see that its seed decides everything. */
const TWICE_EVERY = 50;
export const SEED_MAX = 2 ** 31;

export function runSeeds(job: SeedsJob, onFailure: (seed: number) => void): SeedsResult {
  const seconds = job.hunt.length > 0 ? processorSeconds() : clockSeconds();
  const failures: { seed: number; message: string }[] = [];
  const unlike: number[] = [];
  let marks: Readonly<Record<string, number>> = {};
  let [lives, virtualMs, acknowledged] = [0, 0, 0];
  for (let seed = job.from; ; seed = (seed + job.step) % SEED_MAX) {
    if (job.runs !== undefined && lives >= job.runs) break;
    if (job.seconds !== undefined && seconds() >= job.seconds) break;
    if (job.only !== undefined && !isOfKind(seed, job.only)) continue;
    const plan = planLife(seed);
    const report = live(plan);
    lives += 1;
    virtualMs += report.virtualMs;
    acknowledged += report.acknowledged;
    marks = addMarks(marks, report.marks);
    if (lives % TWICE_EVERY === 1 && live(plan).hash !== report.hash) {
      unlike.push(seed);
    }
    if (report.failure === undefined) continue;
    failures.push({ seed, message: report.failure.message });
    onFailure(seed);
    if (job.hunt.some((promise) => report.failure?.message.startsWith(`${promise}:`))) break;
  }
  return { lives, seconds: seconds(), virtualMs, acknowledged, failures, unlike, marks };
}

function isOfKind(seed: number, kind: LifeKind): boolean {
  const { fenceDelayMs, groups, hookTimeoutMs } = drawSwarm(seed);
  if (kind === 'fences') return fenceDelayMs !== undefined;
  if (kind === 'hooks') return hookTimeoutMs !== undefined;
  return groups.some(({ placement }) => placement !== undefined);
}

function clockSeconds(): () => number {
  const begun = performance.now();
  return () => (performance.now() - begun) / 1000;
}

/** What this process has used of a processor since: a busy machine does not shorten a hunt. */
export function processorSeconds(): () => number {
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1e6;
  };
}

export function addResults(a: SeedsResult, b: SeedsResult): SeedsResult {
  return {
    lives: a.lives + b.lives,
    seconds: Math.max(a.seconds, b.seconds),
    virtualMs: a.virtualMs + b.virtualMs,
    acknowledged: a.acknowledged + b.acknowledged,
    failures: [...a.failures, ...b.failures],
    unlike: [...a.unlike, ...b.unlike],
    marks: addMarks(a.marks, b.marks),
  };
}
