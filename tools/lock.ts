/**
 * `npm run lock`: makes `package-lock.json` usable everywhere, after `npm install` changed it.
 *
 * - `resolved` goes: it names the registry that this machine happened to use.
 * - `engines` goes: `npm ci` judges it by the Node.js that runs npm, not by the one that Tako pins.
 *   On a system with an old Node.js it would warn about most packages and, worse, silently leave
 *   out the optional ones, among them the native parts of the linter and the test runner.
 *
 * What each package is stays fixed by its version and its checksum. A test compares the file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './lib/paths.ts';

interface Lock {
  readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const DROPPED: readonly string[] = ['resolved', 'engines'];

/** The same lock file, without what depends on the machine. */
export function portableLock(text: string): string {
  const lock = JSON.parse(text) as Lock;
  const packages = Object.entries(lock.packages).map(([path, entry]) => [
    path,
    path === '' ? entry : withoutDropped(entry),
  ]);
  const portable = { ...lock, packages: Object.fromEntries(packages) as Lock['packages'] };
  return `${JSON.stringify(portable, undefined, 2)}\n`;
}

function withoutDropped(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !DROPPED.includes(key)));
}

function main(): void {
  const file = join(ROOT, 'package-lock.json');
  writeFileSync(file, portableLock(readFileSync(file, 'utf8')));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
