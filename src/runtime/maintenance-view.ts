/** What the status says of maintenance: one warning for each, however many groups it concerns. */
import { describeMaintenance, placeWords } from '../core/node/maintenance-words.ts';
import { isSamePlace } from '../core/registry/maintenance.ts';
import type { GroupStatus } from '../protocol/api.ts';
import { formatDuration } from '../protocol/config-words.ts';
import { type Config, isEverywhere } from '../protocol/config.ts';
import type { NodeId } from '../protocol/ids.ts';

export function isNodeMaintained(node: NodeId, groups: readonly GroupStatus[]): boolean {
  return groups.some(({ maintenance = [] }) =>
    maintenance.some((entry) => entry.scope === 'cluster' || entry.node === node),
  );
}

export function maintenanceWarnings(
  groups: readonly GroupStatus[],
  { groups: configured, maintenanceWarnMs: limit }: Config,
  nowMs: number | undefined,
): readonly string[] {
  const all = groups.flatMap((group) =>
    (group.maintenance ?? []).map((entry) => ({ group: group.id, entry })),
  );
  const first = all.filter(({ entry, group }, index) => {
    if (entry.scope === 'group') return true;
    const same = all.findIndex((other) => isSamePlace(other.entry, entry));
    return same === index || all[same]?.group === group;
  });
  return first.map(({ group, entry }) => {
    const { node, scope, sinceMs } = entry;
    const own = configured.filter(
      (one) => !isEverywhere(one) && (node === undefined || one.nodes.includes(node)),
    );
    const known = groups.filter(({ id, epoch }) => {
      return epoch !== undefined && own.some((config) => config.id === id);
    });
    const set = all.filter((other) => isSamePlace(other.entry, entry)).length;
    const partly = scope !== 'group' && set < known.length ? ' (some of its groups only)' : '';
    const what = { group: `group "${group}"`, node: `node ${node}`, cluster: 'the cluster' }[scope];
    const long = limit !== undefined && nowMs !== undefined && nowMs - sinceMs > limit;
    const since = long ? `; that is longer than ${formatDuration(limit)}, ` : '';
    const next = long ? `end it with "tako maintenance off ${placeWords(entry, group)}"` : '';
    const told = describeMaintenance({ ...entry, scope: 'group' });
    return `${what} is ${told}${partly}, and left alone${since}${next}`;
  });
}
