/** Maintenance in the words of events and of the status. */
import { formatCivilTime } from '../../base/civil-time.ts';
import type { GroupId } from '../../protocol/ids.ts';
import type { Maintenance } from '../../protocol/record.ts';

/** `in maintenance (node n1) since 2026-01-31 12:00 UTC, until 14:00 ..., by root: new disk`. */
export function describeMaintenance(entry: Maintenance): string {
  const { by, node, reason, scope, sinceMs, untilMs } = entry;
  const where =
    scope === 'node' ? ` with node ${node}` : scope === 'cluster' ? ' with the cluster' : '';
  const until = untilMs === undefined ? '' : `, until ${formatCivilTime(untilMs)}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `in maintenance${where} since ${formatCivilTime(sinceMs)}${until}, by ${by}${why}`;
}

/** How `tako maintenance` is told of that place. */
export function placeWords({ scope, node }: Maintenance, group: GroupId): string {
  if (scope === 'cluster') return '--cluster';
  return scope === 'node' ? `--node ${node}` : `--group ${group}`;
}
