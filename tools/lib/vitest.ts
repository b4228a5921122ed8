/** Runs one vitest project of `vitest.config.ts` and counts truly, unloadable files included. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inPackage, ROOT } from './paths.ts';
import { runCommand } from './run-command.ts';

export type Project = 'fast' | 'root' | 'e2e';

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TestRun extends Tally {
  readonly ok: boolean;
  readonly output: string;
  readonly milliseconds: number;
  /** Full names of tests that did not run. */
  readonly skippedNames: readonly string[];
}

export interface TestRunOptions {
  readonly output: 'keep' | 'show';
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly timeoutMs?: number | undefined;
  /** Only test files whose path contains one of these. */
  readonly filters?: readonly string[] | undefined;
}

const VITEST = inPackage('vitest/vitest.mjs');
const FAILURES = join(ROOT, 'tools/lib/failure-reporter.ts');

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export async function runTests(project: Project, options: TestRunOptions): Promise<TestRun> {
  const folder = mkdtempSync(join(tmpdir(), 'tako-vitest-'));
  const file = join(folder, 'report.json');
  try {
    const result = await runCommand(
      [
        process.execPath,
        VITEST,
        'run',
        '--project',
        project,
        '--reporter=default',
        ...(options.output === 'show' ? [`--reporter=${FAILURES}`] : []),
        '--reporter=json',
        `--outputFile.json=${file}`,
        ...(options.filters ?? []),
      ],
      {
        output: options.output,
        directory: ROOT,
        environment: options.environment,
        timeoutMs: options.timeoutMs,
      },
    );
    const counted = countReport(readReport(file));
    // Vitest can fail without a failed test: an unhandled rejection, a dead worker, a time-out.
    const failed = result.code !== 0 && counted.failed === 0 ? 1 : counted.failed;
    const note = result.timedOut ? `\nThe ${project} tests did not end in time.\n` : '';
    return {
      ...counted,
      failed,
      ok: result.code === 0 && failed === 0,
      output: result.output + note,
      milliseconds: result.milliseconds,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many tests a project has, without running any. Undefined when that can't be found out. */
export async function countTests(project: Project): Promise<number | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tako-vitest-'));
  const file = join(folder, 'list.json');
  try {
    const result = await runCommand(
      [process.execPath, VITEST, 'list', '--project', project, `--json=${file}`],
      { output: 'keep', directory: ROOT },
    );
    if (result.code !== 0) return undefined;
    const list: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return Array.isArray(list) ? list.length : undefined;
  } catch {
    // The list is for a figure in the summary only; the caller says that it is not known.
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Exported for its test. A file that could not be loaded counts as one failure. */
export function countReport(
  report: Report | undefined,
): Tally & { readonly skippedNames: readonly string[] } {
  let passed = 0;
  let failed = 0;
  const skippedNames: string[] = [];
  for (const file of report?.testResults ?? []) {
    let failedHere = 0;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed += 1;
      else if (test.status === 'failed') failedHere += 1;
      else skippedNames.push(test.fullName);
    }
    if (file.status === 'failed' && failedHere === 0) failedHere = 1;
    failed += failedHere;
  }
  return { passed, failed, skipped: skippedNames.length, skippedNames };
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    // No report: vitest died before it could write one; its exit code and output tell.
    return undefined;
  }
}
