/**
 * Lives whose records are in an etcd, and what befalls that: it loses its majority, answers slowly,
 * or is out of one node's reach. Drawn by dice of their own, so that the other lives are what they
 * would be if there were none.
 */
import { Prng } from '../base/prng.ts';
import { plus } from '../base/time.ts';
import type { Config } from '../protocol/config.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { Fault } from './faults.ts';
import type { Swarm } from './swarm.ts';
import type { World } from './world.ts';

/** Of all lives. */
const LIVES = 0.12;
const FAULTS_MAX = 8;

export function drawRegistry(seed: number): 'etcd' | undefined {
  return new Prng(seed ^ 0x7f4b7c45).chance(LIVES) ? 'etcd' : undefined;
}

export function drawEtcdFaults(
  swarm: Pick<Swarm, 'registry' | 'stormMs'>,
  config: Pick<Config, 'nodes'>,
  prng: Prng,
): readonly Fault[] {
  if (swarm.registry === undefined) return [];
  return Array.from({ length: prng.below(FAULTS_MAX + 1) }, (): Fault => {
    const shape = prng.pick(['majority lost', 'majority lost', 'slow', 'out of reach']);
    const node = prng.pick(config.nodes).id;
    const atMs = prng.below(swarm.stormMs);
    const forMs = prng.pick([100, 600, 2000, 8000]) + prng.below(500);
    return {
      ...{ kind: 'etcd', atMs, forMs, node, other: '', link: '', group: '', shape },
      amount: prng.float(),
    };
  });
}

export function harmEtcd(world: Pick<World, 'at' | 'etcd' | 'now'>, fault: Fault): void {
  const { etcd } = world;
  if (etcd === undefined) return;
  const node = fault.node as NodeId;
  const set = (harmed: boolean): void => {
    if (fault.shape === 'majority lost') etcd.setMajority(!harmed);
    else if (fault.shape === 'slow') etcd.slow = harmed;
    else etcd.setCut(node, harmed);
  };
  set(true);
  world.at(plus(world.now, fault.forMs), () => set(false));
}
