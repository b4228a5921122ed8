/**
 * One random life of a cluster: faults and wishes drawn from the seed, then peace; the promises
 * must hold throughout, and the group must be online with all copies in sync at the end.
 */
import { assert } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';
import { simConfig } from './sim-config.ts';
import { World } from './world.ts';

export interface RunReport {
  readonly seed: number;
  readonly acknowledged: number;
  readonly epoch: number;
  readonly transcript: readonly string[];
}

const GROUP = 'db' as GroupId;
const STEPS = 40;
/** A power-off of the owner right after that of the only other copy loses nothing, but waits. */
const PEACE_MS = 30_000;

/** Throws an `InvariantError` with the seed when a promise is broken. */
export function randomRun(seed: number): RunReport {
  const prng = new Prng(seed);
  const nodes = prng.chance(0.8) ? ['n1', 'n2'] : ['n1', 'n2', 'n3'];
  const witness = nodes.length === 2 ? 'w1' : undefined;
  const config = simConfig({ nodes, witness, groups: [{ id: GROUP, nodes }] });
  const loss = prng.chance(0.5) ? 0 : prng.float() * 0.1;
  const max = prng.chance(0.7) ? 1 : 1 + prng.float() * 30;
  const drift = prng.chance(0.5) ? 0 : config.timing.clockDrift / 2.1;
  const world = new World({ config, seed, loss, delayMs: { min: 0.1, max }, drift });
  try {
    for (const id of world.members()) world.powerOn(id);
    world.advance(3000);
    for (let step = 0; step < STEPS; step += 1) {
      disturb(world, prng);
      world.advance(prng.chance(0.3) ? prng.below(3000) : prng.below(400));
    }
    makePeace(world);
    world.advance(PEACE_MS);
    checkConverged(world);
  } catch (error) {
    const last = world.transcript.slice(-60).join('\n');
    throw new Error(`seed ${seed} at ${world.now} ms: ${String(error)}\n${last}`, { cause: error });
  }
  const epoch = world.node('n1' as NodeId)?.core?.group(GROUP)?.record?.epoch ?? 0;
  const { transcript } = world;
  return { seed, acknowledged: world.acknowledgedCount(`${GROUP}/data`), epoch, transcript };
}

function disturb(world: World, prng: Prng): void {
  const members = world.members();
  const node = prng.pick(members);
  const other = prng.pick(members.filter((id) => id !== node));
  const link = prng.pick(['mirror', 'lan']) as LinkId;
  const fault = prng.below(11);
  world.note(`-- fault ${fault} ${node} ${other} ${link}`);
  switch (fault) {
    case 0:
      return world.powerOff(node);
    case 1:
    case 2:
      return world.powerOn(node);
    case 3:
      return world.node(node)?.freeze();
    case 4:
    case 5:
      return world.node(node)?.thaw();
    case 6:
      return world.cut(link, node, other);
    case 7:
      world.cut(link, node, other);
      return world.cut(link, other, node);
    case 8:
      return world.mendAll();
    case 9:
      return world.node(node)?.kill(GROUP, 'program' as ResourceId);
    default: {
      const owner = world.serving(GROUP)[0] ?? node;
      const to = prng.pick(members);
      return world.ask(owner, GROUP, { type: 'move', to, reason: 'a test asked for it' });
    }
  }
}

function makePeace(world: World): void {
  world.note('-- peace');
  world.mendAll();
  for (const id of world.members()) {
    world.node(id)?.thaw();
    world.powerOn(id);
  }
}

function checkConverged(world: World): void {
  const serving = world.serving(GROUP);
  assert(serving.length === 1, `liveness: ${GROUP} is served by ${serving.length} nodes`);
  for (const owner of serving) {
    const record = world.node(owner)?.core?.group(GROUP)?.record;
    const copies = Object.values(record?.inSync ?? {}).flat();
    const nodes = world.options.config.nodes.length;
    assert(copies.length === nodes, `liveness: in sync are ${copies.join(', ')} of ${nodes}`);
  }
  world.checkNothingLost();
}
