/**
 * The launcher, `tako run`: checks the configuration and the machine, writes what the daemons read
 * at start, starts the heart and keeps it running until it is told to stop.
 *
 * SIGTERM, SIGINT: stop everything cleanly and wait for it. SIGHUP: read the configuration again.
 * When the launcher itself is killed, the heart goes on; the next launcher adopts it.
 */
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiClient } from '../adapters/api-client/api-client.ts';
import { loadConfig } from '../adapters/config/load-config.ts';
import { formatProblem } from '../protocol/config-problem.ts';
import { saveRunSetup, saveSetup, setupPath } from '../adapters/config/setup-files.ts';
import { tryLockFile } from '../adapters/flock.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { NodeSetup } from '../protocol/config.ts';
import {
  checkMachine,
  findSelf,
  preparePrivateDirectory,
  runDirectoryMode,
  requireRoot,
} from './launcher/checks.ts';
import { ENGINE_FLAGS } from './heart/engine.ts';
import { chooseConfig } from './launcher/choose-config.ts';
import { Keeper } from './launcher/keeper.ts';
import { createSay, type Say } from './launcher/say.ts';

export interface LaunchOptions {
  readonly configFile: string;
  /** Undefined: the host name. */
  readonly node: string | undefined;
  readonly runDir: string;
  readonly stateDir: string;
  /** Another program in place of the heart, for tests. */
  readonly program?: string | undefined;
  readonly say?: Say | undefined;
}

/** Runs until stopped; the exit code. Throws a `TakoError` for what forbids a start. */
export async function launch(options: LaunchOptions): Promise<number> {
  const say = options.say ?? createSay((text) => process.stderr.write(text), toJournal());
  requireRoot();
  const runDir = resolve(options.runDir);
  const stateDir = resolve(options.stateDir);
  const configFile = resolve(options.configFile);
  const { config, fresh } = chooseConfig(configFile, stateDir, say);
  const self = findSelf(config, options.node);
  checkMachine(config, self, say);
  preparePrivateDirectory(runDir, runDirectoryMode(config));
  preparePrivateDirectory(stateDir);
  const lock = tryLockFile(join(runDir, 'launcher.lock'));
  if (lock === undefined) {
    throw new TakoError('busy', `Cannot run Tako: another "tako run" uses "${runDir}"`, {
      next: 'Stop it first, or choose another directory with --run-dir',
    });
  }
  try {
    const setup: NodeSetup = { node: self.id, runDir, stateDir, configFile, config };
    if (fresh) saveSetup(setup);
    else saveRunSetup(setup);
    return await keep(options, setup, say);
  } finally {
    lock.release();
  }
}

async function keep(options: LaunchOptions, setup: NodeSetup, say: Say): Promise<number> {
  const program = options.program ?? daemonPath('heart');
  // Real-time priority it takes by itself.
  const command = [process.execPath, ...ENGINE_FLAGS, program, setupPath(setup.runDir)];
  const keeper = new Keeper({
    name: 'heart',
    command: () => command,
    pidFile: join(setup.runDir, 'heart.pid'),
    say,
  });
  const stop = (signal: NodeJS.Signals): void => {
    say('info', `Stopping Tako on ${setup.node} (${signal}); this ends when everything is down.`);
    keeper.stop();
  };
  const reload = (): void => {
    reloadConfig(options, setup, say).catch((error: unknown) => {
      // Loud and final: an unexpected failure must not pass for a reload that was refused.
      setImmediate(() => {
        throw error;
      });
    });
  };
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  try {
    say('info', `Tako starts as node ${setup.node} of cluster ${setup.config.cluster}.`);
    keeper.start();
    const clean = await keeper.over;
    say(clean ? 'info' : 'error', clean ? 'Tako has stopped.' : 'Tako has stopped, not cleanly.');
    return clean ? 0 : 1;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
  }
}

/** Keeps the running configuration when the file has a fault. */
async function reloadConfig(options: LaunchOptions, setup: NodeSetup, say: Say): Promise<void> {
  try {
    const { config, warnings } = loadConfig(setup.configFile);
    for (const warning of warnings) say('warning', formatProblem(warning));
    findSelf(config, options.node ?? setup.node);
    say('info', await createApiClient(join(setup.runDir, 'api.sock')).reload());
  } catch (error) {
    if (!(error instanceof TakoError)) throw error;
    const next = error.next === undefined ? '' : `\nNext: ${error.next}`;
    say('error', `Keeping the running configuration: ${messageOf(error)}${next}`);
  }
}

/** Sources in development, built code in a release: the same extension as this very file. */
function daemonPath(name: string): string {
  const extension = extname(fileURLToPath(import.meta.url));
  return fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
}

function toJournal(): boolean {
  return process.env['JOURNAL_STREAM'] !== undefined && !process.stderr.isTTY;
}
