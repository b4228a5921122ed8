/** What a command has to work with, and the option that all commands for a running Tako share. */
import { type Command, Option } from 'commander';
import type { ApiClient } from '../ports/api-client.ts';
import type { CliWorld } from './world.ts';

export const RUN_DIR_DEFAULT = '/run/tako';

export interface CommandContext {
  readonly world: CliWorld;
  /** A command that ends without an error may still set another exit code. */
  readonly result: { exitCode: number };
}

export interface ClientOptions {
  readonly runDir: string;
}

/** Adds `--run-dir`. */
export function withRunDir(command: Command, { world }: CommandContext): Command {
  const preset = world.environment['TAKO_RUN_DIR'] ?? RUN_DIR_DEFAULT;
  return command.addOption(
    new Option(
      '--run-dir <dir>',
      'run directory of the Tako to speak to (or TAKO_RUN_DIR)',
    ).default(preset),
  );
}

export function clientOf({ world }: CommandContext, { runDir }: ClientOptions): Promise<ApiClient> {
  return world.client(`${runDir.replace(/\/+$/u, '')}/api.sock`);
}
