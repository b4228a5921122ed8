/** `tako witness run`, `status` and `reload`: a third machine that votes; `prepare`: a share. */
import { type Command, Option } from 'commander';
import { EXIT } from '../../protocol/api-codes.ts';
import type { FromWitness, ToWitness, WitnessClusterStatus } from '../../protocol/witness.ts';
import type { CommandContext } from '../command-context.ts';

const CONFIG_DEFAULT = '/etc/tako/tako.yaml';
const CLUSTERS_DEFAULT = '/etc/tako/witness';
const RUN_DIR_DEFAULT = '/run/tako-witness';
const STATE_DIR_DEFAULT = '/var/lib/tako-witness';

interface RunOptions {
  readonly clusters: string;
  readonly runDir: string;
  readonly stateDir: string;
}

interface AskOptions {
  readonly runDir: string;
  readonly json?: true;
}

interface PrepareOptions {
  readonly config: string;
  readonly replace?: true;
}

export function addWitnessCommands(program: Command, context: CommandContext): void {
  const witness = program
    .command('witness')
    .description('be the witness of one or many clusters on this machine');
  witness
    .command('run')
    .description('run the witness in the foreground, until it is stopped')
    .option('--clusters <dir>', 'directory with NAME.yaml per cluster', CLUSTERS_DEFAULT)
    .addOption(runDirOption(context, 'for its socket and log; lost at reboot'))
    .option('--state-dir <dir>', 'for the votes, which must survive a reboot', STATE_DIR_DEFAULT)
    .action(({ clusters, runDir, stateDir }: RunOptions) =>
      context.world.becomeWitness({ clustersDir: clusters, runDir, stateDir }),
    );
  witness
    .command('status')
    .description('show each cluster: who is heard, what was voted, who was turned away')
    .argument('[name]', 'only this one')
    .option('--json', 'as JSON, for programs')
    .addOption(runDirOption(context, 'run directory of the witness to speak to'))
    .action((name: string | undefined, options: AskOptions) => status(name, options, context));
  witness
    .command('reload')
    .description('have the running witness read its files again')
    .addOption(runDirOption(context, 'run directory of the witness to speak to'))
    .action((options: AskOptions) => reload(options, context));
  witness
    .command('prepare')
    .description(
      'make the directory of a cluster on a share that is its witness; once, on one node',
    )
    .option('--config <file>', 'configuration of the cluster', CONFIG_DEFAULT)
    .option('--replace', 'begin anew: the nodes must vote the share in again')
    .action((options: PrepareOptions) => prepare(options, context));
}

async function prepare(
  { config, replace }: PrepareOptions,
  { world }: CommandContext,
): Promise<void> {
  world.out(`${await world.prepareShare(config, { replace: replace === true })}\n`);
}

function runDirOption({ world }: CommandContext, what: string): Option {
  const preset = world.environment['TAKO_WITNESS_RUN_DIR'] ?? RUN_DIR_DEFAULT;
  return new Option('--run-dir <dir>', `${what} (or TAKO_WITNESS_RUN_DIR)`).default(preset);
}

async function status(
  name: string | undefined,
  options: AskOptions,
  context: CommandContext,
): Promise<void> {
  const { world, result } = context;
  const lines = await ask(options, { type: 'status' }, 'process', context);
  const all = lines.flatMap((line) => (line.type === 'cluster' ? [line.status] : []));
  const own = lines.find((line) => line.type === 'process');
  const clusters = all.filter((cluster) => name === undefined || cluster.name === name);
  if (clusters.length === 0 && name !== undefined) {
    world.err(`tako: The witness has no cluster "${name}"; it has ${names(all)}\n`);
    result.exitCode = EXIT.usage;
    return;
  }
  // For those who watch it from outside: not all is well.
  if (clusters.some(({ state, fault }) => state !== 'serving' || fault !== undefined)) {
    result.exitCode = EXIT.failed;
  }
  if (options.json === true) {
    world.out(`${JSON.stringify({ process: own, clusters }, undefined, 2)}\n`);
    return;
  }
  const { renderWitness } = await import('../render/witness.ts');
  world.out(renderWitness({ own, clusters, detailed: name !== undefined, colours: world.colours }));
}

async function reload(options: AskOptions, context: CommandContext): Promise<void> {
  const { world, result } = context;
  const lines = await ask(options, { type: 'reload' }, 'reloaded', context);
  for (const line of lines) {
    if (line.type !== 'reloaded') continue;
    for (const done of line.done) world.out(`${done}\n`);
    for (const fault of line.faults) world.err(`${fault}\n`);
    if (line.faults.length > 0) result.exitCode = EXIT.usage;
  }
}

function ask(
  { runDir }: AskOptions,
  question: ToWitness,
  last: FromWitness['type'],
  { world }: CommandContext,
): Promise<readonly FromWitness[]> {
  return world.askWitness(runDir, question, last);
}

function names(clusters: readonly WitnessClusterStatus[]): string {
  return clusters.map(({ name }) => name).join(', ');
}
