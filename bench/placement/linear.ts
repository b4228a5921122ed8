/**
 * What the planner is measured against: the plain pass over all groups and nodes. By priority, each
 * group takes the best node by its order of preference that has room. No stickiness, no relations
 * between groups, no reasons, nothing kept: less than the planner does, in the obvious way.
 */
import { must } from '../../src/base/assert.ts';
import type {
  PlacementGroup,
  PlacementInput,
  PlacementNode,
} from '../../src/core/placement/types.ts';
import type { NodeId } from '../../src/protocol/ids.ts';

export function linearPass(input: PlacementInput): ReadonlyMap<string, NodeId> {
  const used = new Map(input.nodes.map(({ id }) => [id, new Map<string, number>()]));
  const placed = new Map<string, NodeId>();
  for (const group of input.groups.toSorted((a, b) => b.priority - a.priority)) {
    let best: PlacementNode | undefined;
    let bestPlace = Number.POSITIVE_INFINITY;
    for (const node of input.nodes) {
      const place = placeOf(group, node);
      if (place >= bestPlace || !fits(group, node, must(used.get(node.id), 'of all nodes')))
        continue;
      best = node;
      bestPlace = place;
    }
    if (best === undefined) continue;
    placed.set(group.id, best.id);
    const load = must(used.get(best.id), 'of all nodes');
    for (const [kind, amount] of Object.entries(group.demand)) {
      load.set(kind, (load.get(kind) ?? 0) + amount);
    }
  }
  return placed;
}

/** Its place in the order of preference; infinite where the group may not start. */
function placeOf(group: PlacementGroup, node: PlacementNode): number {
  if (node.state !== 'up' || node.standby) return Number.POSITIVE_INFINITY;
  if (group.allowed !== 'any' && !group.allowed.includes(node.id)) return Number.POSITIVE_INFINITY;
  const place = group.preferred.indexOf(node.id);
  return place < 0 ? group.preferred.length : place;
}

function fits(
  group: PlacementGroup,
  node: PlacementNode,
  load: ReadonlyMap<string, number>,
): boolean {
  for (const kind in group.demand) {
    const limit = node.capacity[kind] ?? Number.POSITIVE_INFINITY;
    if ((load.get(kind) ?? 0) + (group.demand[kind] ?? 0) > limit) return false;
  }
  return true;
}
