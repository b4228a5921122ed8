/**
 * Brings a simulated cluster into the state that a status tells. Nothing is made up on the way: the
 * production core itself gets there, from an empty cluster, by moves, stops and losses; so every
 * record, lease and vote in it is one that the core can reach. What could not be reached is told.
 */
import type { Instant } from '../../base/time.ts';
import type { ClusterStatus, GroupStatus } from '../../protocol/api.ts';
import { type Config, type GroupConfig, isEverywhere } from '../../protocol/config.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { Maintenance, OwnershipRecord } from '../../protocol/record.ts';
import type { World } from '../world.ts';
import { askForInstances, instancesDiffer, runsOn } from './instances.ts';

/** Longest that one change on the way may take, in virtual time. */
const CHANGE_MS_MAX = 60_000;
const LOOK_MS = 10;
const REST_MS = 2000;
/** A mirror that stays away for the whole simulation. */
const AWAY_MS = 1e9;

/** Where a group is served: everything of it runs there, under a live lease. */
export function servedAt(world: World, { id, resources }: GroupConfig): NodeId | undefined {
  return world.members().find((member) => {
    const node = world.node(member);
    if (node?.holdsLease(id) !== true) return false;
    return resources.every((resource) => {
      const key = `${id}/${resource.id}`;
      return resource.agent === 'mirror' ? node.mirror(key)?.role === 'primary' : node.runs(key);
    });
  });
}

/** The record that a majority chose last. */
export function recordOf(world: World, group: GroupId): OwnershipRecord | undefined {
  return world.checkers.history(group).latest;
}

/** Goes on until that is so, at most so long; whether it is. */
export function advanceUntil(world: World, so: () => boolean, msMax = CHANGE_MS_MAX): boolean {
  const end = (world.now + msMax) as Instant;
  while (!so() && world.now < end) world.advance(LOOK_MS);
  return so();
}

/** What of the status the simulated cluster does not show, in sentences; empty: it is the same. */
export function recreate(world: World, status: ClusterStatus): readonly string[] {
  const { config } = world;
  for (const id of world.members()) world.powerOn(id);
  advanceUntil(world, () => config.groups.every((group) => isUp(world, group)));
  // The copies are on their way into the in-sync set.
  world.advance(REST_MS);
  for (const group of config.groups) {
    const told = status.groups.find(({ id }) => id === group.id);
    if (told !== undefined) placeGroup(world, group, told);
  }
  loseCopies(world, status);
  cutLinks(world, status);
  for (const { id, state } of status.nodes) if (state === 'lost') world.powerOff(id);
  world.advance(REST_MS);
  for (const group of config.groups) countFailures(world, group, status);
  for (const { id, maintenance } of status.groups) maintain(world, id, maintenance ?? []);
  world.advance(REST_MS);
  return config.groups.flatMap((group) => differences(world, group, status));
}

function isUp(world: World, group: GroupConfig): boolean {
  if (isEverywhere(group)) return runsOn(world, group).length === group.nodes.length;
  return servedAt(world, group) !== undefined;
}

function placeGroup(world: World, group: GroupConfig, told: GroupStatus): void {
  const { owner, want } = told;
  if (isEverywhere(group)) {
    return askForInstances(world, group, told, (so) => void advanceUntil(world, so));
  }
  const here = servedAt(world, group);
  if (owner !== undefined && here !== undefined && here !== owner) {
    const reason = 'it is there in the state to start from';
    world.ask(here, group.id, { type: 'move', to: owner, reason });
    advanceUntil(world, () => servedAt(world, group) === owner);
    world.advance(REST_MS);
  }
  if (want !== 'offline') return;
  world.ask(servedAt(world, group) ?? group.nodes[0] ?? ('' as NodeId), group.id, { type: 'stop' });
  advanceUntil(world, () => servedAt(world, group) === undefined);
}

/** Copies that are not in sync: their mirror goes away, and the owner votes them out. */
function loseCopies(world: World, status: ClusterStatus): void {
  for (const group of status.groups) {
    const nodes = world.config.groups.find(({ id }) => id === group.id)?.nodes ?? [];
    for (const [mirror, inSync] of Object.entries(group.inSync)) {
      const stale = nodes.filter((id) => !inSync.includes(id) && id !== group.owner);
      for (const id of stale) world.node(id)?.restartMirror(`${group.id}/${mirror}`, AWAY_MS);
    }
  }
}

function cutLinks(world: World, status: ClusterStatus): void {
  for (const peer of status.nodes) {
    if (peer.state === 'lost') continue;
    for (const { link, state } of peer.links) {
      if (state === 'lost') changeLink(world, { type: 'cut', link, ends: [status.node, peer.id] });
    }
  }
}

/** A direct link loses and finds its carrier with it. */
export function changeLink(
  world: World,
  change: {
    readonly type: 'cut' | 'mend';
    readonly link: Config['links'][number]['id'];
    /** None: of all members. */
    readonly ends: readonly NodeId[];
  },
): void {
  const { type, link } = change;
  const ends = change.ends.length === 0 ? world.members() : change.ends;
  for (const from of ends) {
    for (const to of ends) if (from !== to) world[type](link, from, to);
  }
  const direct = world.config.links.find(({ id }) => id === link)?.direct === true;
  if (direct) world.plug(link, ends, type === 'mend');
}

/** Restarts within the present window count: so many have happened here too. */
function countFailures(world: World, group: GroupConfig, status: ClusterStatus): void {
  const told = status.groups.find(({ id }) => id === group.id);
  for (const { id, restarts, agent } of told?.resources ?? []) {
    if (agent !== 'process') continue;
    for (let done = 0; done < restarts; done += 1) {
      const node = servedAt(world, group);
      if (node === undefined) return;
      world.node(node)?.kill(group.id, id);
      advanceUntil(world, () => servedAt(world, group) !== undefined);
    }
  }
}

/** Its time may be over by the clock of the cluster that is asked about: here it lasts. */
function maintain(world: World, group: GroupId, entries: readonly Maintenance[]): void {
  const asked = world.config.nodes.find(({ id }) => world.node(id) !== undefined);
  if (asked === undefined || world.config.groups.every(({ id }) => id !== group)) return;
  for (const { untilMs: _ends, ...entry } of entries) {
    const { scope, node } = entry;
    world.ask(asked.id, group, { type: 'maintain', scope, node, entry });
  }
}

function differences(world: World, group: GroupConfig, status: ClusterStatus): readonly string[] {
  const told = status.groups.find(({ id }) => id === group.id);
  if (told === undefined) return [`Group ${group.id}: the state to start from does not have it`];
  if (isEverywhere(group)) return instancesDiffer(world, group, told);
  const record = recordOf(world, group.id);
  const pairs: readonly (readonly [string, string, string])[] = [
    ['the owner', told.owner ?? 'nobody', record?.owner ?? 'nobody'],
    ['the wish', told.want ?? 'none', record?.want ?? 'none'],
    ['maintenance', scopes(told.maintenance), scopes(record?.maintenance)],
    ['votes', list(told.voters), list(record?.voters.map(({ node }) => node) ?? [])],
    ...Object.entries(told.inSync).map(
      ([mirror, nodes]) =>
        [
          `copies of ${mirror} in sync`,
          list(nodes),
          list(Object.entries(record?.inSync ?? {}).find(([id]) => id === mirror)?.[1] ?? []),
        ] as const,
    ),
    [
      'whether it runs',
      told.state === 'online' ? 'yes' : `no (${told.state})`,
      servedAt(world, group) !== undefined
        ? 'yes'
        : `no (${told.state === 'online' ? 'down' : told.state})`,
    ],
  ];
  return pairs
    .filter(([, live, made]) => live !== made)
    .map(([what, live, made]) => `Group ${group.id}: ${what}: ${live}; simulated from: ${made}`);
}

function scopes(entries: readonly Maintenance[] = []): string {
  return list(entries.map(({ scope, node }) => (node === undefined ? scope : `node ${node}`)));
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.toSorted().join(', ');
}
