/** `tako ban GROUP NODE` and `tako unban GROUP NODE`. */
import type { Command } from 'commander';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

export function addBanCommands(program: Command, context: CommandContext): void {
  add(program, context, true, 'keep a group from a node; it leaves it if it runs there');
  add(program, context, false, 'let a group run on a node again');
}

function add(program: Command, context: CommandContext, on: boolean, description: string): void {
  const command = program
    .command(on ? 'ban' : 'unban')
    .description(description)
    .argument('<group>', 'name of the group')
    .argument('<node>', 'one of its nodes');
  withRunDir(command, context).action(
    async (group: string, node: string, options: ClientOptions) => {
      const client = await clientOf(context, options);
      context.world.out(`${await client.ban(group as GroupId, node as NodeId, on)}\n`);
    },
  );
}
