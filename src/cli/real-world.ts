/**
 * The composition root of the command line: the one file of it that knows the adapters. They are
 * loaded when a command needs them, so that `tako status` does not wait for the YAML parser.
 */
import { extname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TakoError, messageOf } from '../base/tako-error.ts';
import { type Answer, askAway, reportHealth } from '../client/report-client.ts';
import type { CliWorld, LaunchRequest, WitnessRequest } from './world.ts';

interface LauncherModule {
  readonly launch: (request: LaunchRequest) => Promise<number>;
}

interface WitnessModule {
  readonly becomeWitness: (request: WitnessRequest) => never;
}

/** `interrupted` is to be aborted by Ctrl-C. */
export function createRealWorld(interrupted: AbortSignal): CliWorld {
  const { stdout, stderr, env } = process;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    colours: stdout.isTTY === true && stdout.hasColors(env),
    terminal: stdout.isTTY === true,
    environment: env,
    interrupted,
    pause: (ms) => delay(ms, undefined, { signal: interrupted }).catch(() => undefined),
    ask: async (question) => {
      if (process.stdin.isTTY !== true) return undefined;
      const lines = createInterface({ input: process.stdin, output: stderr });
      try {
        return await lines.question(question, { signal: interrupted });
      } finally {
        lines.close();
      }
    },
    reportHealth: (socket, health) => told(socket, () => reportHealth(health, { socket })),
    askAway: (socket, reason) => told(socket, () => askAway(reason, { socket })),
    client: async (socketPath) => {
      const { createApiClient } = await import('../adapters/api-client/api-client.ts');
      return createApiClient(socketPath);
    },
    readText: async (file) => {
      const { readSavedText } = await import('../adapters/saved-text.ts');
      return readSavedText(file);
    },
    keptConfig: async (file) => {
      const { readKeptConfig } = await import('../adapters/config/setup-files.ts');
      return readKeptConfig(file);
    },
    recordings: async (stateDir) => {
      const { readRecordings } = await import('../adapters/decision-files.ts');
      return readRecordings(`${stateDir.replace(/\/+$/u, '')}/decisions`);
    },
    recordingFile: async (file) => {
      const { readRecordingFile } = await import('../adapters/decision-files.ts');
      return readRecordingFile(file);
    },
    saveRecording: async (recording, file) => {
      const { saveRecording } = await import('../adapters/decision-files.ts');
      await saveRecording(recording, file);
    },
    checkConfigFile: async (file) => {
      const { checkConfigFile } = await import('../adapters/config/load-config.ts');
      return checkConfigFile(file);
    },
    createKey: async (file) => {
      const { createClusterKey } = await import('../adapters/config/cluster-key.ts');
      createClusterKey(file);
    },
    launch: async (request) => {
      const { launch } = await daemonModule<LauncherModule>('run');
      return launch(request);
    },
    ...witnessParts(),
  };
}

function witnessParts(): Pick<CliWorld, 'becomeWitness' | 'prepareShare' | 'askWitness'> {
  return {
    becomeWitness: async (request) => {
      const { becomeWitness } = await daemonModule<WitnessModule>('witness-launch');
      becomeWitness(request);
    },
    prepareShare: async (configFile, how) => {
      const { prepareShare } = await import('../adapters/share/prepare-share.ts');
      return prepareShare(configFile, how);
    },
    askWitness: async (runDir, question, last) => {
      const { askWitness } = await import('../adapters/witness-client.ts');
      return askWitness(runDir, question, last);
    },
  };
}

async function told(socket: string, tell: () => Promise<Answer>): Promise<Answer> {
  try {
    return await tell();
  } catch (cause) {
    throw new TakoError('not-running', messageOf(cause), {
      cause,
      next: `Check the names and that Tako runs; only root and the resource's user reach ${socket}`,
    });
  }
}

/** A program of its own, to which the command line hands over: found by name, not imported. */
async function daemonModule<T>(name: string): Promise<T> {
  const extension = extname(fileURLToPath(import.meta.url));
  const entry = new URL(`../daemon/${name}${extension}`, import.meta.url);
  return (await import(entry.href)) as T;
}
