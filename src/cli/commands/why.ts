/** `tako why GROUP`: why a group is where and as it is. */
import type { Command } from 'commander';
import type { GroupId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { plain, renderEvent } from '../render/event.ts';

interface WhyOptions extends ClientOptions {
  readonly json?: true;
}

export function addWhyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('why')
    .description('explain why a group is where and as it is')
    .argument('<group>', 'name of the group')
    .option('--json', 'as JSON, for programs');
  withRunDir(command, context).action(async (group: string, options: WhyOptions) => {
    const { world } = context;
    const client = await clientOf(context, options);
    const answer = await client.why(group as GroupId);
    if (options.json === true) {
      world.out(`${JSON.stringify(answer, undefined, 2)}\n`);
      return;
    }
    world.out(`${plain(answer.sentence)}\n`);
    if (answer.events.length > 0) world.out('\nHow it came to that:\n');
    for (const event of answer.events) world.out(`  ${renderEvent(event, world.colours)}\n`);
  });
}
