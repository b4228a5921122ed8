/**
 * What a cluster can be expected to survive, so that its liveness is judged fairly: after the storm
 * something may stay broken, and only if that is survivable must every group be online all the
 * same. When all is mended, everything must be.
 */
import type { Prng } from '../base/prng.ts';
import { barOf } from '../core/registry/bars.ts';
import { isMaintained, leftAlone } from '../core/registry/maintenance.ts';
import type { GroupId, NodeId, SeatId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import { isEverywhere } from '../protocol/config.ts';
import { mirrorsOf } from './checkers.ts';
import { disobeyed, withoutEverywhere } from './everywhere-faults.ts';
import { couldRunOn, type PlacedWorld, splitUnit } from './placed-checks.ts';
import { decide } from './votes.ts';
import type { World } from './world.ts';

/** Peace that is not whole: what stays broken, and for whom it must work nevertheless. */
export interface LastingHarm {
  readonly off: NodeId | undefined;
}

/** One member stays off, or none. */
export function drawHarm(world: World, prng: Prng): LastingHarm {
  return { off: prng.chance(0.5) ? prng.pick(world.members()) : undefined };
}

/** Groups that must come online while that harm lasts. */
export function survivable(world: World, harm: LastingHarm): readonly GroupId[] {
  const there = world.members().filter((id) => id !== harm.off);
  const seats = new Map(there.map((id) => [id, world.disk(id).seat]));
  return withoutEverywhere(world.config).groups.flatMap(({ id }) => {
    const records = findable(world, id, there);
    // A first record is made by all.
    if (records.length === 0) return harm.off === undefined ? [id] : [];
    if (harm.off !== undefined && isInDoubt(world, id, there)) return [];
    return records.every((record) => canServe(world, { id, record, seats })) ? [id] : [];
  });
}

/**
 * What a reading may find: the newest chosen record, and votes that some have stored and that may yet
 * be chosen.
 */
function findable(world: World, id: GroupId, there: readonly NodeId[]): readonly OwnershipRecord[] {
  const history = world.checkers.history(id);
  const stored = there.flatMap((node) => {
    const accepted = world.disk(node).entries.get(id)?.accepted;
    if (accepted?.record === undefined || !history.mayCome(accepted.ballot)) return [];
    return [accepted.record];
  });
  if (world.etcd !== undefined) return history.latest === undefined ? [] : [history.latest];
  return history.latest === undefined ? stored : [history.latest, ...stored];
}

/**
 * Somebody was asked to vote for a line that a person has begun, and knows of it only from who is off now:
 * whether it counts, a person has to say.
 */
function isInDoubt(world: World, id: GroupId, there: readonly NodeId[]): boolean {
  return there.some((node) => world.node(node)?.core?.group(id)?.awaitsLine === true);
}

/**
 * Whether the others can do without the votes that this member has stored: they decide without them
 * whatever was chosen or may yet be. Nor may it own a group that it never began to serve: without a
 * memory it can't tell that from a lost disk, and leaves it to a person.
 */
export function dispensable(world: World, member: NodeId): boolean {
  const others = world.members().filter((id) => id !== member);
  const seats = new Map(others.map((id) => [id, world.disk(id).seat]));
  // Of two nodes, one that is to be voted in is needed before any vote says so.
  const voter = { node: member, seat: world.disk(member).seat };
  if (world.config.withoutWitness !== undefined && world.checkers.countedOn(voter)) return false;
  return world.config.groups.every(({ id }) =>
    world.checkers
      .history(id)
      .open.every(
        (record) => canDecide(world, record, seats) && !isUnbegun(world, id, { record, member }),
      ),
  );
}

/**
 * Where the members alone decide, a majority of them does. With a store outside the owner can do
 * without the others, and they without it once they are in every majority of its voters.
 */
function canDecide(
  world: World,
  record: OwnershipRecord,
  seats: ReadonlyMap<NodeId, SeatId>,
): boolean {
  if (world.etcd === undefined) return decide(record, seats);
  if (seats.has(record.owner)) return true;
  const there = record.voters.filter(({ node, seat }) => seats.get(node) === seat);
  return there.length * 2 >= record.voters.length;
}

function isUnbegun(
  world: World,
  id: GroupId,
  { record, member }: { readonly record: OwnershipRecord; readonly member: NodeId },
): boolean {
  if (record.owner !== member) return false;
  const copies = mirrorsOf(world.config, id).map((mirror) => `${id}/${mirror}`);
  return copies.some((key) => world.disk(member).copy(key).note.state === 'empty');
}

/** A majority of each electorate is there, and a copy in sync where it may run. */
function canServe(
  world: World,
  by: {
    readonly id: GroupId;
    readonly record: OwnershipRecord;
    readonly seats: ReadonlyMap<NodeId, SeatId>;
  },
): boolean {
  const { id, record, seats } = by;
  if (record.want !== 'online' || !canDecide(world, record, seats)) return false;
  if (leftAlone(record) !== undefined) return false;
  return copiesThere(world, id, record, seats).some((node) => isAllowed(record, node));
}

/** Nodes that are there and have everything that was acknowledged. */
function copiesThere(
  world: World,
  id: GroupId,
  record: OwnershipRecord,
  there: { has(node: NodeId): boolean },
): readonly NodeId[] {
  const nodes = world.config.groups.find((group) => group.id === id)?.nodes ?? [];
  const mirrors = mirrorsOf(world.config, id);
  return nodes.filter(
    (node) => there.has(node) && mirrors.every((mirror) => record.inSync[mirror]?.includes(node)),
  );
}

function isAllowed(record: OwnershipRecord, node: NodeId): boolean {
  if (node === record.owner) return true;
  return barOf(record, node) === undefined && !isMaintained(record, node);
}

/** Somebody's word keeps it from all who have it, though it was not so when that was looked at first. */
export function isForbidden(world: World, id: GroupId, off: NodeId): boolean {
  const record = world.checkers.history(id).latest;
  if (record === undefined) return false;
  const there = new Set(world.members().filter((node) => node !== off));
  const ready = copiesThere(world, id, record, there);
  return ready.length > 0 && !ready.some((node) => isAllowed(record, node));
}

/** What is not yet as it should be with all mended; undefined when everything is. */
export function unsettled(world: World): string | undefined {
  const wrong = unsettledInstances(world);
  if (wrong !== undefined) return wrong;
  for (const { id, nodes, failback, placement } of withoutEverywhere(world.config).groups) {
    const serving = world.serving(id);
    const record = world.checkers.history(id).latest;
    if (record?.want === 'offline') return `${id} is wanted offline`;
    if (leftAlone(record) !== undefined) return `${id} is in maintenance`;
    const barred = nodes.find((node) => record !== undefined && barOf(record, node) !== undefined);
    if (barred !== undefined) return `${barred} is barred from ${id}`;
    const held = serving.length === 0 && rightlyDown(world, id);
    if (held) {
      const unsure = unsettledVotes(world, id);
      if (unsure !== undefined) return unsure;
      continue;
    }
    if (serving.length !== 1) return `${id} is served by ${serving.length} nodes`;
    const better = splitUnit(placedWorld(world), id);
    if (better !== undefined)
      return `${id} is not where it belongs together, though ${better} could`;
    for (const mirror of mirrorsOf(world.config, id)) {
      const copies = record?.inSync[mirror] ?? [];
      if (copies.length !== nodes.length) return `in sync for ${id} are only ${copies.join(', ')}`;
    }
    // Its first node may have no room for it.
    const free = placement === undefined;
    const away = free && failback.policy !== 'never' && record?.byHand !== true;
    if (away && serving[0] !== nodes[0]) return `${id} has not failed back to ${nodes[0]}`;
    const unsure = unsettledVotes(world, id);
    if (unsure !== undefined) return unsure;
    for (const node of serving) {
      if (!world.node(node)?.runs(`${id}/address`)) return `the address of ${id} is not held`;
    }
  }
  return undefined;
}

/** What is looked at where groups have relations. */
function placedWorld(world: World): PlacedWorld {
  const up = world.members().filter((node) => world.node(node)?.answers === true);
  const seats = new Map(up.map((node) => [node, world.disk(node).seat]));
  const record = (group: GroupId): OwnershipRecord | undefined =>
    world.checkers.history(group).latest;
  return {
    config: world.config,
    serving: (group) => world.serving(group),
    isWhole: (group) =>
      world.serving(group).every((node) => world.node(node)?.runs(`${group}/address`) === true),
    isUp: (node) => up.includes(node),
    record,
    isDecidable: (group) => {
      const latest = record(group);
      return latest !== undefined && canDecide(world, latest, seats);
    },
  };
}

/** Other groups leave no room for it, or it waits for one of them. */
export function rightlyDown(world: World, id: GroupId): boolean {
  const config = world.config.groups.find((group) => group.id === id);
  if (config?.placement === undefined) return false;
  return couldRunOn(placedWorld(world), id) === undefined;
}

function unsettledInstances(world: World): string | undefined {
  for (const { id, nodes } of world.config.groups.filter(isEverywhere)) {
    const record = world.checkers.history(id).latest;
    if (record?.want === 'offline') return `${id} is wanted offline`;
    const barred = nodes.find((node) => record !== undefined && barOf(record, node) !== undefined);
    if (barred !== undefined) return `${barred} is barred from ${id}`;
    const unsure = unsettledVotes(world, id);
    if (unsure !== undefined) return unsure;
  }
  return disobeyed(world, undefined);
}

/** Once all are back for a while, all vote. */
function unsettledVotes(world: World, id: GroupId): string | undefined {
  const record = world.checkers.history(id).latest;
  if (record === undefined) return `${id} has no record`;
  if (record.formerVoters !== undefined) return `the voters of ${id} are being changed`;
  const votes = new Map(record.voters.map(({ node, seat }) => [node, seat]));
  const missing = world.members().filter((node) => votes.get(node) !== world.disk(node).seat);
  return missing.length === 0 ? undefined : `no votes for ${id} have ${missing.join(', ')}`;
}

/** What is left in queues, or differs between copies, once nobody writes any more. */
export function leftOver(world: World): string | undefined {
  if (world.unanswered > 0) return `${world.unanswered} requests have no answer`;
  for (const id of world.members()) {
    const writing = world.node(id)?.writing ?? 0;
    if (writing > 0) return `${id} has ${writing} votes that are not stored`;
  }
  for (const { id, nodes } of world.config.groups) {
    // Copies that nobody serves are brought up to date by nobody.
    if (world.serving(id).length === 0 && rightlyDown(world, id)) continue;
    for (const mirror of mirrorsOf(world.config, id)) {
      const key = `${id}/${mirror}`;
      const copies = nodes.map((node) => world.disk(node).copy(key));
      const pending = nodes.reduce(
        (n, node) => n + (world.node(node)?.mirror(key)?.pending ?? 0),
        0,
      );
      if (pending > 0) return `${pending} writes of ${key} are not acknowledged`;
      const first = copies[0]?.data ?? [];
      for (const [index, { data, partial }] of copies.entries()) {
        const same = data.length === first.length && data.every((value, k) => value === first[k]);
        if (!same || partial)
          return `the copies of ${key} on ${nodes[0]} and ${nodes[index]} differ`;
      }
    }
  }
  return undefined;
}
