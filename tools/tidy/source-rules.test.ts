import { expect, test } from 'vitest';
import { textFile } from './files.ts';
import { checkFile } from './source-rules.ts';

const HEADER = '/** What it is. */\n';

function messages(path: string, text: string): readonly string[] {
  return checkFile(textFile(path, text)).map((each) => `${each.line}: ${each.message}`);
}

test('a tidy file has no findings', () => {
  expect(messages('src/core/a/b.ts', `${HEADER}export const a = 1;\n`)).toEqual([]);
});

test('a header stands at the top or right below the imports', () => {
  const missing = expect.stringContaining('lacks a header');
  expect(messages('src/a.ts', 'export const a = 1;\n')).toEqual([missing]);
  const below = "import {\n  b,\n} from './b.ts';\n\n/** A. */\nexport const a = b;\n";
  expect(messages('src/a.ts', below)).toEqual([]);
  expect(messages('tools/a.mjs', '#!/usr/bin/env node\n// A.\n')).toEqual([]);
  expect(messages('src/a.ts', '/// <reference lib="x" />\n/** A. */\n')).toEqual([]);
  expect(messages('src/a.test.ts', 'export const a = 1;\n')).toEqual([]);
});

test('core does not wait and does not depend on the locale', () => {
  const text = `${HEADER}// await is a word here\nconst a = 'Promise';\nconst b = await c;\n`;
  expect(messages('src/core/a/b.ts', text)).toEqual(['4: ' + waits]);
  expect(messages('src/runtime/b.ts', text)).toEqual([]);
  expect(messages('src/core/a/b.test.ts', text)).toEqual([]);
  expect(messages('src/core/a/b.ts', `${HEADER}a.localeCompare(b);\n`)).toHaveLength(1);
});

const waits = 'waits: decisions in core are synchronous, so that nothing can interleave';

test('unfinished work and paths of build machines are found in any text', () => {
  const marker = 'TO' + 'DO';
  expect(messages('docs/a.md', `text\n${marker}: more\n`)).toHaveLength(1);
  expect(messages('docs/a.md', 'see /home/' + 'me/x\n')).toHaveLength(1);
  expect(messages('docs/a.md', 'see /var/lib/tako and home/x, "networking/work/"\n')).toEqual([]);
});

test('tests are not left out by hand', () => {
  expect(messages('src/a.test.ts', "test.only('x', f);\n")).toHaveLength(1);
  expect(messages('src/a.test.ts', "describe.skip('x', f);\n")).toHaveLength(1);
  expect(messages('src/a.test.ts', "test.skipIf(noRoot)('x', f);\n")).toEqual([]);
  expect(messages('src/a.ts', `${HEADER}cursor.skip(4);\n`)).toEqual([]);
});

test('an error is not swallowed without a word', () => {
  expect(messages('src/a.ts', `${HEADER}try { f(); } catch {}\n`)).toHaveLength(1);
  expect(messages('src/a.ts', `${HEADER}try { f(); } catch (e) {\n}\n`)).toHaveLength(1);
  const explained = `${HEADER}try { f(); } catch {\n  // It was gone already.\n}\n`;
  expect(messages('src/a.ts', explained)).toEqual([]);
});

test('long lines and long files are found, long addresses are not', () => {
  expect(messages('src/a.ts', `${HEADER}// ${'x'.repeat(108)}\n`)).toHaveLength(1);
  expect(messages('src/a.ts', `${HEADER}// https://example.org/${'x'.repeat(98)}\n`)).toEqual([]);
  expect(messages('src/a.ts', `${HEADER}f(\n  '${'x'.repeat(120)}',\n);\n`)).toEqual([]);
  expect(messages('src/a.ts', HEADER + 'a;\n'.repeat(800))).toHaveLength(1);
  expect(messages('src/a.test.ts', HEADER + 'a;\n'.repeat(800))).toEqual([]);
});
