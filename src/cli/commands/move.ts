/** `tako move GROUP NODE`: a planned switchover. */
import type { Command } from 'commander';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

export function addMoveCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('move')
    .description('move a group to another node; ends when it is online there')
    .argument('<group>', 'name of the group')
    .argument('<node>', 'where it shall run');
  withRunDir(command, context).action(
    async (group: string, node: string, options: ClientOptions) => {
      const client = await clientOf(context, options);
      context.world.out(`${await client.move(group as GroupId, node as NodeId)}\n`);
    },
  );
}
