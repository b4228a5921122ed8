/** What a scenario shows of a cluster when it is asked to `say`. */
import { type GroupConfig, isEverywhere } from '../../src/protocol/config.ts';
import type { NodeId } from '../../src/protocol/ids.ts';
import type { World } from '../../src/sim/world.ts';

/** One line for each group; named when there are several. */
export function say(world: World): void {
  const { groups } = world.config;
  for (const group of groups) {
    world.note(`** ${groups.length > 1 ? `${group.id} ` : ''}${lineOf(world, group)}`);
  }
}

function lineOf(world: World, group: GroupConfig): string {
  return isEverywhere(group) ? instancesOf(world, group) : ownedBy(world, group);
}

/** Where an instance runs in truth, and what each node says of its own. */
function instancesOf(world: World, { id, resources }: GroupConfig): string {
  const views = world.members().flatMap((member) => {
    const core = world.node(member)?.core?.instance(id);
    return core === undefined ? [] : [`${member} ${core.state}`];
  });
  const running = world.members().filter((member) => {
    return resources.every((resource) => world.node(member)?.runs(`${id}/${resource.id}`) === true);
  });
  return `runs on ${running.join(', ') || 'no node'} (${views.join(', ')})`;
}

function ownedBy(world: World, group: GroupConfig): string {
  const serving = servingOf(world, group);
  const views = world.members().flatMap((id) => {
    const core = world.node(id)?.core?.group(group.id);
    return core === undefined ? [] : [`${id} ${core.phase}`];
  });
  const [owner] = serving;
  const record = owner === undefined ? undefined : world.node(owner)?.core?.group(group.id)?.record;
  const epoch = record === undefined ? '' : ` at epoch ${record.epoch}${copiesOf(record.inSync)}`;
  return `served by ${serving.join(', ') || 'nobody'}${epoch} (${views.join(', ')})`;
}

/** A single mirror needs no name, and a group without one has no copies. */
function copiesOf(inSync: Readonly<Record<string, readonly NodeId[]>>): string {
  const mirrors = Object.entries(inSync);
  const texts = mirrors.map(([mirror, nodes]) =>
    mirrors.length > 1 ? `${mirror} on ${nodes.join(', ')}` : nodes.join(', '),
  );
  return texts.length === 0 ? '' : `, in sync: ${texts.join('; ')}`;
}

/** Where its program runs under a live lease, on top of all its mirrors. */
export function servingOf(world: World, { id, resources }: GroupConfig): readonly NodeId[] {
  const mirrors = resources.filter(({ agent }) => agent === 'mirror');
  return world.members().filter((member) => {
    const node = world.node(member);
    if (node?.holdsLease(id) !== true || !node.runs(`${id}/program`)) return false;
    return mirrors.every((mirror) => node.mirror(`${id}/${mirror.id}`)?.role === 'primary');
  });
}
