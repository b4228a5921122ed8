/** What comes before a heart can beat: reading the setup, real time, log. */
import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { Log } from '../../ports/log.ts';
import { readSetup } from '../../adapters/config/setup-files.ts';
import { createLog } from '../../adapters/log.ts';
import { openLog, trimLog } from '../../adapters/supervise/child-log.ts';
import { becomeRealTime } from '../../adapters/supervise/real-time.ts';
import { readClusterKey } from '../../adapters/tls-psk.ts';
import { keepCompiledCode } from './engine.ts';

const EXIT_UNUSABLE = 78;
const EXIT_BROKEN = 70;

export interface Started {
  readonly setup: NodeSetup;
  readonly setupFile: string;
  readonly key: Uint8Array;
  readonly log: Log;
}

/** Runs `main`; what it throws is said in one line, and the process ends. */
export async function runDaemon(main: (started: Started) => Promise<void>): Promise<void> {
  try {
    await main(prepare());
    keepCompiledCode();
  } catch (error) {
    const next = error instanceof TakoError && error.next !== undefined ? `\n  ${error.next}` : '';
    process.stderr.write(`tako heart: ${messageOf(error)}${next}\n`);
    process.exit(error instanceof TakoError ? EXIT_UNUSABLE : EXIT_BROKEN);
  }
}

function prepare(): Started {
  const setupFile = process.argv[2];
  if (setupFile === undefined) {
    throw new TakoError('config-unreadable', 'Cannot start the heart: no setup file was named', {
      next: 'Start Tako with "tako run --config FILE"',
    });
  }
  const setup = readSetup(setupFile);
  const key = readClusterKey(setup.config.keyFile);
  const logs = join(setup.runDir, 'log');
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const path = join(logs, 'heart.log');
  const log = createLog({
    name: 'heart',
    level: 'info',
    bindings: { node: setup.node },
    destination: { write: logFile(path) },
  });
  // An exception ends the process; the next one starts at once, and the reason is not lost.
  process.on('uncaughtExceptionMonitor', (error) => log.error('heart broke', { error }));
  const realTime = becomeRealTime();
  if (realTime.why.length === 0) log.info('runs in real time');
  else log.warn('does not run in real time: heavy load may look like a failure', { ...realTime });
  return { setup, setupFile, key, log };
}

/** A file on tmpfs: unlike a pipe or a terminal, nobody can make its writer wait. */
function logFile(path: string): (line: string) => void {
  trimLog(path);
  const fd = openLog(path);
  return (line) => {
    try {
      writeSync(fd, line);
    } catch {
      // The file system for run-time files is full: the heart must beat on, log or no log.
    }
  };
}
