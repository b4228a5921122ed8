import { expect, test } from 'vitest';
import { closingLine, runSteps, type Step } from './steps.ts';

function step(name: string, run: Step['run']): Step {
  return { name, about: '', run };
}

async function runAll(steps: readonly Step[]): Promise<{ line: string; printed: string }> {
  let printed = '';
  const tally = await runSteps(steps, { atOnce: 2, print: (text) => (printed += text) });
  return { line: closingLine(tally), printed };
}

test('counts tests of test steps and one check for any other', async () => {
  const { line } = await runAll([
    step('lint', () => Promise.resolve({ ok: true, output: '' })),
    step('tests', () =>
      Promise.resolve({ ok: true, output: '', tally: { passed: 40, failed: 0, skipped: 2 } }),
    ),
  ]);
  expect(line).toBe('41 passed, 0 failed, 2 skipped');
});

test('shows the whole output of a failed step and none of a good one', async () => {
  const { line, printed } = await runAll([
    step('types', () => Promise.resolve({ ok: true, output: 'quiet' })),
    step('lint', () => Promise.resolve({ ok: false, output: 'one\ntwo' })),
  ]);
  expect(line).toBe('1 passed, 1 failed, 0 skipped');
  expect(printed).toContain('one\n  two');
  expect(printed).not.toContain('quiet');
});

test('a step that throws is a failure, and the others still run', async () => {
  const { line, printed } = await runAll([
    step('broken', () => Promise.reject(new Error('no such tool'))),
    step('tidy', () => Promise.resolve({ ok: true, output: '' })),
  ]);
  expect(line).toBe('1 passed, 1 failed, 0 skipped');
  expect(printed).toContain('no such tool');
});

test('a test run that failed without a failed test is not a success', async () => {
  const { line } = await runAll([
    step('tests', () =>
      Promise.resolve({ ok: false, output: '', tally: { passed: 3, failed: 0, skipped: 0 } }),
    ),
  ]);
  expect(line).toBe('3 passed, 1 failed, 0 skipped');
});
