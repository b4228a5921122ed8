/**
 * `tako fence test NODE` and `tako fence off NODE`: whether the fence of a node answers, and to turn
 * the node off by it.
 */
import type { Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { plain } from '../render/event.ts';

interface OffOptions extends ClientOptions {
  readonly yes?: boolean | undefined;
}

export function addFenceCommands(program: Command, context: CommandContext): void {
  const fence = program.command('fence').description('what turns the other node off');
  const test = fence
    .command('test')
    .description('ask whether a node is on or off; changes nothing')
    .argument('<node>', 'name of the node');
  withRunDir(test, context).action(async (node: string, options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${plain(await client.fence(node as NodeId, 'status'))}\n`);
  });
  const off = fence
    .command('off')
    .description('turn the other node off, at once and without goodbye')
    .argument('<node>', 'name of the node')
    .option('--yes', 'do not ask');
  withRunDir(off, context).action((node: string, options: OffOptions) =>
    turnOff(context, node, options),
  );
}

async function turnOff(context: CommandContext, node: string, options: OffOptions): Promise<void> {
  const { world } = context;
  const client = await clientOf(context, options);
  if (options.yes !== true) {
    const typed = await world.ask(`Type the name of the node to turn it off at once: `);
    if (typed?.trim() !== node) {
      const text = `Nothing was done: "${node}" was not typed`;
      const next = 'Type the name of the node, or add --yes where nobody can be asked';
      throw new TakoError('fence-failed', text, { next });
    }
  }
  world.out(`${plain(await client.fence(node as NodeId, 'off'))}\n`);
}
