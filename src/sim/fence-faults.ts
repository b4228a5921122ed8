/**
 * Fences that do not do what they should, in lives of clusters that have some: drawn by dice of their
 * own. Those that lie come in few lives, for they excuse much (vouched.ts).
 */
import { plus } from '../base/time.ts';
import type { Prng } from '../base/prng.ts';
import type { Config } from '../protocol/config.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { Fault } from './faults.ts';
import type { FenceFault } from './sim-fence.ts';
import type { Swarm } from './swarm.ts';
import type { World } from './world.ts';

const HONEST: readonly FenceFault[] = ['fails', 'hangs', 'silent', 'slow', 'stays-on'];
/** Of how many lives the fences fail at times, and of how many of those they also lie. */
const LIVES = 0.6;
const LIVES_OF_LIES = 0.12;
const TIMES_MAX = 6;
const LASTS_MS = 9000;
/** Somebody turns on again what a fence turned off. */
const BACK_MS = 6000;

export function drawFenceFaults(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  if (config.withoutWitness?.by !== 'fence' || !prng.chance(LIVES)) return [];
  const shapes = prng.chance(LIVES_OF_LIES) ? [...HONEST, 'lies', 'lies'] : HONEST;
  return Array.from({ length: 1 + prng.below(TIMES_MAX) }, (): Fault => {
    const node = prng.pick(config.nodes).id;
    const shape = prng.pick(shapes);
    const [atMs, forMs] = [prng.below(swarm.stormMs), 500 + prng.below(LASTS_MS)];
    return { kind: 'fence', atMs, forMs, node, other: '', link: '', group: '', shape, amount: 0 };
  });
}

export function harmFence(world: World, { node, shape }: Fault): void {
  world.fences.set(node as NodeId, shape as FenceFault);
}

/** What a fence turned off comes back after a while, unless it is to stay off. */
export function turnFencedOn(world: World, prng: Prng): void {
  world.fences.onOff = (node) => {
    const backAt = plus(world.now, prng.below(BACK_MS));
    world.at(backAt, () => {
      if (world.staysOff !== node) world.powerOn(node);
    });
  };
}
