/**
 * Tells of a failed test at the moment it fails. Vitest's own reporter keeps the errors for the
 * end, which a run that hangs or is interrupted never reaches.
 */
import type { Reporter, TestCase } from 'vitest/node';

export default class FailureReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'failed') return;
    for (const error of result.errors) {
      const where = error.stacks?.[0];
      const place = where === undefined ? '' : `  at ${where.file}:${where.line}\n`;
      process.stdout.write(
        `\nFAILED ${test.module.relativeModuleId} > ${test.fullName}\n  ${error.message}\n${place}`,
      );
    }
  }
}
