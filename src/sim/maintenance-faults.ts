/**
 * People who have groups, nodes or the whole cluster left alone, in the middle of everything else,
 * through whichever node, and end it some time later, or let it end by its time, or forget it.
 */
import { must } from '../base/assert.ts';
import { parseCivilTime } from '../base/civil-time.ts';
import type { Prng } from '../base/prng.ts';
import type { MaintenanceChange } from '../core/registry/maintenance.ts';
import type { Config } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { Maintenance } from '../protocol/record.ts';
import type { WeekMinute } from '../protocol/week-window.ts';
import type { Fault } from './faults.ts';
import type { Swarm } from './swarm.ts';
import type { World } from './world.ts';

/** In this share of lives. */
const LIVES = 0.35;
const TIMES_MAX = 4;
const FORGOTTEN = 0.25;
/** Of the others, those that end by their time. */
const TIMED = 0.6;
/** Noon of the first of January 2026: what the clocks on the walls show when a world begins. */
const CIVIL_MS = must(parseCivilTime('2026-01-01T12:00:00Z'), 'a time');

export type Place = Pick<Maintenance, 'scope' | 'node'> & { readonly group?: GroupId | undefined };

export function drawMaintenance(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  if (!prng.chance(LIVES)) return [];
  const count = 1 + prng.below(TIMES_MAX);
  return Array.from({ length: count }, (): Fault => {
    const [node, other] = [prng.pick(config.nodes).id, prng.pick(config.nodes).id];
    const group = prng.pick(config.groups).id;
    const shape = prng.pick(['group', 'node', 'cluster'] as const);
    const atMs = Math.round(prng.below(swarm.stormMs));
    const forMs = prng.pick([200, 1500, 5000, 12_000]) + prng.below(500);
    const common = { kind: 'maintain', node, other, group, shape, link: '' } as const;
    return { ...common, atMs, forMs, amount: prng.float() };
  });
}

export function maintain(world: World, { shape, node, other, group, forMs, amount }: Fault): void {
  const scope = shape as Maintenance['scope'];
  const place = placeOf(scope, node as NodeId, group as GroupId);
  const asked = other as NodeId;
  world.coverage.hit(`maintenance ${scope}`);
  if (amount < FORGOTTEN) return ask(world, asked, place, { by: 'nobody' });
  if (amount < TIMED) return ask(world, asked, place, { by: 'somebody', forMs });
  ask(world, asked, place, { by: 'somebody' });
  world.at((world.now + forMs) as typeof world.now, () => ask(world, asked, place, undefined));
}

/** Asked at one node, for all groups that it concerns; `entry` undefined ends it. */
export function ask(
  world: World,
  asked: NodeId,
  place: Place,
  entry: { readonly by: string; readonly forMs?: number; readonly reason?: string } | undefined,
): void {
  tellCivilTime(world);
  const { scope, node, group } = place;
  const sinceMs = CIVIL_MS + world.now;
  const until = entry?.forMs === undefined ? {} : { untilMs: sinceMs + entry.forMs };
  const reason = entry?.reason === undefined ? {} : { reason: entry.reason };
  const full =
    entry === undefined ? undefined : { scope, node, sinceMs, by: entry.by, ...until, ...reason };
  const change: MaintenanceChange = { type: 'maintain', scope, node, entry: full };
  for (const { id, nodes } of world.config.groups) {
    const concerned =
      node === undefined ? scope === 'cluster' || id === group : nodes.includes(node);
    if (concerned) world.ask(asked, id, change);
  }
}

/** A control that was restarted learns the time within a minute; here when it is told again. */
export function tellCivilTime(world: World): void {
  for (const { id } of world.config.nodes) {
    const civilMs = CIVIL_MS + world.now;
    world.node(id)?.tell({ type: 'calendar', weekMinute: 0 as WeekMinute, civilMs });
  }
}

/** Whoever asked for it ends it, and asks again when in doubt. */
export function endAllMaintenance(world: World): void {
  for (const { id } of world.config.groups) {
    const record = world.checkers.history(id).latest;
    for (const { scope, node } of record?.maintenance ?? []) {
      const change: MaintenanceChange = { type: 'maintain', scope, node, entry: undefined };
      if (record !== undefined) world.ask(record.owner, id, change);
    }
  }
}

function placeOf(scope: Maintenance['scope'], node: NodeId, group: GroupId): Place {
  if (scope === 'group') return { scope, group };
  return scope === 'node' ? { scope, node } : { scope };
}
