/** `tako events`: what happened, one line each. */
import { type Command, InvalidArgumentError } from 'commander';
import type { TakoEvent } from '../../protocol/event.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { renderEvent } from '../render/event.ts';

const COUNT_DEFAULT = 20;
const COUNT_MAX = 10_000;

interface EventsOptions extends ClientOptions {
  readonly n: number;
  readonly follow?: true;
  readonly json?: true;
}

export function addEventsCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('events')
    .description('show what happened, oldest first')
    .option('-n <count>', 'how many of the latest', parseCount, COUNT_DEFAULT)
    .option('--follow', 'go on with each new one, until Ctrl-C')
    .option('--json', 'one JSON object per line, for programs');
  withRunDir(command, context).action((options: EventsOptions) => showEvents(options, context));
}

async function showEvents(options: EventsOptions, context: CommandContext): Promise<void> {
  const { world } = context;
  const client = await clientOf(context, options);
  const show = (event: TakoEvent): void => {
    const line = options.json === true ? JSON.stringify(event) : renderEvent(event, world.colours);
    world.out(`${line}\n`);
  };
  if (options.follow !== true) {
    for (const event of await client.events(options.n)) show(event);
    return;
  }
  // Followed first, read afterwards, so that nothing falls between; what is in both is shown once.
  let waiting: TakoEvent[] | undefined = [];
  const ended = new AbortController();
  world.interrupted.addEventListener('abort', () => ended.abort());
  const following = client.follow({
    cancel: ended.signal,
    onEvent: (event) => (waiting === undefined ? show(event) : void waiting.push(event)),
    onInterrupted: (reason) =>
      world.err(reason === undefined ? 'tako: connected again\n' : `tako: ${reason}; waiting\n`),
  });
  const shown = new Set<string>();
  const reading = client.events(options.n).then((past) => {
    for (const event of past) {
      show(event);
      shown.add(`${event.node}:${event.id}`);
    }
    for (const event of waiting ?? []) if (!shown.has(`${event.node}:${event.id}`)) show(event);
    waiting = undefined;
  });
  try {
    await Promise.all([following, reading]);
  } finally {
    ended.abort();
  }
}

function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/u.test(text) && count >= 1 && count <= COUNT_MAX) return count;
  throw new InvalidArgumentError(`Expected a number from 1 to ${COUNT_MAX}.`);
}
