/** Tidy rules that look at all files together: documentation, links, error codes, SPEC pages. */
import { posix } from 'node:path';
import type { Finding, TextFile } from './files.ts';
import { isTest } from './files.ts';

const ERROR_CODES = 'src/base/error-codes.ts';
const ERRORS_PAGE = 'docs/reference/errors.md';
const SPEC_FROM_FILES = 3;

export function checkTree(
  files: readonly TextFile[],
  paths: readonly string[],
): readonly Finding[] {
  return [
    ...errorCodes(files),
    ...links(files, paths),
    ...specs(files),
    ...kebabCase(files),
    ...buildOutput(paths),
  ];
}

/** The registry of error codes and its page name the same codes. */
function errorCodes(files: readonly TextFile[]): readonly Finding[] {
  const registry = files.find((file) => file.path === ERROR_CODES);
  if (registry === undefined) return [];
  const page = files.find((file) => file.path === ERRORS_PAGE);
  if (page === undefined) {
    return [
      { path: ERROR_CODES, line: 0, message: `has no page ${ERRORS_PAGE}: people look codes up` },
    ];
  }
  const coded = matchLines(registry, /^ {2}'?([a-z][a-z0-9-]*)'?: '/);
  const told = matchLines(page, /^(?:#+ |\| ?)`([a-z][a-z0-9-]*)`/);
  return [
    ...missing(coded, told, registry.path, `is not explained in ${ERRORS_PAGE}`),
    ...missing(told, coded, page.path, `is not in ${ERROR_CODES}: nothing can raise it`),
  ];
}

function matchLines(file: TextFile, pattern: RegExp): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  file.lines.forEach((line, index) => {
    const name = pattern.exec(line)?.[1];
    if (name !== undefined) found.set(name, index + 1);
  });
  return found;
}

function missing(
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
  path: string,
  what: string,
): readonly Finding[] {
  return [...from]
    .filter(([name]) => !to.has(name))
    .map(([name, line]) => ({ path, line, message: `error code "${name}" ${what}` }));
}

/** Relative links lead somewhere, and every page of docs/ can be reached from another one. */
function links(files: readonly TextFile[], paths: readonly string[]): readonly Finding[] {
  const targets = new Set(paths.flatMap((path) => [path, ...foldersOf(path)]));
  const findings: Finding[] = [];
  const linked = new Set<string>();
  for (const file of files.filter((each) => each.path.endsWith('.md'))) {
    for (const { target, line } of linksOf(file)) {
      const path = posix.normalize(posix.join(posix.dirname(file.path), target));
      const plain = path.replace(/\/$/, '');
      linked.add(plain);
      if (!targets.has(plain)) {
        findings.push({
          path: file.path,
          line,
          message: `links to "${target}", which is not there`,
        });
      }
    }
  }
  for (const file of files) {
    if (!/^docs\/.*\.md$/.test(file.path)) continue;
    const folder = posix.dirname(file.path);
    if (linked.has(file.path) || linked.has(folder)) continue;
    findings.push({
      path: file.path,
      line: 0,
      message: 'is linked from no other page: nobody would find it',
    });
  }
  return findings;
}

/** Git keeps no empty folders: one exists when a file is in it. */
function foldersOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function linksOf(file: TextFile): readonly { target: string; line: number }[] {
  const found: { target: string; line: number }[] = [];
  let fenced = false;
  file.lines.forEach((line, index) => {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    if (fenced) return;
    for (const match of line.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)/g)) {
      const target = (match[1] ?? '').replace(/#.*$/, '');
      if (target !== '' && !/^[a-z]+:/.test(target)) found.push({ target, line: index + 1 });
    }
  });
  return found;
}

/** A state machine that one glance does not take in has a page with its states and rules. */
function specs(files: readonly TextFile[]): readonly Finding[] {
  const perFolder = new Map<string, number>();
  for (const { path } of files) {
    const folder = /^(src\/core\/[^/]+)\/[^/]+\.ts$/.exec(path)?.[1];
    if (folder === undefined || isTest(path)) continue;
    perFolder.set(folder, (perFolder.get(folder) ?? 0) + 1);
  }
  const present = new Set(files.map((file) => file.path));
  return [...perFolder]
    .filter(([folder, count]) => count >= SPEC_FROM_FILES && !present.has(`${folder}/SPEC.md`))
    .map(([folder]) => ({
      path: `${folder}/SPEC.md`,
      line: 0,
      message: 'is missing: states, events, table and numbered invariants of this state machine',
    }));
}

function kebabCase(files: readonly TextFile[]): readonly Finding[] {
  return files
    .filter(({ path }) => path.endsWith('.ts') && !/^[a-z0-9.-]+$/.test(posix.basename(path)))
    .map(({ path }) => ({
      path,
      line: 0,
      message: 'is not named in kebab-case as all others are',
    }));
}

/** `tsc` run by hand without a project writes beside the sources; imports could then find that. */
function buildOutput(paths: readonly string[]): readonly Finding[] {
  return paths
    .filter((path) => /^(src|test|tools|bench)\/.*\.(js|js\.map|d\.ts)$/.test(path))
    .map((path) => ({ path, line: 0, message: 'is build output among the sources: remove it' }));
}
