/**
 * Groups of type `everywhere` in plans of placement: others may come after them. Such a group takes
 * no room and is apart from nobody; which instances run on other nodes is not known for sure, so a
 * node that should run one is taken to do so, and whoever starts looks at the one on its own node.
 */
import type { GroupConfig } from '../../protocol/config.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import type { EverywhereGroup } from '../placement/types.ts';
import { barOf } from '../registry/bars.ts';

/** What this node's core of such a group knows. */
export interface InstanceFacts {
  readonly record: OwnershipRecord | undefined;
  /** This node's instance. */
  readonly online: boolean;
  /** Something of it runs on this node, or may. */
  readonly present: boolean;
}

export function sameInstance(a: InstanceFacts | undefined, b: InstanceFacts): boolean {
  return a?.record === b.record && a?.online === b.online && a.present === b.present;
}

/** Whether an instance of it may run on that node, when the group is wanted. */
function mayRunOn(group: GroupConfig, { record }: InstanceFacts, node: NodeId): boolean {
  if (!group.nodes.includes(node)) return false;
  return record === undefined || barOf(record, node) === undefined;
}

export function everywhereInput(
  group: GroupConfig,
  facts: InstanceFacts,
  around: { readonly me: NodeId; readonly isUp: (node: NodeId) => boolean },
): EverywhereGroup {
  const { id, nodes } = group;
  const running = (node: NodeId): boolean =>
    node === around.me
      ? facts.present
      : facts.record?.want === 'online' && around.isUp(node) && mayRunOn(group, facts, node);
  const banned = nodes.filter((node) => facts.record?.banned?.includes(node));
  return {
    ...{ id, type: 'everywhere', want: facts.record?.want ?? 'online', maintenance: false },
    ...{ priority: 0, demand: {}, preferred: nodes, allowed: nodes, failedOn: [] },
    bans: banned.map((node) => ({ node, until: undefined })),
    ...{ apart: [], after: [], runsOn: nodes.filter(running) },
  };
}

/** What keeps a group on this node waiting that comes after it; undefined: nothing. */
export function awaitedInstance(
  group: GroupConfig,
  { online, record }: InstanceFacts,
  me: NodeId,
): string | undefined {
  if (online) return undefined;
  if (!group.nodes.includes(me)) return `never runs on ${me}`;
  if (record?.want === 'offline') return 'is wanted offline';
  const barred = record === undefined ? undefined : barOf(record, me);
  return barred === undefined ? `is not online on ${me} yet` : `does not run here: ${me} ${barred}`;
}

/** Whether all that run everywhere, of those that a group comes after, may run on that node. */
export function hostsOf(
  group: GroupConfig,
  groups: readonly GroupConfig[],
  instances: ReadonlyMap<GroupId, InstanceFacts>,
): (node: NodeId) => boolean {
  const after = (group.placement?.after ?? []).filter((id) => instances.has(id));
  const named = after.length === 0 ? [] : groups.filter(({ id }) => after.includes(id));
  return (node) =>
    named.every((other) => {
      const facts = instances.get(other.id);
      return facts === undefined || mayRunOn(other, facts, node);
    });
}
