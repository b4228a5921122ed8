/** `tako config check FILE` and `tako config reload`. */
import type { Command } from 'commander';
import { EXIT } from '../../protocol/api-codes.ts';
import type { Config } from '../../protocol/config.ts';
import { formatProblem } from '../../protocol/config-problem.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

export function addConfigCommands(program: Command, context: CommandContext): void {
  const config = program.command('config').description('check or reload the configuration');
  config
    .command('check')
    .description('judge a configuration file; nothing is changed')
    .argument('<file>', 'YAML file')
    .option('--json', 'as JSON, for programs')
    .action((file: string, options: { readonly json?: true }) => check(file, options, context));
  const reload = config
    .command('reload')
    .description('have the running Tako read its configuration file again');
  withRunDir(reload, context).action(async (options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${await client.reload()}\n`);
  });
}

async function check(
  file: string,
  options: { readonly json?: true },
  { world, result }: CommandContext,
): Promise<void> {
  const { config, errors, warnings } = await world.checkConfigFile(file);
  if (errors.length > 0) result.exitCode = EXIT.usage;
  if (options.json === true) {
    const answer = { ok: errors.length === 0, errors, warnings };
    world.out(`${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  for (const error of errors) world.err(`${formatProblem(error)}\n`);
  for (const warning of warnings) world.err(`Warning: ${formatProblem(warning)}\n`);
  if (config === undefined) {
    world.err(
      `\n${file}: ${count(errors.length, 'fault')}, ${count(warnings.length, 'warning')}\n`,
    );
  } else {
    world.out(`${file}: good. ${describe(config)}\n`);
  }
}

function describe({ cluster, nodes, witness, groups }: Config): string {
  const voters = witness === undefined ? 'no witness' : `witness ${witness.id}`;
  const list = groups.map(({ id }) => id).join(', ');
  return (
    `Cluster ${cluster}: ${count(nodes.length, 'node')} (${nodes.map(({ id }) => id).join(', ')}), ` +
    `${voters}, ${count(groups.length, 'group')}${list === '' ? '' : ` (${list})`}`
  );
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}
