/**
 * The onlooker's view of relations between groups and of capacity: what may never be, what must be
 * when all is settled, and why a group may rightly be down. It knows nothing of plans.
 */
import { barOf } from '../core/registry/bars.ts';
import { leftAlone } from '../core/registry/maintenance.ts';
import type { Config, GroupConfig } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';

export interface PlacedWorld {
  readonly config: Config;
  readonly serving: (group: GroupId) => readonly NodeId[];
  /** Of what is served, nothing has failed. */
  readonly isWhole: (group: GroupId) => boolean;
  readonly isUp: (node: NodeId) => boolean;
  readonly record: (group: GroupId) => OwnershipRecord | undefined;
  /** Enough are up to vote on it. */
  readonly isDecidable: (group: GroupId) => boolean;
}

/** What stands side by side on a node, or exceeds it, and may not (N30). */
export function badNeighbours(
  { groups, nodes }: Config,
  runs: (node: NodeId, group: GroupId) => boolean,
): readonly string[] {
  if (groups.every(({ placement }) => placement === undefined)) return [];
  return nodes.flatMap(({ id: node, capacity = {} }) => {
    const there = groups.filter(({ id }) => runs(node, id));
    const rivals = there.flatMap((a, index) =>
      there
        .slice(0, index)
        .filter((b) => areApart(a, b))
        .map((b) => `${a.id} and ${b.id} must be apart, and both run on ${node}`),
    );
    const excess = Object.entries(capacity).flatMap(([kind, limit]) => {
      const sum = needOf(there, kind);
      return sum > limit ? [`${node} has ${limit} ${kind}, and what runs there needs ${sum}`] : [];
    });
    return [...rivals, ...excess];
  });
}

/** A node on which a group that nobody serves could run, less important ones making room. */
export function couldRunOn(world: PlacedWorld, group: GroupId): NodeId | undefined {
  const unit = unitOf(world.config, group);
  if (unit.some(({ id }) => world.record(id)?.want !== 'online')) return undefined;
  const ids = new Set(unit.map(({ id }) => id));
  const awaited = unit.flatMap(({ placement }) => placement?.after ?? []);
  if (awaited.some((id) => !ids.has(id) && isAwaited(world, id))) return undefined;
  return nodeFor(world, unit, 'pushing');
}

/** Groups that should run on one node, run on several, and could be on one. */
export function splitUnit(world: PlacedWorld, group: GroupId): NodeId | undefined {
  const unit = unitOf(world.config, group);
  const at = new Set(unit.flatMap(({ id }) => world.serving(id)));
  return at.size < 2 ? undefined : nodeFor(world, unit, 'gently');
}

function nodeFor(
  world: PlacedWorld,
  unit: readonly GroupConfig[],
  manner: 'pushing' | 'gently',
): NodeId | undefined {
  const weights = weightsOf(world.config);
  const weight = (id: GroupId): number => weights.get(id) ?? 0;
  const own = Math.max(...unit.map(({ id }) => weight(id)));
  const found = world.config.nodes.find(({ id: node, capacity = {} }) => {
    if (!world.isUp(node) || !unit.every((each) => mayRun(world, each, node))) return false;
    // A node that it should leave is no ground to push others from there.
    const gently = manner === 'gently' || unit.some((each) => isBarred(world, each, node));
    const others = world.config.groups.filter(
      (other) =>
        !unit.includes(other) &&
        (isLeftAt(world, other, node) ||
          (hasPlaceAt(world, other, node) && (gently || weight(other.id) >= own))),
    );
    if (unit.some((each) => others.some((other) => areApart(each, other)))) return false;
    return Object.entries(capacity).every(
      ([kind, limit]) => needOf([...unit, ...others], kind) <= limit,
    );
  });
  return found?.id;
}

function mayRun(world: PlacedWorld, { id, nodes }: GroupConfig, node: NodeId): boolean {
  const record = world.record(id);
  if (record === undefined || !nodes.includes(node)) return false;
  // Nobody moves what is left alone or cannot be voted on, and so none that belong together with it.
  const stays = leftAlone(record) !== undefined || !world.isDecidable(id);
  if (node !== record.owner && stays) return false;
  if (node !== record.owner && isBarred(world, { id }, node)) return false;
  return Object.values(record.inSync).every((copies) => copies.includes(node));
}

/** It runs there, is about to as soon as those run that it comes after, or nobody can move it. */
function hasPlaceAt(world: PlacedWorld, { id, placement }: GroupConfig, node: NodeId): boolean {
  if (world.serving(id).includes(node)) return true;
  const record = world.record(id);
  if (record?.owner !== node || record.want !== 'online') return false;
  if (!world.isDecidable(id)) return true;
  return placement?.after.some((other) => isAwaited(world, other)) === true;
}

/** It is not online; where it is left alone, nobody mends what has failed of it. */
function isAwaited(world: PlacedWorld, group: GroupId): boolean {
  if (world.serving(group).length === 0) return true;
  return leftAlone(world.record(group)) !== undefined && !world.isWhole(group);
}

/** Nobody moves it, and its place is kept even if it does not run. */
function isLeftAt(world: PlacedWorld, { id }: GroupConfig, node: NodeId): boolean {
  const record = world.record(id);
  return record?.owner === node && leftAlone(record) !== undefined;
}

function isBarred(world: PlacedWorld, { id }: Pick<GroupConfig, 'id'>, node: NodeId): boolean {
  const record = world.record(id);
  return record !== undefined && barOf(record, node) !== undefined;
}

function areApart(a: GroupConfig, b: GroupConfig): boolean {
  const names = (from: GroupConfig, to: GroupConfig): boolean =>
    from.placement?.apart.includes(to.id) === true;
  return names(a, b) || names(b, a);
}

/** Whole numbers in the lives that are drawn. */
function needOf(groups: readonly GroupConfig[], kind: string): number {
  return groups.reduce((sum, { placement }) => sum + (placement?.needs[kind] ?? 0), 0);
}

function unitOf({ groups }: Config, group: GroupId): readonly GroupConfig[] {
  const unit = new Set([group]);
  for (const id of unit) {
    for (const other of groups) {
      const mine = groups.find((each) => each.id === id)?.placement?.together.includes(other.id);
      if (mine === true || other.placement?.together.includes(id) === true) unit.add(other.id);
    }
  }
  return groups.filter(({ id }) => unit.has(id));
}

/** Of a group: the highest priority in its unit and in all that come after it. */
function weightsOf(config: Config): ReadonlyMap<GroupId, number> {
  const weights = new Map(config.groups.map(({ id, placement }) => [id, placement?.priority ?? 0]));
  const raise = (id: GroupId, to: number): boolean => {
    if ((weights.get(id) ?? 0) >= to) return false;
    weights.set(id, to);
    return true;
  };
  for (let grows = true; grows;) {
    grows = false;
    for (const { id, placement } of config.groups) {
      const weight = weights.get(id) ?? 0;
      for (const mate of unitOf(config, id)) grows = raise(mate.id, weight) || grows;
      for (const before of placement?.after ?? []) grows = raise(before, weight) || grows;
    }
  }
  return weights;
}
