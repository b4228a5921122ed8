/** `tako run`: what systemd starts on every node of the cluster. */
import { type Command, Option } from 'commander';
import { type CommandContext, RUN_DIR_DEFAULT } from '../command-context.ts';

const CONFIG_DEFAULT = '/etc/tako/tako.yaml';
const STATE_DIR_DEFAULT = '/var/lib/tako';

interface RunOptions {
  readonly config: string;
  readonly node?: string;
  readonly runDir: string;
  readonly stateDir: string;
}

export function addRunCommand(program: Command, { world, result }: CommandContext): void {
  const environment = world.environment;
  program
    .command('run')
    .description('run Tako on this machine, in the foreground, until it is stopped')
    .option('--config <file>', 'YAML file', CONFIG_DEFAULT)
    .option('--node <name>', 'which node this machine is (default: its host name)')
    .addOption(
      new Option('--run-dir <dir>', 'for sockets and the like; lost at reboot').default(
        environment['TAKO_RUN_DIR'] ?? RUN_DIR_DEFAULT,
      ),
    )
    .addOption(
      new Option('--state-dir <dir>', 'for what must survive a reboot').default(
        environment['TAKO_STATE_DIR'] ?? STATE_DIR_DEFAULT,
      ),
    )
    .action(async ({ config, node, runDir, stateDir }: RunOptions) => {
      result.exitCode = await world.launch({ configFile: config, node, runDir, stateDir });
    });
}
