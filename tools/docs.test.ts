/** What the first pages promise a newcomer to work: the example file and the commands. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkConfig } from '../src/adapters/config/load-config.ts';
import { must } from '../src/base/assert.ts';
import { ROOT } from './lib/paths.ts';

const PAGES = ['README.md', 'README.zh.md', 'CONTRIBUTING.md'] as const;

function page(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

test('the example of a configuration is a good one', () => {
  const example = must(/```yaml\n(.*?)```/s.exec(page('README.md'))?.[1], 'the README has one');
  const { errors, warnings } = checkConfig('README.md', example);
  expect([...errors, ...warnings]).toEqual([]);
});

test.each(PAGES)('%s names only commands that exist', (name) => {
  const manifest: unknown = JSON.parse(page('package.json'));
  const scripts = (manifest as { scripts: Record<string, string> }).scripts;
  const named = [...page(name).matchAll(/npm run ([a-z-]+)/g)].map((match) => match[1] ?? '');
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((each) => !(each in scripts))).toEqual([]);
});
