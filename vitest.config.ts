/**
 * The tests, in three projects: `fast` (unit, property, scenario: no privilege, no real time),
 * `root` (real kernel: FUSE, namespaces, programs) and `e2e` (whole clusters of test hosts). The
 * last two run one file at a time, because they measure time and share the machine.
 */
import { defineConfig } from 'vitest/config';
import { timeFactor } from './tools/lib/time-factor.ts';

const MINUTE_MS = 60_000;
const factor = timeFactor();

function limits(testMs: number, hookMs: number): { testTimeout: number; hookTimeout: number } {
  return { testTimeout: testMs * factor, hookTimeout: hookMs * factor };
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: [
            'src/**/*.test.ts',
            'tools/**/*.test.ts',
            'bench/**/*.test.ts',
            'test/**/*.test.ts',
          ],
          exclude: ['**/*.root.test.ts', 'test/e2e/**'],
          // Modules are loaded once for all files: a third of the time. So no test may leave anything
          // behind in a module or in the process.
          isolate: false,
          ...limits(MINUTE_MS, MINUTE_MS),
        },
      },
      {
        extends: true,
        test: {
          name: 'root',
          include: ['{src,test,tools,bench}/**/*.root.test.ts'],
          exclude: ['test/e2e/**'],
          fileParallelism: false,
          ...limits(MINUTE_MS, MINUTE_MS),
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          fileParallelism: false,
          ...limits(5 * MINUTE_MS, 2 * MINUTE_MS),
        },
      },
    ],
  },
});
