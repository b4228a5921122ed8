import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.ts';
import { EXIT, exitCodeOf, httpStatusOf, isErrorCode } from './api-codes.ts';

const read = (name: string): string =>
  readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8');

test('the page of error codes is the registry', () => {
  const rows = read('errors.md').matchAll(/^\| `([a-z-]+)` \| (\d+) \| (\d) \| ([^|]+) \|/gmu);
  const written = [...rows].map(([, code, status, exit, meaning]) => [code, status, exit, meaning]);
  const registered = Object.entries(ERROR_CODES).map(([code, meaning]) => [
    code,
    String(httpStatusOf(code as ErrorCode)),
    String(exitCodeOf(code as ErrorCode)),
    meaning,
  ]);
  expect(written).toEqual(registered);
});

test('the page of the command has every exit code', () => {
  const rows = read('cli.md').matchAll(/^\| (\d) \| /gmu);
  expect([...rows].map(([, code]) => Number(code))).toEqual(Object.values(EXIT));
});

test('only registered codes are codes', () => {
  expect(isErrorCode('busy')).toBe(true);
  expect(isErrorCode('toString')).toBe(false);
});
