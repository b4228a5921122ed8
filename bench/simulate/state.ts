/**
 * The saved state of a made cluster, as `tako simulate` reads it: the configuration as Tako keeps it
 * and the status, with every group where the planner placed it. Three voters for each group; a
 * cluster of which every member votes for each group is none of this size.
 */
import { Planner } from '../../src/core/placement/planner.ts';
import type { FailoverGroup } from '../../src/core/placement/types.ts';
import type { ClusterStatus } from '../../src/protocol/api.ts';
import type { Config, GroupConfig, ResourceConfig } from '../../src/protocol/config.ts';
import type { ResourceId } from '../../src/protocol/ids.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import { makeCluster } from '../placement/cluster.ts';

export interface SavedState {
  readonly config: Config;
  readonly status: ClusterStatus;
}

export function makeState(nodeCount: number): SavedState {
  const input = makeCluster(nodeCount, 'narrow');
  const plan = new Planner().plan(input);
  const owners = new Map(plan.placements.map(({ group, target }) => [group, target]));
  const groups = input.groups.filter((group) => group.type === 'failover');
  const bare = simConfig({
    nodes: input.nodes.map(({ id }) => id),
    groups: [{ id: 'model', nodes: ['n0'] }],
    capacity: Object.fromEntries(input.nodes.map(({ id, capacity }) => [id, capacity])),
  });
  const model = bare.groups[0]?.resources ?? [];
  const config = { ...bare, groups: groups.map((group) => configOf(group, model)) };
  const status = {
    cluster: config.cluster,
    node: 'n0',
    time: '2026-11-22T16:07:00.000Z',
    nodes: input.nodes.map(({ id }) => ({ id, role: 'node', state: 'up', reason: '', links: [] })),
    groups: groups.map((group) => statusOf(group, owners.get(group.id))),
  };
  return { config, status: status as unknown as ClusterStatus };
}

function configOf(group: FailoverGroup, model: readonly ResourceConfig[]): GroupConfig {
  const { id, preferred, after, together, apart, priority, demand, inSync } = group;
  const resources = model.filter(({ agent }) => agent !== 'mirror' || inSync !== 'no-mirrors');
  return {
    ...{ id, nodes: preferred, resources },
    failback: { policy: 'never' },
    placement: {
      ...{ after, together, priority, needs: demand },
      apart: apart.flatMap((each) => (each.soft ? [] : [each.group])),
      apartIfPossible: apart.flatMap((each) => (each.soft ? [each.group] : [])),
    },
  };
}

function statusOf(group: FailoverGroup, owner: string | undefined): object {
  const { id, inSync, preferred } = group;
  return {
    id,
    ...(owner === undefined ? { state: 'unknown' } : { state: 'online', owner, epoch: 1 }),
    want: 'online',
    reason: 'online',
    inSync: inSync === 'no-mirrors' ? {} : { ['data' as ResourceId]: inSync },
    voters: preferred,
    standby: [],
    banned: [],
    resources: [],
  };
}
