/**
 * `tako force takeover GROUP` and `tako force voters GROUP`: what Tako does not do by itself, because
 * something may be lost by it. Shows what is at stake; goes on when the group's name is typed.
 */
import { type Command, Option } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { ApiClient } from '../../ports/api-client.ts';
import type { ForceStakes } from '../../protocol/api.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { plain } from '../render/event.ts';

interface ForceOptions extends ClientOptions {
  readonly off?: readonly string[] | undefined;
  readonly acceptDataLoss?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

const ABOUT_OFF =
  'members that you vouch for: they are off, and stay off until they hear this node ' +
  '(all that this node has lost, if not given)';

export function addForceCommands(program: Command, context: CommandContext): void {
  const force = program
    .command('force')
    .description('what may lose data: run a group on this node although the majority is gone');
  const takeover = force
    .command('takeover')
    .description('run the group here, on a copy that lacks what others acknowledged')
    .argument('<group>', 'name of the group')
    .addOption(
      new Option(
        '--accept-data-loss',
        'give up what this copy lacks (it is kept aside where it is)',
      ).makeOptionMandatory(),
    );
  const voters = force
    .command('voters')
    .description('run the group here, on a copy that is in sync, although too few voters are left')
    .argument('<group>', 'name of the group');
  for (const command of [takeover, voters]) {
    command.option('--off <node...>', ABOUT_OFF).option('--yes', 'do not ask');
    withRunDir(command, context).action(async (group: string, options: ForceOptions) => {
      const client = await clientOf(context, options);
      await carryOut(context, client, { group: group as GroupId, options });
    });
  }
}

async function carryOut(
  { world }: CommandContext,
  client: ApiClient,
  { group, options }: { readonly group: GroupId; readonly options: ForceOptions },
): Promise<void> {
  const stakes = await client.forceStakes(group, options.off as readonly NodeId[] | undefined);
  world.out(renderStakes(stakes));
  if (options.yes !== true) {
    const typed = await world.ask(`Type the name of the group to go on: `);
    if (typed?.trim() !== group) {
      const text = `Nothing was done: "${group}" was not typed`;
      const next = 'Type the name of the group, or add --yes where nobody can be asked';
      throw new TakoError('not-forced', text, { next });
    }
  }
  const acceptDataLoss = options.acceptDataLoss === true;
  const done = await client.force(group, { off: stakes.off, acceptDataLoss });
  world.out(`${plain(done)}\n`);
}

function renderStakes({ group, lines, node }: ForceStakes): string {
  const list = lines.map((line) => `  - ${plain(line)}\n`).join('');
  return `To be forced: "${plain(group)}" onto ${plain(node)}\n${list}`;
}
