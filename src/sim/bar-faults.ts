/**
 * People who put nodes in standby and ban them from groups, in the middle of everything else: one
 * node or all of them, through whichever node, and lift it again some time later, or do not.
 */
import type { Prng } from '../base/prng.ts';
import type { BarKind } from '../core/registry/bars.ts';
import type { Config } from '../protocol/config.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import type { Fault } from './faults.ts';
import type { Swarm } from './swarm.ts';
import type { World } from './world.ts';

/** In this share of lives. */
const LIVES = 0.4;
const BARS_MAX = 6;
const FORGOTTEN = 0.2;

export function drawBars(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  if (!prng.chance(LIVES)) return [];
  const count = 1 + prng.below(BARS_MAX);
  return Array.from({ length: count }, (): Fault => {
    const [node, other] = [prng.pick(config.nodes).id, prng.pick(config.nodes).id];
    const group = prng.pick(config.groups).id;
    const shape = prng.pick(['standby', 'standby', 'ban'] as const satisfies BarKind[]);
    const atMs = Math.round(prng.below(swarm.stormMs));
    const forMs = prng.pick([100, 800, 2500, 6000]) + prng.below(500);
    const common = { kind: 'bar', node, other, group, shape, link: '' } as const;
    return { ...common, atMs, forMs, amount: prng.float() };
  });
}

/** Asked at `other`, whatever it is doing; a node in standby is that for all of its groups. */
export function bar(world: World, { shape, node, other, group, forMs, amount }: Fault): void {
  const kind = shape as BarKind;
  const concerned = world.config.groups.filter(
    ({ id, nodes }) => nodes.includes(node as NodeId) && (kind === 'standby' || id === group),
  );
  const set = (on: boolean): void => {
    for (const { id } of concerned) {
      world.ask(other as NodeId, id, { type: 'bar', kind, node: node as NodeId, on });
    }
  };
  set(true);
  if (amount >= FORGOTTEN) world.at((world.now + forMs) as typeof world.now, () => set(false));
}

/** Whoever asked for them has them lifted, and asks again when in doubt. */
export function liftAllBars(world: World): void {
  for (const { id } of world.config.groups) {
    const record = world.checkers.history(id).latest;
    if (record !== undefined) lift(world, id, record);
  }
}

function lift(
  world: World,
  group: GroupId,
  { owner, standby = [], banned = [] }: OwnershipRecord,
): void {
  for (const node of standby) {
    world.ask(owner, group, { type: 'bar', kind: 'standby', node, on: false });
  }
  for (const node of banned) {
    world.ask(owner, group, { type: 'bar', kind: 'ban', node, on: false });
  }
}
