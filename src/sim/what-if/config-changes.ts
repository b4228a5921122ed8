/** What another configuration changes, one sentence each, for people. */
import type { Config, GroupConfig } from '../../protocol/config.ts';

export function configChanges(from: Config, to: Config): readonly string[] {
  const lines: string[] = [
    ...listChanges('Node', names(from.nodes), names(to.nodes)),
    ...listChanges('Link', names(from.links), names(to.links)),
    ...listChanges('Group', names(from.groups), names(to.groups)),
  ];
  for (const node of to.nodes) {
    const before = from.nodes.find(({ id }) => id === node.id);
    if (before !== undefined && !isSame(before, node)) lines.push(`Node ${node.id} is changed`);
  }
  if (!isSame(from.witness, to.witness)) lines.push('The witness is another one');
  if (!isSame(from.timing, to.timing)) lines.push('The times of the cluster are changed');
  const before = new Map(from.groups.map((group) => [group.id, group]));
  for (const group of to.groups) {
    const old = before.get(group.id);
    if (old !== undefined) lines.push(...groupChanges(old, group));
  }
  return lines.length === 0 ? ['Nothing is changed by it'] : lines;
}

function groupChanges(from: GroupConfig, to: GroupConfig): readonly string[] {
  if (isSame(from, to)) return [];
  const name = `Group ${to.id}`;
  const lines = listChanges(
    `${name}: resource`,
    names(from.resources),
    names(to.resources),
  ).slice();
  if (!isSame(from.nodes, to.nodes)) {
    lines.push(`${name}: nodes ${to.nodes.join(', ')} (before: ${from.nodes.join(', ')})`);
  }
  for (const resource of to.resources) {
    const old = from.resources.find(({ id }) => id === resource.id);
    if (old !== undefined && !isSame(old, resource)) {
      lines.push(`${name}: resource ${resource.id} is changed`);
    }
  }
  if (!isSame(from.placement, to.placement)) lines.push(`${name}: its words of placement differ`);
  if (!isSame(from.failback, to.failback)) lines.push(`${name}: its failback differs`);
  if (!isSame(from.hooks, to.hooks)) lines.push(`${name}: its hooks differ`);
  return lines.length === 0 ? [`${name} is changed`] : lines;
}

function listChanges(
  what: string,
  from: readonly string[],
  to: readonly string[],
): readonly string[] {
  const [before, after] = [new Set(from), new Set(to)];
  return [
    ...to.filter((id) => !before.has(id)).map((id) => `${what} ${id} is added`),
    ...from.filter((id) => !after.has(id)).map((id) => `${what} ${id} is taken away`),
  ];
}

function names(list: readonly { readonly id: string }[]): readonly string[] {
  return list.map(({ id }) => id);
}

/** Both come from the same reader, so that equal ones are written alike. */
function isSame(some: unknown, other: unknown): boolean {
  return JSON.stringify(some) === JSON.stringify(other);
}
