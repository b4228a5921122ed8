/** What the tidy rules look at: the files of the checkout that git tracks or would track. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TextFile {
  /** Relative to the checkout, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

export interface Finding {
  readonly path: string;
  /** From 1; 0 when the whole file is meant. */
  readonly line: number;
  /** What is wrong and why it matters, in one sentence. */
  readonly message: string;
}

const TEXT = /\.(ts|mjs|js|json|md|yml|yaml|svg|sh|sql|css|html)$|(^|\/)(\.ci\/run|bin\/[^/]+)$/;
const SKIPPED = /(^|\/)(package-lock\.json|LICENSE)$/;

export function textFile(path: string, text: string): TextFile {
  return { path, text, lines: text.split('\n') };
}

export interface Checkout {
  /** Of all files, text or not. */
  readonly paths: readonly string[];
  readonly files: readonly TextFile[];
}

/** Tracked files and new ones that are not ignored. */
export function readCheckout(root: string): Checkout {
  const list = execFileSync('git', ['ls-files', '-z', '-c', '-o', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const paths = [...new Set(list.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .toSorted();
  const files = paths
    .filter((path) => TEXT.test(path) && !SKIPPED.test(path))
    .map((path) => textFile(path, readFileSync(join(root, path), 'utf8')));
  return { paths, files };
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.startsWith('test/');
}

export function isSource(path: string): boolean {
  return /\.(ts|mjs)$/.test(path) && !path.endsWith('.d.ts');
}
