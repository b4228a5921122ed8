/**
 * How a group stands before anything is chosen, from its own facts and those of the node that has
 * it, and what speaks against a node for it whatever else runs there. Nothing in here looks at
 * other groups.
 */
import type { Instant } from '../../base/time.ts';
import type { PlacementGroup, PlacementNode } from './types.ts';

/** No node. */
export const NOWHERE = -1;
/** A node that the configuration does not have. */
export const STRANGER = -2;

/** A group as the planner sees it in a round: in later rounds, as the earlier ones would leave it. */
export interface GroupNow {
  readonly input: PlacementGroup;
  /** The owner: an index, {@link NOWHERE} or {@link STRANGER}. Of type `everywhere`: `NOWHERE`. */
  readonly owner: number;
  readonly runs: 'yes' | 'no' | 'unknown';
  /** Of type `everywhere`: where it runs. */
  readonly runsOn: readonly number[];
}

export interface World {
  readonly nodes: readonly PlacementNode[];
  readonly maintenance: boolean;
  readonly now: Instant;
}

export type Obstacle =
  | 'not-allowed'
  | 'banned'
  | 'failed'
  | 'passed'
  | 'stale'
  | 'suspect'
  | 'lost'
  | 'unknown'
  | 'maintenance'
  | 'standby'
  | 'quarantined';

export type Standing =
  /** Wanted offline; `node` is where it still runs. */
  | { readonly kind: 'off'; readonly node: number }
  /** Not touched. It runs, or may run, on `node`. */
  | {
      readonly kind: 'fixed';
      readonly node: number;
      readonly wait: boolean;
      readonly why: string;
    }
  | { readonly kind: 'content'; readonly node: number }
  /** Should leave `node`. Hard: rather runs nowhere than there. */
  | {
      readonly kind: 'leaving';
      readonly node: number;
      readonly obstacle: Obstacle;
      readonly hard: boolean;
    }
  /** Runs nowhere; `lost` is the lost node that had it. */
  | { readonly kind: 'idle'; readonly lost: number };

const IDLE: Standing = { kind: 'idle', lost: NOWHERE };
const OFF: Standing = { kind: 'off', node: NOWHERE };

/**
 * What speaks against starting `group` on `node`, apart from room and neighbours. `stays`: it would
 * stay there in standby if it still ran.
 */
export function obstacleTo(
  group: PlacementGroup,
  node: PlacementNode,
  { allowed, stays }: { readonly allowed: boolean; readonly stays: boolean },
  now: Instant,
): Obstacle | undefined {
  if (!allowed) return 'not-allowed';
  if (isBanned(group, node, now)) return 'banned';
  if (node.state !== 'up') return node.state;
  if (node.maintenance) return 'maintenance';
  if (group.type === 'failover' && group.inSync !== 'no-mirrors') {
    if (!group.inSync.includes(node.id)) return 'stale';
  }
  if (node.standby && !stays) return 'standby';
  if (node.quarantined) return 'quarantined';
  if (group.passedOver?.includes(node.id) === true) return 'passed';
  return group.failedOn.includes(node.id) ? 'failed' : undefined;
}

function isBanned(group: PlacementGroup, node: PlacementNode, now: Instant): boolean {
  return group.bans.some(
    (ban) => ban.node === node.id && (ban.until === undefined || ban.until > now),
  );
}

/** Of a group of type `failover`. */
export function standingOf(
  group: GroupNow,
  world: World,
  allows: (node: number) => boolean,
  problem: string | undefined,
): Standing {
  if (group.owner === STRANGER) {
    if (group.runs === 'no' && group.input.want === 'offline') return OFF;
    const why = 'its owner is not in the configuration, so nobody can tell whether it still runs';
    return { kind: 'fixed', node: NOWHERE, wait: true, why };
  }
  const node = world.nodes[group.owner];
  if (node === undefined) return notRunning(group, undefined, world, problem) ?? IDLE;
  if (node.state === 'lost') {
    const standing = notRunning(group, node, world, problem);
    return standing ?? { kind: 'idle', lost: group.owner };
  }
  if (group.runs === 'no' && group.input.want === 'offline') return OFF;
  if (node.state !== 'up') return silent(group, node);
  if (group.runs === 'no') return notRunning(group, node, world, problem) ?? IDLE;
  if (group.runs === 'unknown') {
    const why = `it is not known whether it has stopped on ${node.id}`;
    return { kind: 'fixed', node: group.owner, wait: true, why };
  }
  return running(group.input, group.owner, world, { allowed: allows(group.owner), problem });
}

/** Of a group of type `everywhere`, on one node. */
export function standingAt(
  group: GroupNow,
  at: number,
  world: World,
  facts: { readonly allowed: boolean; readonly problem: string | undefined },
): Standing {
  const node = world.nodes[at];
  if (node === undefined || node.state === 'lost' || !group.runsOn.includes(at)) {
    return notRunning(group, undefined, world, facts.problem) ?? IDLE;
  }
  if (node.state !== 'up') {
    return { kind: 'fixed', node: at, wait: true, why: `${node.id} ${silence(node)}` };
  }
  return running(group.input, at, world, facts);
}

function silent(group: GroupNow, node: PlacementNode): Standing {
  const why = `its owner ${node.id} ${silence(node)}`;
  return { kind: 'fixed', node: group.runs === 'no' ? NOWHERE : group.owner, wait: true, why };
}

function silence(node: PlacementNode): string {
  if (node.state === 'suspect') return 'is suspect and not yet lost';
  return 'has not been heard of since this node started';
}

function notRunning(
  group: GroupNow,
  owner: PlacementNode | undefined,
  world: World,
  problem: string | undefined,
): Standing | undefined {
  if (group.input.want === 'offline') return OFF;
  const why = maintenanceOf(group.input, owner, world) ?? problem;
  return why === undefined ? undefined : { kind: 'fixed', node: NOWHERE, wait: true, why };
}

function running(
  group: PlacementGroup,
  at: number,
  world: World,
  facts: { readonly allowed: boolean; readonly problem: string | undefined },
): Standing {
  const node = world.nodes[at];
  const maintenance = maintenanceOf(group, node, world);
  if (node === undefined || maintenance !== undefined) {
    return { kind: 'fixed', node: at, wait: false, why: maintenance ?? '' };
  }
  if (group.want === 'offline') return { kind: 'off', node: at };
  if (facts.problem !== undefined) {
    return { kind: 'fixed', node: at, wait: false, why: facts.problem };
  }
  const leaving = (obstacle: Obstacle, hard: boolean): Standing => ({
    kind: 'leaving',
    node: at,
    obstacle,
    hard,
  });
  if (!facts.allowed) return leaving('not-allowed', true);
  if (isBanned(group, node, world.now)) return leaving('banned', true);
  if (node.standby) return leaving('standby', false);
  if (group.failedOn.includes(node.id)) return leaving('failed', false);
  return { kind: 'content', node: at };
}

function maintenanceOf(
  group: PlacementGroup,
  node: PlacementNode | undefined,
  world: World,
): string | undefined {
  if (world.maintenance) return 'the cluster is in maintenance';
  if (group.maintenance) return 'it is in maintenance';
  return node?.maintenance === true ? `its node ${node.id} is in maintenance` : undefined;
}

/** When one of its bans ends next. */
export function nextBanEnd(group: PlacementGroup, now: Instant): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { until } of group.bans)
    if (until !== undefined && until > now && until < next) next = until;
  return next;
}
