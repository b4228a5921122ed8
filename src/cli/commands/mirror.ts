/** `tako mirror verify GROUP`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { GroupId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

interface VerifyOptions extends ClientOptions {
  readonly rate: number;
}

const MEGABYTE = 1e6;
/** Megabytes a second: what a disk hardly notices. */
const RATE_DEFAULT = 50;
const RATE_MAX = 100_000;

export function addMirrorCommands(program: Command, context: CommandContext): void {
  const mirror = program.command('mirror').description('look after the copies of a mirror');
  const verify = mirror
    .command('verify')
    .description('compare every copy in sync with what the owner of the group has')
    .argument('<group>', 'name of the group')
    .option('--rate <number>', 'megabytes a second at most', parseRate, RATE_DEFAULT);
  withRunDir(verify, context).action(async (group: string, options: VerifyOptions) => {
    const client = await clientOf(context, options);
    const said = await client.verify(group as GroupId, options.rate * MEGABYTE);
    context.world.out(`${said}\n`);
  });
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (/^\d+$/u.test(text) && rate >= 1 && rate <= RATE_MAX) return rate;
  throw new InvalidArgumentError(`Expected megabytes a second, from 1 to ${RATE_MAX}.`);
}
