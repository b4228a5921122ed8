/**
 * The status of groups of type `everywhere`: each instance by the word of its own node, and what
 * that makes of the group as a whole. Pure; a node that does not answer is said to be unknown, for
 * its instance may well go on.
 */
import type { EverywhereCore } from '../core/node/everywhere.ts';
import { barOf } from '../core/registry/bars.ts';
import type { GroupStatus, InstanceStatus } from '../protocol/api.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import { resourcesOf } from './resource-view.ts';
import type { StatusSources } from './status-view.ts';

/** For the instances that other nodes tell of. */
export function instanceKey(group: GroupId, node: NodeId): string {
  return `${group} ${node}`;
}

/** The instance of the node that answers. */
export function ownInstance(
  { me, now, onlineSince }: Pick<StatusSources, 'me' | 'now' | 'onlineSince'>,
  group: GroupConfig,
  { engine, reason, state }: EverywhereCore,
): InstanceStatus {
  const since = state === 'online' ? onlineSince.get(group.id) : undefined;
  return { node: me, state, reason, since, resources: resourcesOf(group, engine, now) };
}

export function everywhereStatus(
  sources: StatusSources,
  group: GroupConfig,
  core: EverywhereCore,
): GroupStatus {
  const { record } = core;
  const instances = group.nodes.map((node) => instanceOn(sources, group, { core, node }));
  const { state, reason } = wholeOf(instances, record, core.reason);
  return {
    id: group.id,
    type: 'everywhere',
    instances,
    ...{ state, reason },
    owner: undefined,
    epoch: record?.epoch,
    want: record?.want,
    inSync: {},
    voters: record?.voters.map(({ node }) => node) ?? [],
    standby: record?.standby ?? [],
    banned: record?.banned ?? [],
    cannotLeave: undefined,
    resources: [],
  };
}

function instanceOn(
  sources: StatusSources,
  group: GroupConfig,
  { core, node }: { readonly core: EverywhereCore; readonly node: NodeId },
): InstanceStatus {
  if (node === sources.me) return ownInstance(sources, group, core);
  const told = sources.instances?.get(instanceKey(group.id, node));
  if (told !== undefined) return told;
  const peer = sources.peers.find((report) => report.node === node);
  const heard = peer?.state === 'up' ? 'has not told yet' : 'does not answer';
  const reason = `${node} ${heard}; what runs there goes on by itself`;
  return { node, state: 'unknown', reason, resources: [] };
}

/** What the instances make of the group, with one sentence of why. */
function wholeOf(
  instances: readonly InstanceStatus[],
  record: OwnershipRecord | undefined,
  ownReason: string,
): Pick<GroupStatus, 'state' | 'reason'> {
  if (record === undefined) return { state: 'unknown', reason: ownReason };
  const running = instances.filter(({ state }) => state === 'online').map(({ node }) => node);
  const known = instances.filter(({ state }) => state !== 'unknown');
  const where = running.length === 0 ? 'runs on no node' : `runs on ${running.join(', ')}`;
  if (record.want === 'offline') {
    const state = known.every((one) => one.state === 'stopped') ? 'stopped' : 'stopping';
    return { state, reason: 'an administrator stopped it' };
  }
  const others = instances.filter(({ state }) => state !== 'online');
  const whys = others.map(({ node, reason, state }) => `; not on ${node} (${state}): ${reason}`);
  const reason = where + whys.join('');
  const meant = known.filter(({ node }) => barOf(record, node) === undefined);
  return { state: stateOf(meant, running.length), reason };
}

/** Of the instances that should run and whose nodes answer. */
function stateOf(meant: readonly InstanceStatus[], running: number): GroupStatus['state'] {
  if (meant.length === 0) return running > 0 ? 'stopping' : 'stopped';
  const worst = (['failed', 'blocked'] as const).find((bad) => meant.some((o) => o.state === bad));
  if (worst !== undefined) return worst;
  return meant.every(({ state }) => state === 'online') ? 'online' : 'starting';
}

/** What a person should know of such a group at once. */
export function everywhereFindings(group: GroupStatus): {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
} {
  const { id, instances = [], state, want } = group;
  if (want === 'offline' || state === 'online') return { errors: [], warnings: [] };
  const running = instances.filter((one) => one.state === 'online');
  if (running.length === 0) return { errors: [`group "${id}" runs on no node`], warnings: [] };
  const barred = [...group.standby, ...group.banned];
  const down = instances.filter(
    (one) => !['online', 'unknown'].includes(one.state) && !barred.includes(one.node),
  );
  const warnings = down.map((one) => `group "${id}" is ${one.state} on ${one.node}`);
  return { errors: [], warnings };
}
