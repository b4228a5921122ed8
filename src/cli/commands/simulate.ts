/**
 * `tako simulate STEP then STEP ...`: what would happen. Reads the status, of the running Tako or
 * from a file, and the configuration; changes nothing.
 */
import type { Command } from 'commander';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import type { ClusterStatus } from '../../protocol/api.ts';
import type { Config } from '../../protocol/config.ts';
import { configFilesIn } from '../../sim/what-if/steps.ts';
import { whatIf } from '../../sim/what-if/what-if.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { renderPrediction } from '../render/prediction.ts';
import type { CliWorld } from '../world.ts';

interface SimulateOptions extends ClientOptions {
  readonly config: string;
  readonly state?: string;
  readonly json?: true;
}

export function addSimulateCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('simulate')
    .description('tell what would happen if; nothing is changed')
    .argument('<step...>', 'such as: lose n1 then return n1 (docs/operating/simulate.md)')
    .option('--config <file>', 'the configuration of the cluster', '/etc/tako/tako.yaml')
    .option('--state <file>', 'start from this output of "tako status --json", not the live state')
    .option('--json', 'as JSON, for programs');
  withRunDir(command, context).action((words: readonly string[], options: SimulateOptions) =>
    simulate(words, options, context),
  );
}

async function simulate(
  words: readonly string[],
  options: SimulateOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  const config = await configIn(options.config, world);
  const configs = new Map<string, Config>();
  for (const file of configFilesIn(words)) configs.set(file, await configIn(file, world));
  const status =
    options.state === undefined
      ? await (await clientOf(context, options)).status()
      : decodeStatus(options.state, await world.readText(options.state));
  const prediction = whatIf(config, status, words, configs);
  if (options.json === true) world.out(`${JSON.stringify(prediction, undefined, 2)}\n`);
  else world.out(renderPrediction(prediction));
}

/** YAML as people write it, or JSON as Tako keeps it. */
async function configIn(file: string, world: CliWorld): Promise<Config> {
  if (file.endsWith('.json')) return world.keptConfig(file);
  const { config } = await world.checkConfigFile(file);
  if (config !== undefined) return config;
  throw new TakoError('config-invalid', `Cannot simulate: "${file}" has faults`, {
    next: `tako config check ${file}`,
  });
}

/** As much of a status as the simulation rests on. */
function decodeStatus(file: string, text: string): ClusterStatus {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unusable(file, messageOf(cause));
  }
  if (!isObject(value)) throw unusable(file, 'it is no object');
  for (const key of ['cluster', 'node', 'time']) {
    if (typeof value[key] !== 'string') throw unusable(file, `"${key}" is no text`);
  }
  checkList(file, value['nodes'], { key: 'nodes', lists: ['links'], texts: ['id', 'state'] });
  checkList(file, value['groups'], {
    key: 'groups',
    lists: ['voters', 'resources'],
    texts: ['id', 'state'],
  });
  for (const group of value['groups'] as readonly Record<string, unknown>[]) {
    const { inSync } = group;
    if (!isObject(inSync) || !Object.values(inSync).every(Array.isArray)) {
      throw unusable(file, '"inSync" of a group is no object of lists');
    }
  }
  return value as unknown as ClusterStatus;
}

function checkList(
  file: string,
  value: unknown,
  want: {
    readonly key: string;
    readonly lists: readonly string[];
    readonly texts: readonly string[];
  },
): void {
  if (!Array.isArray(value)) throw unusable(file, `"${want.key}" is no list`);
  for (const item of value as readonly unknown[]) {
    const good =
      isObject(item) &&
      want.texts.every((key) => typeof item[key] === 'string') &&
      want.lists.every((key) => Array.isArray(item[key]));
    if (!good) throw unusable(file, `an entry of "${want.key}" lacks something`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unusable(file: string, found: string): TakoError {
  return new TakoError('bad-request', `Cannot simulate from the state in "${file}": ${found}`, {
    next: `Save one with: tako status --json > ${file}`,
  });
}
