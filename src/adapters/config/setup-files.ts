/**
 * The two files by which a node's programs learn what to do: `RUNDIR/setup.json` ({@link NodeSetup},
 * read by every daemon at start) and `STATEDIR/config.json` (the last good configuration, which
 * survives a reboot and serves when the administrator's file is broken). Both are replaced as a
 * whole: a reader, or a power cut, meets the old one or the new one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Config, NodeSetup } from '../../protocol/config.ts';
import { replaceFileSync } from '../replace-file.ts';

export function setupPath(runDir: string): string {
  return join(runDir, 'setup.json');
}

export function lastGoodPath(stateDir: string): string {
  return join(stateDir, 'config.json');
}

/** Writes both files; to be called at start and after every reload that found no fault. */
export function saveSetup(setup: NodeSetup): void {
  replaceJson(lastGoodPath(setup.stateDir), setup.config);
  saveRunSetup(setup);
}

/** Writes `setup.json` only: when `setup.config` is itself the last good one. */
export function saveRunSetup(setup: NodeSetup): void {
  replaceJson(setupPath(setup.runDir), setup);
}

export function readSetup(path: string): NodeSetup {
  const setup = readJson(path);
  if (isRecord(setup) && typeof setup['node'] === 'string' && isConfig(setup['config'])) {
    return setup as unknown as NodeSetup;
  }
  throw new TakoError(
    'config-unreadable',
    `Cannot use "${path}": it is not what Tako wrote there`,
    {
      next: 'Restart Tako on this node: it writes the file anew',
    },
  );
}

/** A configuration as Tako keeps it (`STATEDIR/config.json`), or a copy of such a file. */
export function readKeptConfig(path: string): Config {
  const config = readJson(path);
  if (isConfig(config)) return config;
  throw new TakoError(
    'config-unreadable',
    `Cannot use "${path}": it is not what Tako wrote there`,
    {
      next: 'Give a copy of config.json from the state directory of a node, or the YAML file',
    },
  );
}

/** The last good configuration; undefined when there is none, or none that can be read. */
export function readLastGood(stateDir: string): Config | undefined {
  try {
    const config = readJson(lastGoodPath(stateDir));
    return isConfig(config) ? config : undefined;
  } catch (error) {
    if (error instanceof TakoError) return undefined;
    throw error;
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    throw new TakoError('config-unreadable', `Cannot read "${path}": ${messageOf(error)}`, {
      next: 'Start Tako on this node with "tako run --config FILE"',
      cause: error,
    });
  }
}

/** Enough to tell our own file from another or an older one; the schema judged it when written. */
function isConfig(value: unknown): value is Config {
  return (
    isRecord(value) &&
    typeof value['cluster'] === 'string' &&
    typeof value['keyFile'] === 'string' &&
    typeof value['basePort'] === 'number' &&
    isRecord(value['timing']) &&
    ['links', 'nodes', 'groups'].every((key) => Array.isArray(value[key]))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function replaceJson(path: string, value: unknown): void {
  try {
    replaceFileSync(path, `${JSON.stringify(value, undefined, 1)}\n`);
  } catch (error) {
    throw new TakoError('system-call', `Cannot write "${path}": ${messageOf(error)}`, {
      next: 'Check that the file system is mounted, writable and not full',
      cause: error,
    });
  }
}
