import { expect, test } from 'vitest';
import { countReport } from './vitest.ts';

test('counts passed, failed and not run, and names the last', () => {
  const counted = countReport({
    testResults: [
      {
        name: 'a.test.ts',
        status: 'failed',
        assertionResults: [
          { status: 'passed', fullName: 'a one' },
          { status: 'failed', fullName: 'a two' },
          { status: 'skipped', fullName: 'a three' },
          { status: 'todo', fullName: 'a four' },
        ],
      },
    ],
  });
  expect(counted).toEqual({
    passed: 1,
    failed: 1,
    skipped: 2,
    skippedNames: ['a three', 'a four'],
  });
});

test('a file that could not be loaded is a failure', () => {
  const counted = countReport({
    testResults: [{ name: 'a.test.ts', status: 'failed', assertionResults: [] }],
  });
  expect(counted.failed).toBe(1);
});

test('no report counts nothing', () => {
  expect(countReport(undefined)).toMatchObject({ passed: 0, failed: 0, skipped: 0 });
});
