/** `tako group start`, `tako group stop` and `tako group show`, each with the name of a group. */
import type { Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { renderGroup } from '../render/status.ts';

interface InstanceOptions extends ClientOptions {
  readonly node?: string;
}

interface ShowOptions extends ClientOptions {
  readonly json?: true;
}

export function addGroupCommands(program: Command, context: CommandContext): void {
  const group = program.command('group').description('start, stop or show a group');
  const start = group
    .command('start')
    .description('have the group run from now on')
    .argument('<group>', 'name of the group')
    .option('--node <node>', 'of a group that runs everywhere: let it run on that node again');
  withRunDir(start, context).action(async (name: string, options: InstanceOptions) => {
    const client = await clientOf(context, options);
    const node = options.node as NodeId | undefined;
    context.world.out(`${await client.startGroup(name as GroupId, node)}\n`);
  });
  const stop = group
    .command('stop')
    .description('have the group rest, also across restarts, until it is started')
    .argument('<group>', 'name of the group')
    .option('--node <node>', 'of a group that runs everywhere: on that node alone');
  withRunDir(stop, context).action(async (name: string, options: InstanceOptions) => {
    const client = await clientOf(context, options);
    const node = options.node as NodeId | undefined;
    context.world.out(`${await client.stopGroup(name as GroupId, node)}\n`);
  });
  const show = group
    .command('show')
    .description('show one group: where it runs, and all that belongs to it')
    .argument('<group>', 'name of the group')
    .option('--json', 'as JSON, for programs');
  withRunDir(show, context).action((name: string, options: ShowOptions) =>
    showGroup(context, name, options),
  );
}

async function showGroup(
  context: CommandContext,
  name: string,
  options: ShowOptions,
): Promise<void> {
  const { world } = context;
  const status = await (await clientOf(context, options)).status();
  const found = status.groups.find(({ id }) => id === name);
  if (found === undefined) {
    const names = status.groups.map(({ id }) => id).join(', ');
    const text = `The configuration has no group "${name}"`;
    throw new TakoError('no-such-group', text, { next: `Use one of: ${names}` });
  }
  if (options.json === true) world.out(`${JSON.stringify(found, undefined, 2)}\n`);
  else world.out(renderGroup(found, status, world.colours));
}
