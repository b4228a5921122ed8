/**
 * `npm run check`: everything that needs no privilege and no real time. Types, lint, layout, tidy
 * rules, dead code, and the unit, property and scenario tests. The same command by hand and in CI;
 * it stays below 90 seconds on two cores.
 *
 *     npm run check                  all steps
 *     npm run check -- lint tidy     some of them
 *     npm run check -- --list        what there is
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { inPackage, ROOT } from './lib/paths.ts';
import { runCommand } from './lib/run-command.ts';
import { closingLine, runSteps, type Step, type StepResult } from './lib/steps.ts';
import { runTests, type Tally } from './lib/vitest.ts';
import { ensurePrograms } from './setup.ts';

const STEPS_AT_ONCE_MAX = 2;

type Environment = Readonly<Record<string, string>>;

interface CheckStep extends Omit<Step, 'run'> {
  run(environment: Environment): Promise<StepResult>;
}

/** Longest first, so that the short ones fill the gaps. */
const STEPS: readonly CheckStep[] = [
  { name: 'tests', about: 'unit, property and scenario tests (vitest)', run: fastTests },
  {
    name: 'types',
    about: 'types, and layers: tsc -b, one project per folder of src and one for the rest',
    run: () => node([inPackage('typescript/bin/tsc'), '-b']),
  },
  {
    name: 'lint',
    about: 'oxlint with type information: promises, switches, layers, cycles, sizes',
    run: () => node([inPackage('oxlint/bin/oxlint'), '--deny-warnings']),
  },
  {
    name: 'format',
    about: 'layout (prettier); `npm run format` repairs it',
    run: () =>
      node([inPackage('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']),
  },
  { name: 'tidy', about: 'house rules (tools/tidy.ts)', run: () => node(['tools/tidy.ts']) },
  {
    name: 'dead',
    about: 'files, exports and packages that nothing uses (knip)',
    run: () => node([inPackage('knip/bin/knip.js'), '--no-progress', '--no-config-hints']),
  },
];

/**
 * Runs the steps of these names, all for an empty list, and prints their lines. `environment` is
 * for the tests.
 */
export function runCheck(
  names: readonly string[] = [],
  environment: Environment = {},
): Promise<Tally> {
  const steps = names.length === 0 ? STEPS : STEPS.filter((step) => names.includes(step.name));
  const bound = steps.map((step): Step => ({ ...step, run: () => step.run(environment) }));
  return runSteps(bound, {
    atOnce: Math.min(STEPS_AT_ONCE_MAX, availableParallelism()),
    print: (text) => process.stdout.write(text),
  });
}

async function node(command: readonly string[]): Promise<StepResult> {
  const result = await runCommand([process.execPath, ...command], {
    output: 'keep',
    directory: ROOT,
  });
  return { ok: result.code === 0, output: result.output };
}

async function fastTests(environment: Environment): Promise<StepResult> {
  const run = await runTests('fast', { output: 'keep', environment });
  return { ok: run.ok, output: run.output, note: closingLine(run), tally: run };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean', default: false } },
  });
  if (values.list) {
    for (const step of STEPS) console.log(`${step.name.padEnd(12)}${step.about}`);
    return 0;
  }
  const unknown = positionals.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(
      `Cannot run "${unknown.join(', ')}": no such step. ` +
        `Steps: ${STEPS.map((step) => step.name).join(', ')}`,
    );
    return 2;
  }
  await ensurePrograms('check');
  const tally = await runCheck(positionals);
  console.log(closingLine(tally));
  return tally.failed === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
