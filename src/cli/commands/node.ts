/** `tako node clear NODE`: ends the quarantine of a node that came and went, and forgets its returns. */
import type { Command } from 'commander';
import type { NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

export function addNodeCommands(program: Command, context: CommandContext): void {
  const node = program.command('node').description('about one node of the cluster');
  const clear = node
    .command('clear')
    .description('end the quarantine of a node that came and went too often')
    .argument('<node>', 'name of the node');
  withRunDir(clear, context).action(async (name: string, options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${await client.clearNode(name as NodeId)}\n`);
  });
}
