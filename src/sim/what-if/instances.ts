/** Groups of type `everywhere` in a question: where their instances run, and the state to start from. */
import type { GroupStatus } from '../../protocol/api.ts';
import type { GroupConfig } from '../../protocol/config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { World } from '../world.ts';

/** Where all of the group runs. */
export function runsOn(world: World, { id, resources }: GroupConfig): readonly NodeId[] {
  return world.members().filter((member) => {
    const node = world.node(member);
    return resources.every((resource) => node?.runs(`${id}/${resource.id}`) === true);
  });
}

/** Asks for what was recorded of it; `until` waits. */
export function askForInstances(
  world: World,
  group: GroupConfig,
  told: Partial<GroupStatus>,
  until: (so: () => boolean) => void,
): void {
  const { id, nodes } = group;
  const [first] = nodes;
  if (first === undefined) return;
  const bars = [
    ...(told.standby ?? []).map((node) => ({ kind: 'standby' as const, node })),
    ...(told.banned ?? []).map((node) => ({ kind: 'ban' as const, node })),
  ];
  for (const { kind, node } of bars) world.ask(first, id, { type: 'bar', kind, node, on: true });
  if (told.want === 'offline') world.ask(first, id, { type: 'stop' });
  const barred = bars.map(({ node }) => node);
  const wanted = told.want === 'offline' ? [] : nodes.filter((node) => !barred.includes(node));
  until(() => names(runsOn(world, group)) === names(wanted));
}

/** What of the status the simulated group does not show, in sentences. */
export function instancesDiffer(
  world: World,
  group: GroupConfig,
  { instances = [], want }: GroupStatus,
): readonly string[] {
  const live = instances.filter(({ state }) => state === 'online').map(({ node }) => node);
  // Nobody knows what a node does that does not answer: it is off here.
  const off = instances.filter(({ state }) => state === 'unknown').map(({ node }) => node);
  const made = runsOn(world, group).filter((node) => !off.includes(node));
  const record = world.checkers.history(group.id).latest;
  const pairs = [
    ['the wish', want ?? 'none', record?.want ?? 'none'],
    ['where it runs', names(live), names(made)],
  ] as const;
  return pairs
    .filter(([, told, found]) => told !== found)
    .map(([what, told, found]) => {
      return `Group ${group.id}: ${what}: ${told}; simulated from: ${found}`;
    });
}

/** Why it does not run on nodes that are on, by their own words; undefined where it runs on all. */
export function whyNotEverywhere(world: World, group: GroupConfig): string | undefined {
  const running = runsOn(world, group);
  const missing = group.nodes.filter((node) => !running.includes(node));
  const reasons = missing.map((node) => {
    const core = world.node(node)?.core?.instance(group.id);
    return `${node}: ${core === undefined ? 'it is off' : core.reason}`;
  });
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

function names(nodes: readonly NodeId[]): string {
  return nodes.length === 0 ? 'nowhere' : nodes.toSorted().join(', ');
}
