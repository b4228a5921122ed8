/**
 * Runs named steps, some at a time, and prints one line for each with its time; the output of a
 * step only when it failed, and then whole.
 */
import { styleText } from 'node:util';
import type { Tally } from './vitest.ts';

export interface StepResult {
  readonly ok: boolean;
  readonly output: string;
  /** A word or two for the line: "123 passed". */
  readonly note?: string | undefined;
  /** For a step that runs tests. Any other step counts as one check. */
  readonly tally?: Tally | undefined;
}

export interface Step {
  readonly name: string;
  /** What it proves, for `--list`. */
  readonly about: string;
  run(): Promise<StepResult>;
}

export interface StepsOptions {
  readonly atOnce: number;
  readonly print: (text: string) => void;
}

const NAME_WIDTH = 10;

/** Runs all steps, also after a failure, and returns the sum of what they counted. */
export async function runSteps(steps: readonly Step[], options: StepsOptions): Promise<Tally> {
  const waiting = [...steps];
  let total: Tally = { passed: 0, failed: 0, skipped: 0 };
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const startedAt = performance.now();
      const result = await runGuarded(step);
      options.print(describe(step, result, performance.now() - startedAt));
      total = addTally(total, tallyOf(result));
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return total;
}

export function addTally(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

/** The closing line of `npm test` and `npm run check`; programs read it. */
export function closingLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`;
}

function tallyOf(result: StepResult): Tally {
  if (result.tally === undefined) {
    return { passed: result.ok ? 1 : 0, failed: result.ok ? 0 : 1, skipped: 0 };
  }
  const { passed, failed, skipped } = result.tally;
  return { passed, failed: result.ok ? failed : Math.max(failed, 1), skipped };
}

async function runGuarded(step: Step): Promise<StepResult> {
  try {
    return await step.run();
  } catch (error) {
    return {
      ok: false,
      output: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
}

function describe(step: Step, result: StepResult, milliseconds: number): string {
  const mark = result.ok ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
  const seconds = `${(milliseconds / 1000).toFixed(1)} s`.padStart(7);
  const note = result.note === undefined ? '' : `  ${result.note}`;
  const line = `${mark} ${step.name.padEnd(NAME_WIDTH)} ${seconds}${note}\n`;
  return result.ok ? line : `${line}${indent(result.output)}\n`;
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? line : `  ${line}`))
    .join('\n');
}
