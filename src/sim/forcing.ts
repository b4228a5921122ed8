/**
 * Operators that force: drawn by dice of their own, so that lives without them are what they would be
 * if there were none. They look and vouch for who is off, or vouch for everybody else without a look;
 * Tako has to refuse what it can know to be wrong. In the end somebody empties what is kept aside.
 */
import type { Prng } from '../base/prng.ts';
import type { Config } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { mirrorsOf } from './checkers.ts';
import type { Fault } from './faults.ts';
import type { Swarm } from './swarm.ts';
import type { World } from './world.ts';

/** Of how many lives somebody forces something, and how often at most. */
const LIVES = 0.15;
const TIMES_MAX = 3;
/** Who vouches for everybody else, whatever they hear. */
const CARELESS = 0.4;

export function drawForcing(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  if (!prng.chance(LIVES)) return [];
  return Array.from({ length: 1 + prng.below(TIMES_MAX) }, (): Fault => {
    const group = prng.pick(config.groups);
    const node = prng.pick(config.nodes).id;
    const shape = prng.chance(CARELESS) ? 'careless' : 'truthful';
    const atMs = prng.below(swarm.stormMs);
    return {
      ...{ kind: 'force', atMs, forMs: 0, node, other: '', link: '', group: group.id, shape },
      amount: prng.float(),
    };
  });
}

export function forceGroup(world: World, { amount, group, node, shape }: Fault): void {
  const id = node as NodeId;
  const others = world.members().filter((other) => other !== id);
  const without = others.filter((other) => world.node(other) === undefined);
  const off = shape === 'careless' ? others : without;
  world.ask(id, group as GroupId, { type: 'force', off, acceptLoss: amount < 0.8 });
}

/** What was given up is saved somewhere, and the directories are emptied. */
export function emptyKept(world: World): void {
  for (const { id } of world.config.groups) {
    for (const mirror of mirrorsOf(world.config, id)) {
      for (const member of world.members()) {
        const copy = world.node(member)?.mirror(`${id}/${mirror}`);
        if (copy?.isKept !== true) continue;
        copy.disk.data = [];
        copy.disk.synced = 0;
      }
    }
  }
}
