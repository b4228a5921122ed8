/**
 * `tako why GROUP`: why a group is where and as it is. With `--replay`: what this node was told and
 * decided around an event, by running the same core again over what was recorded; needs no running
 * Tako, and with `--from` not even the node.
 */
import type { Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { GroupId } from '../../protocol/ids.ts';
import { type Wanted, replayOneOf } from '../../sim/why/replay.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { plain, renderEvent } from '../render/event.ts';
import { renderReplay } from '../render/replay.ts';
import { readVersion } from './version.ts';

interface WhyOptions extends ClientOptions {
  readonly json?: true;
  readonly replay?: string | true;
  readonly from?: string;
  readonly save?: string;
  readonly stateDir: string;
}

const STATE_DIR_DEFAULT = '/var/lib/tako';
const EXIT_DIFFERENT = 1;

export function addWhyCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('why')
    .description('explain why a group is where and as it is')
    .argument('<group>', 'name of the group')
    .option('--replay [event]', 'decide again, step by step: its number, or "last"')
    .option('--from <file>', 'replay this file, not what this node has recorded')
    .option('--save <file>', 'with --replay: write the recording to a new file (.gz: compressed)')
    .option('--state-dir <dir>', 'state directory with the recordings', STATE_DIR_DEFAULT)
    .option('--json', 'as JSON, for programs');
  withRunDir(command, context).action((group: string, options: WhyOptions) => {
    const again = options.replay !== undefined || options.from !== undefined;
    return again
      ? replayDecision(group as GroupId, options, context)
      : explain(group as GroupId, options, context);
  });
}

async function explain(
  group: GroupId,
  options: WhyOptions,
  context: CommandContext,
): Promise<void> {
  const { world } = context;
  if (options.save !== undefined) throw wrong('--save stands with --replay');
  const client = await clientOf(context, options);
  const answer = await client.why(group);
  if (options.json === true) {
    world.out(`${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  world.out(`${plain(answer.sentence)}\n`);
  if (answer.events.length > 0) world.out('\nHow it came to that:\n');
  for (const event of answer.events) world.out(`  ${renderEvent(event, world.colours)}\n`);
}

async function replayDecision(
  group: GroupId,
  options: WhyOptions,
  { world, result }: CommandContext,
): Promise<void> {
  const wanted = wantedOf(options.replay);
  const recordings =
    options.from === undefined
      ? await world.recordings(options.stateDir)
      : [await world.recordingFile(options.from)];
  if (recordings.length === 0) {
    throw new TakoError('bad-request', `Cannot replay: "${options.stateDir}" has no recordings`, {
      next: 'Name the state directory of this node with --state-dir, or a saved file with --from',
    });
  }
  const { recording, replay } = await replayOneOf(recordings, group, wanted);
  if (options.save !== undefined) await world.saveRecording(recording, options.save);
  const release = readVersion();
  if (options.json === true) {
    world.out(`${JSON.stringify({ replayedBy: release, ...replay }, undefined, 2)}\n`);
  } else {
    world.out(renderReplay(replay, release));
    if (options.save !== undefined) world.out(`Saved to ${options.save}\n`);
  }
  if (replay.differences.length > 0) result.exitCode = EXIT_DIFFERENT;
}

function wantedOf(words: string | true | undefined): Wanted {
  if (words === undefined || words === true || words === 'last') return 'last';
  const id = Number(words);
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw wrong(`"${words}" is no number of an event, nor "last"`);
}

function wrong(what: string): TakoError {
  return new TakoError('bad-request', `Cannot replay: ${what}`, {
    next: 'tako why GROUP --replay [EVENT-ID|last] [--save FILE], or tako why GROUP --from FILE',
  });
}
