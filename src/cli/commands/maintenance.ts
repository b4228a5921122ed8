/**
 * `tako maintenance on|off`: a group, a node or the cluster is left alone. Before, it is spelled out
 * what is not done while it lasts, or what will be done when it ends; a person says yes to that.
 */
import type { Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { ClusterStatus, GroupStatus, MaintenanceRequest } from '../../protocol/api.ts';
import { DURATION_WANTED, parseDuration } from '../../protocol/config-words.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';
import { plain } from '../render/event.ts';

interface Options extends ClientOptions {
  readonly group?: string | undefined;
  readonly node?: string | undefined;
  readonly cluster?: boolean | undefined;
  readonly for?: string | undefined;
  readonly reason?: string | undefined;
  readonly yes?: boolean | undefined;
}

export function addMaintenanceCommands(program: Command, context: CommandContext): void {
  const maintenance = program
    .command('maintenance')
    .description('have a group, a node or the cluster left alone: watched, but not touched');
  const on = maintenance.command('on').description('from now on nothing is done by itself');
  on.option('--for <time>', 'it ends by itself after that, such as 2h').option(
    '--reason <text>',
    'why, for whoever looks at the status',
  );
  const off = maintenance
    .command('off')
    .description('everything is looked at afresh, and what should run is started');
  for (const command of [on, off]) {
    command
      .option('--group <group>', 'of that group')
      .option('--node <node>', 'of that node: what it runs, and what it could be given')
      .option('--cluster', 'of all groups')
      .option('--yes', 'do not ask');
    withRunDir(command, context).action(async (options: Options) => {
      await carryOut(context, options, command === on);
    });
  }
}

async function carryOut(context: CommandContext, options: Options, on: boolean): Promise<void> {
  const { world } = context;
  const request = requestOf(context, options, on);
  const client = await clientOf(context, options);
  const concerned = concernedBy(request, await client.status());
  const lines = on ? stakesOf(request, concerned) : recoveriesOf(concerned);
  world.out(`${lines.map((line) => `  - ${plain(line)}\n`).join('')}`);
  if (options.yes !== true) {
    const typed = await world.ask('Type "yes" to go on: ');
    if (typed?.trim() !== 'yes') {
      throw new TakoError('bad-request', 'Nothing was done: "yes" was not typed', {
        next: 'Type yes, or add --yes where nobody can be asked',
      });
    }
  }
  world.out(`${plain(await client.maintain(request))}\n`);
}

function requestOf({ world }: CommandContext, options: Options, on: boolean): MaintenanceRequest {
  const { cluster, for: forTime, group, node, reason } = options;
  const given = [group, node, cluster === true ? 'cluster' : undefined];
  if (given.filter((word) => word !== undefined).length !== 1) {
    throw new TakoError('bad-request', 'Maintenance is of one group, one node, or the cluster', {
      next: 'Give exactly one of --group, --node and --cluster',
    });
  }
  const forMs = forTime === undefined ? undefined : parseDuration(forTime);
  if (forTime !== undefined && (forMs === undefined || forMs < 1000)) {
    throw new TakoError('bad-request', `--for: found "${forTime}", expected ${DURATION_WANTED}`, {
      next: 'Give a time of at least 1s, such as 2h',
    });
  }
  const { SUDO_USER, USER } = world.environment;
  const by = SUDO_USER ?? USER;
  const place =
    group !== undefined
      ? ({ scope: 'group', group: group as GroupId } as const)
      : node !== undefined
        ? ({ scope: 'node', node: node as NodeId } as const)
        : ({ scope: 'cluster' } as const);
  return {
    ...place,
    on,
    ...(forMs !== undefined && { forMs }),
    ...(by !== undefined && { by }),
    ...(reason !== undefined && { reason }),
  };
}

/** Groups that are left alone by it, as they are now. */
function concernedBy(request: MaintenanceRequest, status: ClusterStatus): readonly GroupStatus[] {
  const { group, node, scope } = request;
  if (scope === 'group') return status.groups.filter(({ id }) => id === group);
  const moving = status.groups.filter(({ type }) => type !== 'everywhere');
  return moving.filter(({ owner }) => scope === 'cluster' || owner === node);
}

function stakesOf(
  { forMs, node, scope }: MaintenanceRequest,
  groups: readonly GroupStatus[],
): readonly string[] {
  const names = groups.map(({ id }) => `"${id}"`).join(', ');
  const what = groups.length === 0 ? 'no group at present' : names;
  const given =
    scope === 'node' ? [`${node} takes nothing over from other nodes, and is handed nothing`] : [];
  return [
    `left alone: ${what}`,
    'what fails is told, but not restarted; if the node that runs it dies, nobody takes over',
    'what is wanted elsewhere (failback, standby) stays where it is',
    'a node that reboots, or whose Tako is stopped, stops its groups; nothing starts them again',
    'a node that loses its lease suspends its groups at once, and stops them when the grace is over',
    ...given,
    'what you ask for is done: start, stop, move, force; copies are kept in sync as ever',
    forMs === undefined
      ? 'it lasts until "tako maintenance off"'
      : 'it ends by itself; what does not run then is started',
  ];
}

function recoveriesOf(groups: readonly GroupStatus[]): readonly string[] {
  const left = groups.filter(({ maintenance, want }) => want !== 'offline' && maintenance?.length);
  const down = left.flatMap((group) => {
    const parts = group.resources.filter(({ state }) => state !== 'online');
    if (parts.length === 0) return [];
    const which = parts.map(({ id, state }) => `${id} (${state})`).join(', ');
    return [`"${group.id}" does not run whole and is recovered: ${which}`];
  });
  return [
    'everything is looked at afresh, also what was stopped or started by hand',
    ...(down.length === 0 ? ['all that should run was found running'] : down),
    'what runs where it should not is stopped; failures, losses and failback count again',
  ];
}
