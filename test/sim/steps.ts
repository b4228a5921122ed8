/**
 * Interrupts procedures at their durable steps, one life for each step and way. What happens is
 * decided by the procedure, the step and the way alone, so these three repeat a failure.
 */
import { describeStep, fits, WAYS } from '../../src/sim/interruption.ts';
import type { LifeFailure } from '../../src/sim/life.ts';
import { PROCEDURES, type Procedure } from '../../src/sim/procedures.ts';
import { liveThrough } from '../../src/sim/step-life.ts';
import { processorSeconds } from './seeds.ts';

export interface StepsResult {
  readonly procedure: string;
  /** In the life that nothing interrupts. */
  readonly steps: number;
  /** Lives that were interrupted. */
  readonly interruptions: number;
  readonly seconds: number;
  /** The longest that it took until all was well again, in virtual time. */
  readonly settledMs: number;
  readonly failures: readonly StepsFailure[];
}

/** What broke, and in which life: a seed, or an interruption. */
export interface Caught {
  readonly lives: number;
  readonly seconds: number;
  readonly where: string | undefined;
  readonly message: string;
}

/** A procedure is interrupted until one of these promises breaks, or so much of a processor is used. */
export interface HuntJob {
  readonly procedure: string;
  readonly seconds: number;
  readonly hunt: readonly string[];
}

export interface StepsFailure {
  readonly message: string;
  /** What repeats it. */
  readonly command: string;
}

/** The whole of a procedure, or a share: every so many of its interruptions. */
export function interruptEverywhere(procedure: Procedure, every = 1): StepsResult {
  const begun = performance.now();
  const reference = liveThrough(procedure, undefined);
  const failures: StepsFailure[] = [];
  const failed = (failure: LifeFailure | undefined, step: number, way: string): void => {
    if (failure === undefined) return;
    const { name } = procedure;
    const command = `npm run sim -- --steps --procedure ${name} --step ${step} --way ${way}`;
    const what = reference.steps[step - 1];
    const where = what === undefined ? '' : `${way} at ${describeStep(what)}: `;
    failures.push({ message: `${where}${failure.message}`, command });
  };
  failed(reference.failure, 0, 'none');
  let { settledMs } = reference;
  let [interruptions, planned] = [0, 0];
  for (const [index, step] of reference.steps.entries()) {
    for (const way of WAYS) {
      if (!fits(way, step)) continue;
      planned += 1;
      if (planned % every !== 0) continue;
      const report = liveThrough(procedure, { step: index + 1, way });
      interruptions += 1;
      settledMs = Math.max(settledMs, report.settledMs);
      failed(report.failure, index + 1, way.name);
      if (!report.interrupted) {
        failed({ message: 'the step was not reached', atMs: 0, lines: [] }, index + 1, way.name);
      }
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  const steps = reference.steps.length;
  return { procedure: procedure.name, steps, interruptions, seconds, settledMs, failures };
}

/** Tells of the first interruption that breaks one of the promises; what else breaks does not count. */
export function huntSteps({ procedure: name, seconds: patience, hunt }: HuntJob): Caught {
  const seconds = processorSeconds();
  const procedure = procedureCalled(name);
  const steps = procedure === undefined ? [] : liveThrough(procedure, undefined).steps;
  const numbered = steps.map((step, index) => ({ step, number: index + 1 }));
  // Most of what is remembered of decisions are votes.
  const votes = numbered.filter(({ step }) => step.what === 'vote');
  const others = numbered.filter(({ step }) => step.what !== 'vote');
  let lives = 0;
  for (const { step, number } of [...votes, ...others]) {
    for (const way of WAYS) {
      if (procedure === undefined || !fits(way, step) || seconds() > patience) continue;
      lives += 1;
      const { failure } = liveThrough(procedure, { step: number, way });
      const message = failure?.message ?? '';
      if (!hunt.some((promise) => message.startsWith(`${promise}:`))) continue;
      const where = `${name}, step ${number}, ${way.name}`;
      return { lives, seconds: seconds(), where, message };
    }
  }
  return { lives, seconds: seconds(), where: undefined, message: '' };
}

/** One interrupted life with all that is known of it; step 0 is the life that nothing interrupts. */
export function interruptOnce(
  procedure: Procedure,
  { step, way: name }: { readonly step: number; readonly way: string },
  keepLines: number,
): { readonly text: string; readonly failed: boolean } {
  const way = WAYS.find((known) => known.name === name);
  if (way === undefined && step > 0) {
    const text = `Cannot interrupt "${name}": known are ${WAYS.map((w) => w.name).join(', ')}`;
    return { text, failed: true };
  }
  const planned = way === undefined || step === 0 ? undefined : { step, way };
  const { failure, transcript, interrupted, hash } = liveThrough(procedure, planned, keepLines);
  const outcome =
    failure === undefined
      ? [`${procedure.name}: every promise held, trace ${hash}`]
      : [
          `the last ${failure.lines.length} events:`,
          ...failure.lines.map((line) => `  ${line}`),
          `FAIL ${procedure.name} at ${(failure.atMs / 1000).toFixed(4)} s: ${failure.message}`,
        ];
  const missed = planned !== undefined && !interrupted ? [`FAIL there is no step ${step}`] : [];
  const text = [...transcript, ...outcome, ...missed].join('\n');
  return { text, failed: failure !== undefined || missed.length > 0 };
}

export function procedureCalled(name: string): Procedure | undefined {
  return PROCEDURES.find((procedure) => procedure.name === name);
}
