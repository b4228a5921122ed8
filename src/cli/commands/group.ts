/** `tako group start GROUP` and `tako group stop GROUP`. */
import type { Command } from 'commander';
import type { GroupId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

export function addGroupCommands(program: Command, context: CommandContext): void {
  const group = program.command('group').description('start or stop a group');
  const start = group
    .command('start')
    .description('have the group run from now on')
    .argument('<group>', 'name of the group');
  withRunDir(start, context).action(async (name: string, options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${await client.startGroup(name as GroupId)}\n`);
  });
  const stop = group
    .command('stop')
    .description('have the group rest, also across restarts, until it is started')
    .argument('<group>', 'name of the group');
  withRunDir(stop, context).action(async (name: string, options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${await client.stopGroup(name as GroupId)}\n`);
  });
}
