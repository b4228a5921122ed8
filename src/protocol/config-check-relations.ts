/**
 * Checks of the relations between groups and of what they need: names that exist, circles,
 * contradictions, and needs that no node can meet. What passes here has no contradiction for the
 * planner of placement (`../core/placement/problems.ts`), which judges the same once more.
 */
import { CAPACITY_KEY } from './config-schema.ts';
import { type Draft, type DraftGroup, RELATIONS, type Relation } from './config-draft.ts';
import { type ConfigPath, type Findings, suggest } from './config-finding.ts';

export function checkRelations(draft: Draft, out: Findings): void {
  for (const { id, path } of draft.links) {
    if (id !== CAPACITY_KEY) continue;
    out.error({
      path,
      atKey: true,
      found: `a link named "${CAPACITY_KEY}"`,
      expected: 'another name: with a node, this word says what the node has',
      next: 'Rename the link',
    });
  }
  for (const group of draft.groups) {
    for (const word of RELATIONS) checkNames(draft, group, word, out);
    checkNeeds(draft, group, out);
  }
  const units = unitsOf(draft);
  checkApart(draft, units, out);
  checkCommonNode(draft, units, out);
  if (!checkOrder(draft, (id) => id, out)) {
    checkOrder(draft, (id) => units.get(id) ?? id, out);
  }
}

/** By group, the first name among those that it runs together with, by way of others too. */
type Units = ReadonlyMap<string, string>;

function pathOf(group: DraftGroup, word: Relation, name: string): ConfigPath {
  const at = group.relations[word].indexOf(name);
  return at < 0 ? [...group.path, word] : [...group.path, word, at];
}

function checkNames(draft: Draft, group: DraftGroup, word: Relation, out: Findings): void {
  const others = draft.groups.map(({ id }) => id).filter((id) => id !== group.id);
  for (const [i, name] of group.relations[word].entries()) {
    const path = [...group.path, word, i];
    if (name === group.id) {
      out.error({
        path,
        found: `"${name}" itself`,
        expected: 'other groups',
        next: 'Remove it',
      });
    } else if (!others.includes(name)) {
      out.error({
        path,
        found: `the group "${name}", which does not exist`,
        expected: `one of the groups: ${others.join(', ')}`,
        next: suggest(name, others, 'Add it under "groups" or correct the name'),
      });
    } else if (word !== 'after' && isEverywhere(draft, name)) {
      out.error({
        path,
        found: `the group "${name}", which runs on each of its nodes`,
        expected: 'groups that run on one node at a time',
        next: 'Remove it, or use "after": then the instance on the same node is waited for',
      });
    } else if (group.relations[word].indexOf(name) !== i) {
      out.error({
        path,
        found: `"${name}" for the second time`,
        expected: 'each group once',
        next: 'Remove one of the two',
      });
    }
  }
}

function isEverywhere(draft: Draft, name: string): boolean {
  return draft.groups.some(({ id, type }) => id === name && type === 'everywhere');
}

function checkNeeds(draft: Draft, group: DraftGroup, out: Findings): void {
  const own = draft.nodes.filter(({ id }) => group.nodes?.includes(id));
  for (const [kind, amount] of Object.entries(group.needs)) {
    const path = [...group.path, 'needs', kind];
    if (!draft.nodes.some(({ capacity }) => Object.hasOwn(capacity, kind))) {
      const kinds = [...new Set(draft.nodes.flatMap(({ capacity }) => Object.keys(capacity)))];
      out.warning({
        path,
        found: `"${kind}", of which no node has a capacity`,
        expected: 'something that is limited somewhere: this limits nothing',
        next: suggest(kind, kinds, `Give nodes a "${CAPACITY_KEY}" with "${kind}"`),
      });
    } else if (
      own.length > 0 &&
      own.every(({ capacity }) => (capacity[kind] ?? Infinity) < amount)
    ) {
      const most = Math.max(...own.map(({ capacity }) => capacity[kind] ?? 0));
      out.error({
        path,
        found: `${amount}, more than any of its nodes has`,
        expected: `at most ${most}, or a node with more`,
        next: `Lower it, or raise "${CAPACITY_KEY}" of a node`,
      });
    }
  }
}

function unitsOf(draft: Draft): Units {
  const units = new Map(draft.groups.map(({ id }) => [id, id]));
  for (const { id, relations } of draft.groups) {
    for (const other of relations.together) {
      const [mine, theirs] = [units.get(id), units.get(other)];
      if (mine === undefined || theirs === undefined || mine === theirs) continue;
      for (const [each, unit] of units) if (unit === theirs) units.set(each, mine);
    }
  }
  return units;
}

function checkApart(draft: Draft, units: Units, out: Findings): void {
  for (const group of draft.groups) {
    for (const other of group.relations.apart) {
      if (other === group.id || units.get(other) !== units.get(group.id)) continue;
      const direct =
        group.relations.together.includes(other) ||
        draft.groups.some((g) => g.id === other && g.relations.together.includes(group.id));
      out.error({
        path: pathOf(group, 'apart', other),
        found: `"${other}", with which it must run together${direct ? '' : ' by way of others'}`,
        expected: 'groups that are not together with it',
        next: 'Remove one of "apart" and "together"',
      });
    }
  }
}

/** What runs together needs a node that all of it may run on. */
function checkCommonNode(draft: Draft, units: Units, out: Findings): void {
  for (const group of draft.groups) {
    if (units.get(group.id) !== group.id) continue;
    const members = draft.groups.filter(({ id }) => units.get(id) === group.id);
    if (members.length < 2 || members.some(({ nodes }) => nodes === undefined)) continue;
    const common = (group.nodes ?? []).filter((node) =>
      members.every(({ nodes }) => nodes?.includes(node)),
    );
    if (common.length > 0) {
      checkFirstNodes(members, out);
      continue;
    }
    const names = members.map(({ id }) => `"${id}"`).join(', ');
    const told = members.find(({ relations }) => relations.together.length > 0) ?? group;
    out.error({
      path: [...told.path, 'together'],
      found: `${names} together, without a node that is in "nodes" of each of them`,
      expected: 'at least one node that may run all of them',
      next: 'Add a common node to their "nodes", or remove "together"',
    });
  }
}

function firstOf({ nodes }: DraftGroup): string {
  return nodes?.[0] ?? '';
}

/** At the very first start only the first node of each has its data, so none could start. */
function checkFirstNodes(members: readonly DraftGroup[], out: Findings): void {
  const mirrored = members.filter(({ resources }) =>
    resources.some(({ value }) => value?.agent === 'mirror'),
  );
  const [lead] = mirrored;
  const other = mirrored.find(({ nodes }) => nodes?.[0] !== lead?.nodes?.[0]);
  if (lead === undefined || other === undefined) return;
  out.error({
    path: [...other.path, 'nodes'],
    found: `"${firstOf(other)}" first, but "${firstOf(lead)}" for "${lead.id}", which is together with it`,
    expected:
      'the same first node for groups with mirrors that run together: its data count at the first start',
    next: 'Put the same node first',
  });
}

/** Whether there is a circle of `after` between what `whole` makes of the groups. */
function checkOrder(draft: Draft, whole: (id: string) => string, out: Findings): boolean {
  const before = new Map<string, Set<string>>();
  for (const { id, relations } of draft.groups) {
    const own = before.get(whole(id)) ?? new Set();
    const isUnit = draft.groups.some((other) => other.id !== id && whole(other.id) === whole(id));
    for (const other of relations.after) {
      if (!isUnit || whole(other) !== whole(id)) own.add(whole(other));
    }
    before.set(whole(id), own);
  }
  const circle = findCircle(before);
  if (circle === undefined) return false;
  const [first = '', second = ''] = circle;
  const culprit = draft.groups.find(
    ({ id, relations }) =>
      whole(id) === first && relations.after.some((other) => whole(other) === second),
  );
  const name = culprit?.relations.after.find((other) => whole(other) === second) ?? second;
  const members = (id: string): string => {
    const all = draft.groups.filter((group) => whole(group.id) === id).map((group) => group.id);
    return all.length === 1 ? `"${id}"` : `"${all.join('" with "')}"`;
  };
  out.error({
    path: culprit === undefined ? ['groups'] : pathOf(culprit, 'after', name),
    found: `a circle: ${circle.map(members).join(' after ')}`,
    expected: 'an order in which something can start first',
    next: 'Change one "after" of the circle',
  });
  return true;
}

/** Some circle, its first member repeated at the end. */
function findCircle(before: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const visit = (id: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(id)) return [...trail.slice(trail.indexOf(id)), id];
    if (done.has(id)) return undefined;
    for (const other of before.get(id) ?? []) {
      // A group that names itself has been told already.
      const circle = other === id ? undefined : visit(other, [...trail, id]);
      if (circle !== undefined) return circle;
    }
    done.add(id);
    return undefined;
  };
  for (const id of before.keys()) {
    const circle = visit(id, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
