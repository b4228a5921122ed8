/** What the status says of nodes in standby and bans, and of groups that nobody can take over. */
import type { GroupStatus, NodeStatus } from '../protocol/api.ts';
import type { Config } from '../protocol/config.ts';
import type { NodeId } from '../protocol/ids.ts';

/** What a node of an older version reports lacks these fields. */
type Bars = Partial<Pick<GroupStatus, 'standby' | 'banned'>>;

export function standbyOf(
  node: NodeId,
  config: Config,
  groups: readonly GroupStatus[],
): NodeStatus['standby'] {
  const own = config.groups.filter(({ nodes }) => nodes.includes(node)).map(({ id }) => id);
  const known = groups.filter(({ id, epoch }) => own.includes(id) && epoch !== undefined);
  const barred = known.filter(({ standby }: Bars) => standby?.includes(node) === true);
  if (barred.length === 0) return 'no';
  return barred.length === known.length ? 'yes' : 'partly';
}

export function barWarnings(
  nodes: readonly NodeStatus[],
  groups: readonly GroupStatus[],
  config: Config,
): readonly string[] {
  const standby = nodes.flatMap(({ id, standby: how }) => {
    if (how === 'no') return [];
    return [`node ${id} is in standby${how === 'partly' ? ' for some of its groups only' : ''}`];
  });
  const up = new Set(nodes.filter(({ state }) => state === 'up').map(({ id }) => id));
  const alone = groups.flatMap((group) => {
    if (group.want === 'offline' || group.owner === undefined) return [];
    const own = config.groups.find(({ id }) => id === group.id)?.nodes ?? [];
    const others = own.filter((node) => node !== group.owner);
    const barred = others.filter((node) => isBarred(group, node));
    const free = others.filter((node) => up.has(node) && !barred.includes(node));
    if (barred.length === 0 || free.length > 0) return [];
    return [`nobody can take over group "${group.id}" from ${group.owner}`];
  });
  return [...standby, ...alone];
}

function isBarred({ standby = [], banned = [] }: Bars, node: NodeId): boolean {
  return standby.includes(node) || banned.includes(node);
}
