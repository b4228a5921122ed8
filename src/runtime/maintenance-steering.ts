/**
 * Maintenance as people ask for it. It is recorded in the record of every group that it concerns, by a
 * vote of the node that was asked: any member may.
 */
import { must } from '../base/assert.ts';
import { parseCivilTime } from '../base/civil-time.ts';
import { TakoError } from '../base/tako-error.ts';
import { placeWords } from '../core/node/maintenance-words.ts';
import type { MaintenanceChange } from '../core/registry/maintenance.ts';
import type { Clock } from '../ports/clock.ts';
import type { MaintenanceRequest } from '../protocol/api.ts';
import { type GroupConfig, isEverywhere } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { Maintenance } from '../protocol/record.ts';
import type { BarParts } from './bar-steering.ts';

/** What the clock on the wall shows. */
export function civilMs(clock: Pick<Clock, 'wallTime'>): number {
  return must(parseCivilTime(clock.wallTime()), 'a clock tells the time in ISO 8601');
}

/** Throws `bad-request` for one that makes no sense, `no-quorum` where it could not be recorded. */
export async function setMaintenance(
  { groups, ask }: Pick<BarParts, 'groups' | 'ask'>,
  request: MaintenanceRequest,
  asked: { readonly me: NodeId; readonly nowMs: number },
): Promise<string> {
  const { group, on, scope } = request;
  check(request);
  const concerned = groups.filter(({ id, nodes }) => {
    if (scope === 'group') return id === group;
    return request.node === undefined || nodes.includes(request.node);
  });
  // They are moved nowhere, and each node runs its own; asked for by name, such a group says so.
  const own = concerned.filter((one) => scope === 'group' || !isEverywhere(one));
  const change = changeOf(request, asked);
  let refused: TakoError | undefined;
  const failed: string[] = [];
  const told: string[] = [];
  const set = async ({ id }: GroupConfig): Promise<void> => {
    try {
      told.push(await ask(id, change));
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      if (error.code === 'runs-everywhere') refused = error;
      failed.push(`"${id}": ${error.message}`);
    }
  };
  await Promise.all(own.map(set));
  const words = `tako maintenance ${on ? 'on' : 'off'} ${wordsOf(request)}`;
  if (scope === 'group' && refused !== undefined) throw refused;
  if (failed.length > 0) {
    const what = `Cannot record it for ${failed.length} of ${own.length} groups`;
    throw new TakoError(
      'no-quorum',
      `${what} (${failed.sort().join('; ')}); done for ${told.length}`,
      {
        next: `Run "${words}" again when "tako status" shows a majority of voters`,
      },
    );
  }
  const place = { group: `"${group}"`, node: `node ${request.node}`, cluster: 'the cluster' }[
    scope
  ];
  if (own.length === 0) return `${place} has no groups: there is nothing to leave alone`;
  const others = concerned.filter((one) => !own.includes(one)).map(({ id }) => `"${id}"`);
  const except =
    others.length === 0 ? '' : `; not so ${others.join(', ')}, which runs on each of its nodes`;
  const said = on ? (told[0] ?? 'in maintenance') : 'no longer in maintenance';
  return `${place} is ${said}${except}`;
}

function changeOf(
  { by, forMs, node, on, reason, scope }: MaintenanceRequest,
  { me, nowMs }: { readonly me: NodeId; readonly nowMs: number },
): MaintenanceChange {
  const place = node === undefined ? { scope } : { scope, node };
  if (!on) return { type: 'maintain', ...place, entry: undefined };
  const entry: Maintenance = {
    ...place,
    sinceMs: nowMs,
    by: `${by === undefined || by === '' ? 'an administrator' : by} at ${me}`,
    ...(forMs !== undefined && { untilMs: nowMs + forMs }),
    ...(reason !== undefined && reason !== '' && { reason }),
  };
  return { type: 'maintain', ...place, entry };
}

function check({ group, node, scope }: MaintenanceRequest): void {
  const told = [group, node].filter((name) => name !== undefined).length;
  const fits =
    scope === 'cluster' ? told === 0 : told === 1 && (scope === 'group') === (group !== undefined);
  if (fits) return;
  throw new TakoError('bad-request', 'Maintenance is of one group, one node, or the cluster', {
    next: 'Give exactly one of --group, --node and --cluster',
  });
}

function wordsOf({ scope, group, node }: MaintenanceRequest): string {
  return placeWords({ scope, node, sinceMs: 0, by: '' }, group ?? ('' as GroupId));
}
