/** `maintain n1 | group [web] | cluster [for 5s] [at n2] [because ...]`, and `unmaintain` of the same. */
import { must } from '../../src/base/assert.ts';
import { parseDuration } from '../../src/protocol/config-words.ts';
import type { GroupId, NodeId } from '../../src/protocol/ids.ts';
import { ask, type Place } from '../../src/sim/maintenance-faults.ts';
import type { World } from '../../src/sim/world.ts';

export function setMaintenance(world: World, command: string, words: readonly string[]): void {
  const { groups, nodes } = world.config;
  const because = words.indexOf('because');
  const reason = because === -1 ? undefined : words.slice(because + 1).join(' ');
  const told = because === -1 ? words : words.slice(0, because);
  const after = (word: string): string | undefined => {
    const at = told.indexOf(word);
    return at === -1 ? undefined : told[at + 1];
  };
  const on = must(
    nodes.find(({ id }) => world.node(id)?.answers),
    'a node is on',
  );
  const asked = (after('at') ?? on.id) as NodeId;
  const forMs = parseDuration(after('for') ?? '');
  const entry = {
    by: 'root@n1',
    ...(forMs !== undefined && { forMs }),
    ...(reason !== undefined && { reason }),
  };
  const named = after('group');
  const first = groups.find(({ id }) => id === named) ?? groups[0];
  const place = placeOf(told[0] ?? '', must(first, 'a group').id);
  ask(world, asked, place, command === 'maintain' ? entry : undefined);
}

function placeOf(word: string, group: GroupId): Place {
  if (word === 'cluster') return { scope: 'cluster' };
  if (word === 'group') return { scope: 'group', group };
  return { scope: 'node', node: word as NodeId };
}
