/**
 * `tako standby NODE`: its groups move away one after the other, and none comes until
 * `tako unstandby NODE`. The former tells how it goes and ends when nothing is left to move.
 */
import type { Command } from 'commander';
import { TakoError } from '../../base/tako-error.ts';
import type { ApiClient } from '../../ports/api-client.ts';
import type { GroupStatus } from '../../protocol/api.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import {
  type ClientOptions,
  clientOf,
  type CommandContext,
  withRunDir,
} from '../command-context.ts';

const POLL_MS = 200;
/** Nothing changed for so long: a stop takes its time, or hangs. */
const STILL_MS = 300_000;
/** Of an instance that no longer has to leave, as far as anybody can tell. */
const RESTS: readonly GroupStatus['state'][] = ['stopped', 'unknown'];

interface StandbyOptions extends ClientOptions {
  readonly wait: boolean;
}

export function addStandbyCommands(program: Command, context: CommandContext): void {
  const standby = program
    .command('standby')
    .description('move all groups away from a node, and give it none until "unstandby"')
    .argument('<node>', 'name of the node')
    .option('--no-wait', 'end when it is recorded, not when the groups have moved');
  withRunDir(standby, context).action(async (node: string, options: StandbyOptions) => {
    const client = await clientOf(context, options);
    // Before, for they may have moved by the next look.
    const { groups } = await client.status();
    const leaving = groups.filter((group) => isThere(group, node as NodeId)).map(({ id }) => id);
    context.world.out(`${await client.standby(node as NodeId, true)}\n`);
    if (options.wait) await drained(client, { node: node as NodeId, leaving }, context);
  });
  const unstandby = program
    .command('unstandby')
    .description('give a node that was in standby groups again')
    .argument('<node>', 'name of the node');
  withRunDir(unstandby, context).action(async (node: string, options: ClientOptions) => {
    const client = await clientOf(context, options);
    context.world.out(`${await client.standby(node as NodeId, false)}\n`);
  });
}

/** Tells each step; throws when something has to stay there. */
async function drained(
  client: ApiClient,
  { node, leaving }: { readonly node: NodeId; readonly leaving: readonly GroupId[] },
  { world }: CommandContext,
): Promise<void> {
  let told = new Map<string, string>();
  let stillMs = 0;
  const moving = new Set<GroupId>(leaving);
  while (!world.interrupted.aborted) {
    const { groups } = await client.status();
    const here = groups.filter((group) => isThere(group, node));
    for (const { id } of here) moving.add(id);
    const now = groups.filter(({ id }) => moving.has(id));
    const lines = new Map(now.map((group) => [group.id, lineOf(group, node)]));
    const news = [...lines].filter(([id, line]) => told.get(id) !== line);
    for (const [, line] of news) world.out(`  ${line}\n`);
    stillMs = news.length > 0 ? 0 : stillMs + POLL_MS;
    told = lines;
    if (here.length > 0 && here.every(({ cannotLeave }) => cannotLeave !== undefined)) {
      throw cannotLeave(here, node);
    }
    if (now.every((group) => !isThere(group, node) && isElsewhere(group))) {
      return world.out(`${node} has nothing left to run\n`);
    }
    if (stillMs >= STILL_MS) throw tooLate(now, node);
    await world.pause(POLL_MS);
  }
}

function isThere({ instances = [], owner, want }: GroupStatus, node: NodeId): boolean {
  const runs = instances.some((one) => one.node === node && !RESTS.includes(one.state));
  return runs || (owner === node && want !== 'offline');
}

/** What runs on each of its nodes need not come online anywhere else. */
function isElsewhere({ state, type }: GroupStatus): boolean {
  return state === 'online' || type === 'everywhere';
}

function lineOf(group: GroupStatus, node: NodeId): string {
  const { cannotLeave: why, id, instances, owner, state } = group;
  const instance = instances?.find((one) => one.node === node);
  if (instance !== undefined) return `"${id}" is ${instance.state} on ${node}`;
  if (owner !== node) return `"${id}" is ${state} on ${owner ?? 'no node'}`;
  return why === undefined ? `"${id}" is ${state} on ${node}` : `"${id}" stays: ${why}`;
}

function cannotLeave(groups: readonly GroupStatus[], node: NodeId): TakoError {
  const names = groups.map(({ id }) => `"${id}"`).join(', ');
  const text = `${node} is in standby, but cannot let go of ${names}`;
  return new TakoError('no-node', `${text}: see the reasons above`, {
    next: `They move as soon as somebody can take them over; "tako unstandby ${node}" takes it back`,
  });
}

function tooLate(groups: readonly GroupStatus[], node: NodeId): TakoError {
  const open = groups.filter((group) => isThere(group, node) || !isElsewhere(group));
  const names = open.map(({ id, state }) => `"${id}" (${state})`).join(', ');
  const text = `${node} is in standby, but nothing changed for ${STILL_MS / 1000} s: ${names}`;
  return new TakoError('timed-out', text, { next: 'See "tako why" of these groups' });
}
