/**
 * Groups of type `everywhere` in a life: in some lives there is one, besides the others, and what
 * befalls its programs and what people ask of it comes on top of all else. What must be true of
 * it: on each node that is on and reaches those who decide, its instance runs if the newest chosen
 * record wants it there, and else does not.
 *
 * By dice of its own, so that lives without such a group are what they would be if there were none.
 */
import { Prng } from '../base/prng.ts';
import { barOf } from '../core/registry/bars.ts';
import { type Config, type GroupConfig, isEverywhere } from '../protocol/config.ts';
import type { NodeId, SeatId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import type { Fault, FaultKind } from './faults.ts';
import type { SimGroup } from './sim-config.ts';
import type { Swarm } from './swarm.ts';
import { decide } from './votes.ts';
import type { World } from './world.ts';

/** In this share of lives. */
const LIVES = 0.2;
const ON_SOME_NODES = 0.3;
const FAULTS_MAX = 10;
const SALT = 0x9e3779b9;

const KINDS: readonly { readonly kind: FaultKind; readonly shapes: readonly string[] }[] = [
  { kind: 'kill', shapes: [''] },
  {
    kind: 'agent',
    shapes: [
      'start-fails',
      'start-hangs',
      'stop-fails',
      'stop-hangs',
      'monitor-lies',
      'monitor-fails',
      'monitor-hangs',
      'found-online',
    ],
  },
  { kind: 'operator', shapes: ['move', 'stop', 'stop', 'start'] },
  { kind: 'bar', shapes: ['ban', 'ban', 'standby'] },
];

/** The groups that run on one node at a time. */
export function withoutEverywhere(config: Config): Config {
  return { ...config, groups: config.groups.filter((group) => !isEverywhere(group)) };
}

export function drawEverywhere(seed: number, nodes: readonly string[]): readonly SimGroup[] {
  const prng = new Prng(seed ^ SALT);
  if (!prng.chance(LIVES)) return [];
  const some = nodes.length > 2 && prng.chance(ON_SOME_NODES) ? nodes.slice(1) : nodes;
  return [{ id: 'web', nodes: some, type: 'everywhere' }];
}

export function drawEverywhereFaults(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  const groups = config.groups.filter(isEverywhere);
  if (groups.length === 0) return [];
  return Array.from({ length: 1 + prng.below(FAULTS_MAX) }, (): Fault => {
    const { kind, shapes } = prng.pick(KINDS);
    const { id, nodes } = prng.pick(groups);
    const [node, other] = [prng.pick(nodes), prng.pick(config.nodes).id];
    const atMs = Math.round(prng.below(swarm.stormMs));
    const forMs = prng.pick([200, 1500, 6000]) + prng.below(500);
    // The program is meant; amounts above that mean what such a group does not have.
    const amount = prng.float() * 0.5;
    const common = { kind, node, other, group: id, link: '', shape: prng.pick(shapes) };
    return { ...common, atMs, forMs, amount };
  });
}

/** What is not as the records want it, where only `off` is off; undefined: nothing. */
export function disobeyed(world: World, off: NodeId | undefined): string | undefined {
  const there = world.members().filter((id) => id !== off);
  const seats = new Map(there.map((id) => [id, world.disk(id).seat]));
  for (const group of world.config.groups.filter(isEverywhere)) {
    const record = world.checkers.history(group.id).latest;
    // A first record is made by all; nobody can read one without those who decide.
    if (record === undefined ? off !== undefined : !canRead(world, record, seats)) continue;
    if (record === undefined) return `${group.id} has no record`;
    for (const node of world.config.nodes.map(({ id }) => id)) {
      const barred = barOf(record, node) !== undefined || !group.nodes.includes(node);
      const wanted = record.want === 'online' && !barred;
      const wrong = node === off ? undefined : wrongOn(world, group, { node, wanted });
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

/** A store outside is read without any of the voters. */
function canRead(
  world: World,
  record: OwnershipRecord,
  seats: ReadonlyMap<NodeId, SeatId>,
): boolean {
  return world.etcd !== undefined || decide(record, seats);
}

function wrongOn(
  world: World,
  { id, resources }: GroupConfig,
  { node, wanted }: { readonly node: NodeId; readonly wanted: boolean },
): string | undefined {
  const running = resources.filter((resource) => world.node(node)?.runs(`${id}/${resource.id}`));
  if (wanted && running.length < resources.length) return `${id} does not run on ${node}`;
  return !wanted && running.length > 0 ? `${id} runs on ${node}, where it shall not` : undefined;
}
