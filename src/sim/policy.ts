/**
 * What a cluster can be expected to survive, so that its liveness is judged fairly: after the storm
 * something may stay broken, and only if that is survivable must every group be online all the
 * same. When all is mended, everything must be.
 */
import type { Prng } from '../base/prng.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { mirrorsOf } from './checkers.ts';
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
  const members = world.members();
  const there = members.filter((id) => id !== harm.off);
  if (there.length * 2 <= members.length) return [];
  return world.config.groups.flatMap(({ id, nodes }) => {
    const record = world.checkers.history(id).latest;
    // Before the first start the data of the first node count, and nobody else's.
    if (record === undefined) return nodes[0] !== harm.off ? [id] : [];
    if (record.want !== 'online') return [];
    const mirrors = mirrorsOf(world.config, id);
    const whole = nodes.some(
      (node) =>
        node !== harm.off && mirrors.every((mirror) => record.inSync[mirror]?.includes(node)),
    );
    return whole ? [id] : [];
  });
}

/**
 * Nobody acts because nobody knows: the owner does not know that the group is wanted, or every copy
 * that could take over is on a node that does not know that it may.
 */
export function doesNotKnow(world: World, group: GroupId): boolean {
  const record = world.checkers.history(group).latest;
  const owner = record === undefined ? undefined : world.node(record.owner)?.core?.group(group);
  if (owner?.phase === 'offline') return owner.record?.want !== record?.want;
  return mirrorsOf(world.config, group).every((mirror) =>
    (record?.inSync[mirror] ?? []).every((node) => {
      const view = world.node(node)?.core?.group(group)?.record;
      return view === undefined || view.inSync[mirror]?.includes(node) !== true;
    }),
  );
}

/** What is not yet as it should be with all mended; undefined when everything is. */
export function unsettled(world: World): string | undefined {
  for (const { id, nodes } of world.config.groups) {
    const serving = world.serving(id);
    const record = world.checkers.history(id).latest;
    if (record?.want === 'offline') return `${id} is wanted offline`;
    if (serving.length !== 1) return `${id} is served by ${serving.length} nodes`;
    for (const mirror of mirrorsOf(world.config, id)) {
      const copies = record?.inSync[mirror] ?? [];
      if (copies.length !== nodes.length) return `in sync for ${id} are only ${copies.join(', ')}`;
    }
    for (const node of serving) {
      if (!world.node(node)?.runs(`${id}/address`)) return `the address of ${id} is not held`;
    }
  }
  return undefined;
}

/** What is left in queues, or differs between copies, once nobody writes any more. */
export function leftOver(world: World): string | undefined {
  if (world.unanswered > 0) return `${world.unanswered} requests have no answer`;
  for (const id of world.members()) {
    const writing = world.node(id)?.writing ?? 0;
    if (writing > 0) return `${id} has ${writing} votes that are not stored`;
  }
  for (const { id, nodes } of world.config.groups) {
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
