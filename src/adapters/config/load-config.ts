/**
 * Reads the administrator's YAML file and judges it: all faults at once, each with file, line and
 * column, what was found, what was expected and the next step. The file is only read.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Config } from '../../protocol/config.ts';
import { judgeConfig } from '../../protocol/config-check.ts';
import {
  type ConfigProblem,
  type ConfigReport,
  formatProblem,
} from '../../protocol/config-problem.ts';
import { readYaml } from './yaml-source.ts';

const FILE_BYTES_MAX = 1024 * 1024;

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * The configuration in `file`. Throws `config-unreadable` when the file cannot be read and
 * `config-invalid`, with all {@link ConfigProblem}s in `details.problems`, when it cannot be used.
 */
export function loadConfig(file: string): LoadedConfig {
  const { config, errors, warnings } = checkConfigFile(file);
  if (config !== undefined) return { config, warnings };
  throw new TakoError(
    'config-invalid',
    `Cannot use the configuration "${file}": ${errors.length} ` +
      `${errors.length === 1 ? 'fault' : 'faults'}\n${errors.map(formatProblem).join('\n')}`,
    {
      next: `Correct the file, then run "tako config check ${file}"`,
      details: { problems: errors },
    },
  );
}

/** Like {@link loadConfig}, but hands out the faults. Throws `config-unreadable` only. */
export function checkConfigFile(file: string): ConfigReport {
  return checkConfig(file, readConfigText(file));
}

/** Judges a text as if it stood in `file`; never throws for what is in it. */
export function checkConfig(file: string, text: string): ConfigReport {
  const source = readYaml(text);
  const errors: ConfigProblem[] = source.faults.map(({ line, column, message, next }) => ({
    file,
    line,
    column,
    path: '',
    message,
    next,
  }));
  if (source.data === undefined) return { config: undefined, errors, warnings: [] };
  if (source.data.value === null) return { config: undefined, errors: [empty(file)], warnings: [] };
  const { config, findings } = judgeConfig(source.data.value);
  const warnings: ConfigProblem[] = [];
  for (const { severity, path, atKey, found, expected, next } of findings) {
    const place = source.placeOf(path, atKey ?? false);
    const message = `found ${found}, expected ${expected}`;
    const problem = { file, ...place, path: path.join('.'), message, next };
    (severity === 'error' ? errors : warnings).push(problem);
  }
  const inOrder = (a: ConfigProblem, b: ConfigProblem): number =>
    a.line - b.line || a.column - b.column;
  errors.sort(inOrder);
  warnings.sort(inOrder);
  return { config: errors.length === 0 ? config : undefined, errors, warnings };
}

function empty(file: string): ConfigProblem {
  return {
    file,
    line: 1,
    column: 1,
    path: '',
    message: 'found nothing, expected a configuration',
    next: 'Start from an example in the examples folder',
  };
}

/** The text of a file that is small and UTF-8; throws `config-unreadable`. */
export function readConfigText(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readSmallFile(file);
  } catch (error) {
    if (error instanceof TakoError) throw error;
    throw unreadable(file, messageOf(error), error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(file, 'it is not UTF-8 text', error);
  }
}

function readSmallFile(file: string): Uint8Array {
  // Without O_NONBLOCK a FIFO in place of the file would hold the program up for ever.
  const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unreadable(file, 'it is not a regular file');
    if (stat.size > FILE_BYTES_MAX) {
      throw unreadable(file, `it has ${stat.size} bytes, more than ${FILE_BYTES_MAX}`);
    }
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

function unreadable(file: string, reason: string, cause?: unknown): TakoError {
  return new TakoError('config-unreadable', `Cannot read the configuration "${file}": ${reason}`, {
    next: 'Check the name and the permissions of the file; examples are in the examples folder',
    cause,
  });
}
