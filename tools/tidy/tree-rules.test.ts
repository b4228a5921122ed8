import { expect, test } from 'vitest';
import { textFile } from './files.ts';
import { checkTree } from './tree-rules.ts';

function findings(tree: Readonly<Record<string, string>>): readonly string[] {
  const files = Object.entries(tree).map(([path, text]) => textFile(path, text));
  return checkTree(files, Object.keys(tree)).map(
    (each) => `${each.path}:${each.line} ${each.message}`,
  );
}

const CODES = "export const ERROR_CODES = {\n  'not-root': 'Needs root',\n  busy: 'Busy',\n};\n";

test('the registry of error codes and its page agree', () => {
  const readme = '[errors](docs/reference/errors.md)';
  const page = 'docs/reference/errors.md';
  const registry = 'src/base/error-codes.ts';
  const both = { 'README.md': readme, [registry]: CODES };
  expect(findings({ ...both, [page]: '## `not-root`\n\n## `busy`\n' })).toEqual([]);
  expect(findings({ ...both, [page]: '| `not-root` | x |\n| `busy` | y |\n' })).toEqual([]);
  expect(findings({ ...both, [page]: '## `busy`\n## `gone`\n' })).toEqual([
    `${registry}:2 error code "not-root" is not explained in ${page}`,
    `${page}:2 error code "gone" is not in ${registry}: nothing can raise it`,
  ]);
  expect(findings({ [registry]: CODES })).toHaveLength(1);
});

test('links lead somewhere', () => {
  expect(findings({ 'README.md': 'see [a](docs/a.md#part), [b](https://x.org/y)' })).toEqual([
    'README.md:1 links to "docs/a.md", which is not there',
  ]);
  expect(findings({ 'README.md': '`[a](b.md)`\n```\n[a](b.md)\n```\n' })).toEqual([]);
  expect(findings({ 'README.md': '![p](docs/p.svg)', 'docs/p.svg': '<svg/>' })).toEqual([]);
});

test('every page can be reached, by itself or by its folder', () => {
  expect(findings({ 'docs/a.md': '' })).toEqual([
    'docs/a.md:0 is linked from no other page: nobody would find it',
  ]);
  expect(findings({ 'README.md': '[a](docs/a.md)', 'docs/a.md': '' })).toEqual([]);
  expect(findings({ 'README.md': '[d](docs/d/)', 'docs/d/1.md': '' })).toEqual([]);
});

test('a state machine of several files has its page', () => {
  const three = { 'src/core/x/a.ts': '', 'src/core/x/b.ts': '', 'src/core/x/c.ts': '' };
  expect(findings(three)).toHaveLength(1);
  expect(findings({ ...three, 'src/core/x/SPEC.md': '' })).toEqual([]);
  expect(
    findings({ 'src/core/x/a.ts': '', 'src/core/x/b.ts': '', 'src/core/x/b.test.ts': '' }),
  ).toEqual([]);
});

test('files are named alike', () => {
  expect(findings({ 'src/api/HttpServer.ts': '' })).toHaveLength(1);
});

test('build output does not lie among the sources', () => {
  expect(findings({ 'src/a.ts': '', 'src/a.js': '', 'src/a.d.ts': '' })).toHaveLength(2);
});
