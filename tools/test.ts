/**
 * `npm test`: sets up what is missing, then runs every test there is. Tiers in order:
 *
 *     check   all of `npm run check`
 *     root    the real kernel: FUSE, namespaces, programs   (src/**, *.root.test.ts)
 *     e2e     whole clusters of test hosts                   (test/e2e)
 *     clean   nothing is left of all that
 *
 *     npm test -- --tier e2e                    one tier
 *     npm test -- --tier root src/fuse          and of that, files with this in their path
 *
 * A tier that lacks a privilege is skipped loudly, with the command to get it; with CI=true a skip
 * is a failure. The last line is `N passed, N failed, N skipped`, over all tiers.
 */
import { join } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { runCheck } from './check.ts';
import { findLeftovers, openScope, removeLeftovers, type TestScope } from './lib/leftovers.ts';
import { ROOT } from './lib/paths.ts';
import { findLacks, type Needs } from './lib/privileges.ts';
import { interruptCommands } from './lib/run-command.ts';
import { addTally, closingLine } from './lib/steps.ts';
import { timeFactor } from './lib/time-factor.ts';
import { countTests, type Project, runTests, type Tally } from './lib/vitest.ts';
import { ensurePrograms } from './setup.ts';

const TIERS = ['check', 'root', 'e2e', 'clean'] as const;
type Tier = (typeof TIERS)[number];

interface TierResult {
  readonly tier: Tier;
  readonly tally: Tally;
  readonly seconds: number;
  /** Why tests did not run. */
  readonly skips: readonly string[];
}

const MINUTE_MS = 60_000;
const TIER_LIMIT_MS: Readonly<Record<'root' | 'e2e', number>> = {
  root: 8 * MINUTE_MS,
  e2e: 15 * MINUTE_MS,
};
const NEEDS: Readonly<Record<'root' | 'e2e', Needs>> = {
  root: { fuse: true, hosts: false },
  e2e: { fuse: true, hosts: true },
};
/** How long what a test ended may take to be gone. */
const CLEAN_PATIENCE_MS = 15_000;
const NONE: Tally = { passed: 0, failed: 0, skipped: 0 };

let interrupted = false;

async function runTier(
  tier: Tier,
  scope: TestScope,
  filters: readonly string[],
): Promise<TierResult> {
  title(tier);
  const startedAt = performance.now();
  const { tally, skips } = await measure(tier, scope, filters);
  return { tier, tally, skips, seconds: (performance.now() - startedAt) / 1000 };
}

function measure(
  tier: Tier,
  scope: TestScope,
  filters: readonly string[],
): Promise<Omit<TierResult, 'tier' | 'seconds'>> {
  switch (tier) {
    case 'check':
      return runCheck([], scope.environment).then((tally) => ({ tally, skips: [] }));
    case 'clean':
      return clean(scope);
    case 'root':
    case 'e2e':
      return privileged(tier, scope, filters);
  }
}

async function privileged(
  tier: 'root' | 'e2e',
  scope: TestScope,
  filters: readonly string[],
): Promise<Omit<TierResult, 'tier' | 'seconds'>> {
  const lacks = await findLacks(NEEDS[tier]);
  if (lacks.length > 0) return skipTier(tier, lacks);
  const run = await runTests(tier, {
    output: 'show',
    environment: scope.environment,
    timeoutMs: TIER_LIMIT_MS[tier] * timeFactor(),
    filters,
  });
  process.stdout.write(run.output);
  return { tally: run, skips: run.skippedNames.map((name) => `test left out: ${name}`) };
}

async function skipTier(
  tier: Project,
  lacks: readonly { readonly what: string; readonly next: string }[],
): Promise<Omit<TierResult, 'tier' | 'seconds'>> {
  const count = await countTests(tier);
  const skips = lacks.map(({ what, next }) => `${what}. Next: ${next}`);
  console.log(styleText(['bold', 'yellow'], `SKIPPED: all tests of the tier "${tier}"`));
  for (const skip of skips) console.log(styleText('yellow', `  ${skip}`));
  return { tally: { ...NONE, skipped: count ?? 1 }, skips };
}

/** One check: nothing of the run is left on the machine. What is left is told and taken away. */
async function clean(scope: TestScope): Promise<Omit<TierResult, 'tier' | 'seconds'>> {
  const left = await findLeftovers(scope, CLEAN_PATIENCE_MS * timeFactor());
  for (const each of left) console.log(styleText('red', `left behind: ${each}`));
  if (left.length === 0) console.log('Nothing is left behind.');
  return { tally: { ...NONE, passed: left.length === 0 ? 1 : 0, failed: left.length }, skips: [] };
}

function title(tier: Tier): void {
  console.log(`\n${styleText('bold', `== ${tier}`)}`);
}

/** Prints the table and the closing line; returns the exit code. */
function summarize(results: readonly TierResult[]): number {
  console.log(`\n${styleText('bold', '== summary')}`);
  for (const { tier, tally, seconds, skips } of results) {
    console.log(
      `${tier.padEnd(6)} ${`${seconds.toFixed(1)} s`.padStart(8)}  ${closingLine(tally)}`,
    );
    for (const skip of skips) console.log(styleText('yellow', `       skipped: ${skip}`));
  }
  let total = results.reduce((sum, each) => addTally(sum, each.tally), NONE);
  if (total.skipped > 0 && isCi()) {
    console.log(styleText('red', 'CI is set: a test that does not run there counts as a failure.'));
    total = { ...total, failed: total.failed + 1 };
  }
  if (interrupted) {
    console.log(styleText('red', 'Interrupted: not all tests ran.'));
    total = { ...total, failed: total.failed + 1 };
  }
  console.log(closingLine(total));
  if (interrupted) return 130;
  return total.failed === 0 ? 0 : 1;
}

function isCi(): boolean {
  return ['1', 'true'].includes(process.env['CI'] ?? '');
}

/** On the first signal the running tier ends, and the rest is cleaning up; a second one kills. */
function installInterrupts(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      interruptCommands(interrupted ? 'SIGKILL' : 'SIGTERM');
      interrupted = true;
    });
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { tier: { type: 'string', multiple: true, default: [...TIERS] } },
  });
  const unknown = values.tier.filter((name) => !TIERS.some((tier) => tier === name));
  if (unknown.length > 0) {
    console.error(`Cannot run "${unknown.join(', ')}": no such tier. Tiers: ${TIERS.join(', ')}`);
    return 2;
  }
  const tiers = TIERS.filter((tier) => values.tier.includes(tier) || tier === 'clean');
  installInterrupts();
  const missing = await ensurePrograms('test');
  const scope = openScope(join(ROOT, 'node_modules', '.cache', 'compile'));
  const results: TierResult[] = [];
  try {
    for (const tier of tiers) {
      if (!interrupted || tier === 'clean') results.push(await runTier(tier, scope, positionals));
    }
  } finally {
    removeLeftovers(scope);
  }
  if (missing.length > 0) {
    console.log(
      `\nMissing programs, see the top: ${missing.map((each) => each.name).join(', ')}. ` +
        'Tests that use them failed or were left out.',
    );
  }
  return summarize(results);
}

process.exitCode = await main();
