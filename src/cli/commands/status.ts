/** `tako status`: is everything all right, who owns what, how far are the copies. */
import type { Command } from 'commander';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

const WATCH_MS = 1000;
/** Cursor home and erase below, after the text: less flicker than erasing first. */
const HOME = '\u001B[H';
const ERASE_LINE_END = '\u001B[K';
const ERASE_BELOW = '\u001B[J';
const ERASE_SCREEN = '\u001B[2J';

interface StatusOptions extends ClientOptions {
  readonly json?: true;
  readonly watch?: true;
}

export function addStatusCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('status')
    .description('show groups, mirrors, nodes and links')
    .option('--json', 'as JSON, for programs')
    .option('--watch', 'show it again every second, until Ctrl-C');
  withRunDir(command, context).action((options: StatusOptions) =>
    options.watch === true ? watch(options, context) : show(options, context),
  );
}

async function show(options: StatusOptions, context: CommandContext): Promise<void> {
  context.world.out(await render(options, context));
}

async function render(options: StatusOptions, context: CommandContext): Promise<string> {
  const client = await clientOf(context, options);
  const status = await client.status();
  if (options.json === true) return `${JSON.stringify(status, undefined, 2)}\n`;
  const { renderStatus } = await import('../render/status.ts');
  return renderStatus(status, context.world.colours);
}

async function watch(options: StatusOptions, context: CommandContext): Promise<void> {
  const { world } = context;
  const screen = world.terminal && options.json !== true;
  if (screen) world.out(ERASE_SCREEN);
  // The first failure is told as usual; a later one is part of what is watched.
  let text = await render(options, context);
  while (!world.interrupted.aborted) {
    const wiped = text.replaceAll('\n', `${ERASE_LINE_END}\n`);
    world.out(screen ? `${HOME}${wiped}${ERASE_BELOW}` : text);
    await world.pause(WATCH_MS);
    if (world.interrupted.aborted) return;
    text = await render(options, context).catch((error: unknown) => {
      if (!(error instanceof TakoError)) throw error;
      return `${messageOf(error)}\n`;
    });
  }
}
