/**
 * The whole judgement of a configuration that has been read into plain data: the schema's rules
 * and the checks across parts, all findings at once, and the normalized {@link Config} when no
 * fault is among them. Positions in the file are the loader's matter.
 */
import type { z } from 'zod';
import type { Config } from './config.ts';
import { checkDraft } from './config-checks.ts';
import { readDraft } from './config-draft.ts';
import { type ConfigFinding, type ConfigPath, suggest } from './config-finding.ts';
import { normalizeConfig } from './config-normalize.ts';
import {
  configSchema,
  fenceSchema,
  groupSchema,
  hookSchema,
  hooksSchema,
  linkSchema,
  resourceSchema,
  shareWitnessSchema,
  timingSchema,
} from './config-schema.ts';

type Issue = z.core.$ZodIssue;

const FOUND_CHARACTERS_MAX = 60;

export interface ConfigJudgement {
  /** Undefined when a finding is an error. */
  readonly config: Config | undefined;
  readonly findings: readonly ConfigFinding[];
}

export function judgeConfig(file: unknown): ConfigJudgement {
  const parsed = configSchema.safeParse(file);
  const ofSchema = parsed.success ? [] : parsed.error.issues.flatMap((i) => explain(i, file));
  const findings = withoutRepeats([
    ...prototypeKeys(file, []),
    ...ofSchema,
    ...checkDraft(readDraft(file)),
  ]);
  const faulty = findings.some(({ severity }) => severity === 'error');
  const config = parsed.success && !faulty ? normalizeConfig(parsed.data) : undefined;
  return { config, findings };
}

/** One finding per place and expectation: rules of the schema may overlap. */
function withoutRepeats(findings: readonly ConfigFinding[]): ConfigFinding[] {
  const seen = new Set<string>();
  return findings.filter(({ path, found, expected }) => {
    const key = JSON.stringify([path, found, expected]);
    return !seen.has(key) && seen.add(key);
  });
}

/** The one key that the schema library passes over in silence. */
function prototypeKeys(value: unknown, path: ConfigPath): ConfigFinding[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '__proto__'
      ? [unknownKey(path, key, [])]
      : prototypeKeys(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function explain(issue: Issue, file: unknown): ConfigFinding[] {
  const path = issue.path as ConfigPath;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(path, key, keysAt(path, file)));
  }
  const value = valueAt(file, path);
  if (issue.code === 'invalid_union' && path[0] === 'witness') {
    return witnessIssues(issue, value).flatMap((inner) =>
      explain({ ...inner, path: [...issue.path, ...inner.path] }, file),
    );
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? 'another key';
    const found = show(String(path.at(-1)));
    return [{ severity: 'error', path, atKey: true, found, expected, next: 'Choose another name' }];
  }
  if (value === undefined && path.length > 0) return [missing(path, expectation(issue))];
  return [
    {
      severity: 'error',
      path,
      found: show(value),
      expected: expectation(issue),
      next: 'Correct the value; docs/reference/config.md explains each key',
    },
  ];
}

/** Of the two forms of a witness those of the one that was meant. */
function witnessIssues(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  value: unknown,
): readonly Issue[] {
  const share = valueAt(value, ['share']);
  const isShare = typeof share === 'string' && share.startsWith('/');
  return issue.errors[isShare ? 0 : 1] ?? [];
}

function unknownKey(path: ConfigPath, key: string, known: readonly string[]): ConfigFinding {
  return {
    severity: 'error',
    path: [...path, key],
    atKey: true,
    found: `the unknown key "${key}"`,
    expected: known.length === 0 ? 'only known keys' : `one of: ${known.join(', ')}`,
    next: suggest(key, known, 'Correct or remove it'),
  };
}

function missing(path: ConfigPath, expected: string): ConfigFinding {
  return {
    severity: 'error',
    // The key is not in the file: the place is that of the map that lacks it.
    path: path.slice(0, -1),
    found: `no "${String(path.at(-1))}"`,
    expected,
    next: `Add "${String(path.at(-1))}:"`,
  };
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a map of keys and values',
  record: 'a map of names and values',
  array: 'a list such as [a, b]',
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
};

function expectation(issue: Issue): string {
  const own = issue.message;
  if (issue.code !== 'invalid_type' || !own.startsWith('Invalid input')) return own;
  return TYPE_WORDS[issue.expected] ?? own;
}

/** The keys that the schema knows at a place of the file. */
function keysAt(path: ConfigPath, file: unknown): readonly string[] {
  const [section, , inner] = path;
  if (path.length === 0) return Object.keys(configSchema.shape);
  if (section === 'timing') return Object.keys(timingSchema.shape);
  if (section === 'links') return Object.keys(linkSchema.shape);
  if (section === 'fences') return Object.keys(fenceSchema.shape);
  if (section === 'witness') return Object.keys(shareWitnessSchema.shape);
  if (path.length === 2) return Object.keys(groupSchema.shape);
  if (inner === 'hooks') return Object.keys((path.length === 3 ? hooksSchema : hookSchema).shape);
  if (path.at(-1) === 'failure-hook') return Object.keys(hookSchema.shape);
  if (inner !== 'resources' || path.length !== 4) return [];
  const agent = valueAt(file, [...path, 'agent']);
  const option = resourceSchema.options.find(({ shape }) => shape.agent.value === agent);
  return option === undefined ? [] : Object.keys(option.shape);
}

function valueAt(file: unknown, path: ConfigPath): unknown {
  let value = file;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[key];
  }
  return value;
}

/** A value as the administrator would recognize it, shortened. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  const text = JSON.stringify(value);
  return text.length <= FOUND_CHARACTERS_MAX ? text : `${text.slice(0, FOUND_CHARACTERS_MAX)}..."`;
}
