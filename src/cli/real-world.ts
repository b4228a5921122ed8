/**
 * The composition root of the command line: the one file of it that knows the adapters. They are
 * loaded when a command needs them, so that `tako status` does not wait for the YAML parser.
 */
import { extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TakoError, messageOf } from '../base/tako-error.ts';
import { type Answer, askAway, reportHealth } from '../client/report-client.ts';
import type { CliWorld, LaunchRequest } from './world.ts';

interface LauncherModule {
  readonly launch: (request: LaunchRequest) => Promise<number>;
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
    reportHealth: (socket, health) => told(socket, () => reportHealth(health, { socket })),
    askAway: (socket, reason) => told(socket, () => askAway(reason, { socket })),
    client: async (socketPath) => {
      const { createApiClient } = await import('../adapters/api-client/api-client.ts');
      return createApiClient(socketPath);
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
      // A program of its own, to which the command line hands over: found by name, not imported.
      const extension = extname(fileURLToPath(import.meta.url));
      const entry = new URL(`../daemon/run${extension}`, import.meta.url);
      const { launch } = (await import(entry.href)) as LauncherModule;
      return launch(request);
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
