/**
 * `npm run demo`: a Tako cluster on test hosts, to watch and to break.
 *
 *     npm run demo                              live screen
 *     npm run demo -- --app postgresql          protects PostgreSQL in place of the ledger
 *     npm run demo -- --check                   all scenarios by itself; fails when one fails
 *     npm run demo -- --check --only NAME,...   some of them; --list names them
 *     npm run demo -- --check --repeat N        each N times
 */
import { parseArgs } from 'node:util';
import { ensurePrograms } from '../../tools/setup.ts';
import type { App } from './app.ts';
import { checkAll } from './check.ts';
import { Cluster } from './cluster.ts';
import { KEYS, press } from './keys.ts';
import { ledgerApp } from './ledger-app.ts';
import { Model } from './model.ts';
import { postgresqlApp } from './postgresql-app.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { Screen } from './screen.ts';
import { drawView } from './view.ts';

const APPS: Readonly<Record<string, App>> = { ledger: ledgerApp, postgresql: postgresqlApp };
const HOST_PROGRAMS = ['ip', 'nft', 'unshare', 'nsenter', 'mount', 'losetup', 'mkfs.ext4', 'ps'];
const APP_PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  ledger: [],
  postgresql: ['postgres', 'pgbench', 'psql'],
};
const USAGE_EXIT = 2;
/** Disks of limited size, so that one can be filled. */
const DISKS = { n1: 512, n2: 512 };

class UsageError extends Error {}

interface Choices {
  readonly app: App;
  readonly check: boolean;
  readonly list: boolean;
  readonly scenarios: readonly Scenario[];
  readonly repeat: number | undefined;
}

function readChoices(words: readonly string[]): Choices {
  const { values } = parseArgs({
    args: [...words],
    options: {
      app: { type: 'string', default: 'ledger' },
      check: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      only: { type: 'string' },
      repeat: { type: 'string' },
    },
  });
  const app = APPS[values.app];
  if (app === undefined) {
    throw new UsageError(`no app "${values.app}"; there are: ${Object.keys(APPS).join(', ')}`);
  }
  const repeat = values.repeat === undefined ? undefined : Number(values.repeat);
  if (repeat !== undefined && !(Number.isInteger(repeat) && repeat >= 1)) {
    throw new UsageError(`--repeat wants a number from 1, not "${values.repeat}"`);
  }
  const { check, list } = values;
  return { app, check, list, repeat, scenarios: chooseScenarios(values.only) };
}

function chooseScenarios(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(',').map((name) => {
    const scenario = SCENARIOS.find((each) => each.name === name);
    if (scenario === undefined) throw new UsageError(`no scenario "${name}"; --list names them`);
    return scenario;
  });
}

async function main(words: readonly string[]): Promise<number> {
  const choices = readChoices(words);
  if (choices.list) {
    for (const { name, title } of SCENARIOS) say(`${name.padEnd(24)}${title}`);
    return 0;
  }
  if (!choices.check && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new UsageError(
      'the live screen needs a terminal. Next: run it in one, or `npm run demo -- --check`',
    );
  }
  if (process.getuid?.() !== 0) {
    throw new UsageError('it makes network namespaces and mounts, which needs root. Next: sudo');
  }
  const only = [...HOST_PROGRAMS, ...(APP_PROGRAMS[choices.app.name] ?? [])];
  if ((await ensurePrograms('demo', { only })).length > 0) return 1;
  if (!choices.check) return showLive(choices.app);
  const { app, scenarios, repeat: rounds } = choices;
  return (await checkAll({ app, scenarios, rounds, print: say })) ? 0 : 1;
}

async function showLive(app: App): Promise<number> {
  // These end the program through its exit handlers, which restore the screen and remove the lab.
  process.on('SIGTERM', () => process.exit(143));
  process.on('SIGHUP', () => process.exit(129));
  say('Making two nodes, a witness and a client, and starting Tako on them ...');
  const cluster = await Cluster.start({ app, disks: DISKS });
  const model = new Model(cluster);
  const screen = new Screen({
    draw: (size) => drawView(model.view(), [...KEYS, { key: 'q', what: 'quit' }], size),
    onKey: (key) => {
      if (key === 'q') model.end();
      else void press(key, cluster, model).then(screen.refresh);
    },
  });
  screen.open();
  try {
    await model.run(screen.refresh);
  } finally {
    screen.close();
  }
  return sayGoodbye(cluster);
}

function sayGoodbye(cluster: Cluster): number {
  const { stats } = cluster.client;
  cluster.destroy();
  const lost = (stats?.lost ?? 0) + (stats?.violations.length ?? 0);
  say(`${stats?.acknowledged ?? 0} ${cluster.app.records} acknowledged, ${lost} lost.`);
  return lost === 0 ? 0 : 1;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage =
    error instanceof UsageError ||
    (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
  if (isUsage) {
    process.stderr.write(`Cannot run the demo: ${(error as Error).message}\n`);
    process.exitCode = USAGE_EXIT;
  } else {
    process.stderr.write(
      `The demo failed: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    process.exitCode = 1;
  }
}
// Whatever still runs in the lab must not keep the program.
process.exit();
