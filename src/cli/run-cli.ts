/**
 * The command line as a whole: which commands there are, and how failures are told: the message,
 * the next step, and an exit code (`docs/reference/cli.md`).
 */
import { Command, CommanderError } from 'commander';
import { TakoError } from '../base/tako-error.ts';
import { EXIT, exitCodeOf } from '../protocol/api-codes.ts';
import type { CommandContext } from './command-context.ts';
import { addConfigCommands } from './commands/config.ts';
import { addEventsCommand } from './commands/events.ts';
import { addFenceCommands } from './commands/fence.ts';
import { addForceCommands } from './commands/force.ts';
import { addGroupCommands } from './commands/group.ts';
import { addKeyCommands } from './commands/key.ts';
import { addMaintenanceCommands } from './commands/maintenance.ts';
import { addMirrorCommands } from './commands/mirror.ts';
import { addMoveCommand } from './commands/move.ts';
import { addNodeCommands } from './commands/node.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommand } from './commands/run.ts';
import { addBanCommands } from './commands/ban.ts';
import { addStandbyCommands } from './commands/standby.ts';
import { addSimulateCommand } from './commands/simulate.ts';
import { addStatusCommand } from './commands/status.ts';
import { addVersionCommand } from './commands/version.ts';
import { addWhyCommand } from './commands/why.ts';
import { addWitnessCommands } from './commands/witness.ts';
import type { CliWorld } from './world.ts';

/** The exit code of `tako WORDS...`. */
export async function runCli(words: readonly string[], world: CliWorld): Promise<number> {
  const program = new Command('tako')
    .description('Keeps a service running when the machine under it fails.')
    .configureOutput({
      writeOut: (text) => world.out(text),
      writeErr: (text) => world.err(text),
      outputError: (text, write) => write(`tako: ${text.replace(/^error: /u, '')}`),
    })
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  const context: CommandContext = { world, result: { exitCode: EXIT.ok } };
  for (const add of [
    addStatusCommand,
    addWhyCommand,
    addSimulateCommand,
    addEventsCommand,
    addMoveCommand,
    addGroupCommands,
    addForceCommands,
    addFenceCommands,
    addStandbyCommands,
    addBanCommands,
    addMirrorCommands,
    addMaintenanceCommands,
    addNodeCommands,
    addReportCommand,
    addConfigCommands,
    addKeyCommands,
    addRunCommand,
    addWitnessCommands,
    addVersionCommand,
  ]) {
    add(program, context);
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return context.result.exitCode;
  } catch (error) {
    return tell(error, world);
  }
}

function tell(error: unknown, world: CliWorld): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    // Without a command, commander has shown the help; for the rest it has said what is wrong.
    if (error.code !== 'commander.help') world.err('Next: tako --help\n');
    return EXIT.usage;
  }
  if (error instanceof TakoError) {
    world.err(`tako: ${error.message}\n`);
    if (error.next !== undefined) world.err(`Next: ${error.next}\n`);
    return exitCodeOf(error.code);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  world.err(`tako: something unexpected failed: ${text}\n`);
  world.err('Next: report this with the lines above\n');
  return EXIT.failed;
}
