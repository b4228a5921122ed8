/**
 * What the configuration alone says about placement, compiled once and kept while it stays the
 * same: names become numbers, groups that must be together become units, and units get the rank in
 * which they are decided. Built from sorted names, so it does not depend on the order of any list.
 *
 * A unit's weight is its highest priority, or that of a unit that comes after it, directly or by way
 * of others, if that is higher: what something important rests on is as important. So units that
 * others come after always have a lower rank number than those, unless they go round in a circle:
 * units in or behind one are last among those of their weight.
 */
import { assert, must } from '../../base/assert.ts';
import { chainDepths, connected, handedDown } from './graph.ts';
import { findProblems } from './problems.ts';
import type { Amounts, PlacementGroup, PlacementInput } from './types.ts';

/** Amounts count in thousandths, so that sums are exact whatever their order. */
export const PARTS_PER_UNIT = 1000;

export interface GroupShape {
  readonly index: number;
  readonly id: PlacementGroup['id'];
  /** Rank of its unit. */
  readonly unit: number;
  /** Pairs of a kind of amount and how much of it, in thousandths; none of nothing. */
  readonly demand: readonly (readonly [kind: number, amount: number])[];
  /** `undefined`: any node. */
  readonly allowed: ReadonlySet<number> | undefined;
  readonly apartHard: ReadonlySet<number>;
  readonly apartSoft: ReadonlySet<number>;
  readonly after: readonly number[];
  /** How long the longest chain is that it comes after. */
  readonly depth: number;
}

export interface Unit {
  readonly rank: number;
  readonly everywhere: boolean;
  /** The most important first, and what others come after before those. */
  readonly members: readonly number[];
  readonly weight: number;
  /** Nodes to try: first these, then those of `rest` that are not among them. */
  readonly preferred: readonly number[];
  readonly rest: readonly number[];
  /** Its lead's preferred node, to which it may fail back. */
  readonly home: number | undefined;
  /** Units with a member after one of this unit's. */
  readonly dependents: readonly number[];
  readonly anyApart: boolean;
  readonly anyAfter: boolean;
  /** Why nothing of it is started or moved. */
  readonly problem: string | undefined;
}

export interface Shape {
  readonly nodeIds: readonly PlacementInput['nodes'][number]['id'][];
  readonly nodeIndex: ReadonlyMap<string, number>;
  readonly groups: readonly GroupShape[];
  readonly groupIndex: ReadonlyMap<string, number>;
  readonly units: readonly Unit[];
  readonly kinds: readonly string[];
  /** Per node, one limit per kind, in thousandths; infinite where not declared. */
  readonly capacity: readonly Float64Array[];
  readonly problems: readonly string[];
}

export function compileShape(input: PlacementInput): Shape {
  const nodes = input.nodes.toSorted((a, b) => compare(a.id, b.id));
  const groups = input.groups.toSorted((a, b) => compare(a.id, b.id));
  const nodeIndex = new Map<string, number>(nodes.map(({ id }, index) => [id, index]));
  const groupIndex = new Map<string, number>(groups.map(({ id }, index) => [id, index]));
  assert(nodeIndex.size === nodes.length, 'each node is given once');
  assert(groupIndex.size === groups.length, 'each group is given once');
  const kinds = [...new Set(groups.flatMap(({ demand }) => Object.keys(demand)))].toSorted();
  const names = { nodeIndex, groupIndex };
  const links = linkGroups(groups, groupIndex);
  const ranked = rankUnits(groups, links);
  const found = findProblems(groups, links, ranked);
  const depth = chainDepths(links.after);
  const allNodes = nodes.map((_, index) => index);
  return {
    ...names,
    nodeIds: nodes.map(({ id }) => id),
    kinds,
    capacity: nodes.map((node) => limitsOf(node.capacity, kinds)),
    problems: found.sentences,
    groups: groups.map((group, index) => ({
      index,
      id: group.id,
      unit: must(ranked.rankOf[index], 'every group has a unit'),
      demand: demandOf(group.demand, kinds),
      allowed: group.allowed === 'any' ? undefined : new Set(indexesOf(group.allowed, nodeIndex)),
      apartHard: must(links.apartHard[index], 'one per group'),
      apartSoft: must(links.apartSoft[index], 'one per group'),
      after: must(links.after[index], 'one per group'),
      depth: depth[index] ?? groups.length,
    })),
    units: ranked.units.map(({ members, weight }, rank) => {
      const lead = must(groups[must(members[0], 'a unit has members')], 'an index');
      return {
        rank,
        members,
        weight,
        everywhere: lead.type === 'everywhere',
        ...nodesToTry(lead, nodeIndex, allNodes),
        dependents: must(ranked.dependents[rank], 'one per unit'),
        anyApart: members.some(
          (member) =>
            (links.apartHard[member]?.size ?? 0) + (links.apartSoft[member]?.size ?? 0) > 0,
        ),
        anyAfter: members.some((member) => (links.after[member]?.length ?? 0) > 0),
        problem: found.perUnit[rank],
      };
    }),
  };
}

const NONE: Set<number> = new Set();

export function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The relations between groups, by number; each of together and apart holds both ways. */
export interface Links {
  readonly together: readonly (readonly number[])[];
  readonly apartHard: readonly ReadonlySet<number>[];
  readonly apartSoft: readonly ReadonlySet<number>[];
  readonly after: readonly (readonly number[])[];
}

function linkGroups(
  groups: readonly PlacementGroup[],
  groupIndex: ReadonlyMap<string, number>,
): Links {
  const apart = groups.some((group) => group.apart.length > 0);
  const apartHard = groups.map(() => (apart ? new Set<number>() : NONE));
  const apartSoft = groups.map(() => (apart ? new Set<number>() : NONE));
  for (const [index, group] of groups.entries()) {
    for (const { group: other, soft } of group.apart) {
      const at = groupIndex.get(other);
      if (at === undefined || at === index) continue;
      const kind = soft ? apartSoft : apartHard;
      kind[index]?.add(at);
      kind[at]?.add(index);
    }
  }
  for (const [index, hard] of apartHard.entries()) {
    for (const each of hard) apartSoft[index]?.delete(each);
  }
  return {
    apartHard,
    apartSoft,
    after: groups.map(({ after }) => indexesOf(after, groupIndex).toSorted((a, b) => a - b)),
    together: groups.map((group) =>
      group.type === 'everywhere'
        ? []
        : indexesOf(group.together, groupIndex).filter(
            (other) => groups[other]?.type === 'failover',
          ),
    ),
  };
}

export interface Ranked {
  readonly rankOf: readonly number[];
  readonly units: readonly { readonly members: readonly number[]; readonly weight: number }[];
  readonly dependents: readonly (readonly number[])[];
}

function rankUnits(groups: readonly PlacementGroup[], links: Links): Ranked {
  const depthOfGroup = chainDepths(links.after);
  const roots = connected(links.together);
  const unitRoots = [...new Set(roots)].toSorted((a, b) => a - b);
  const unitOfRoot = new Map(unitRoots.map((root, unit) => [root, unit]));
  const unitOf = roots.map((root) => must(unitOfRoot.get(root), 'every root is a unit'));
  const members: number[][] = unitRoots.map(() => []);
  for (const [index, unit] of unitOf.entries()) members[unit]?.push(index);
  const before = members.map((list, unit) => [
    ...new Set(
      list
        .flatMap((member) => links.after[member] ?? [])
        .map((other) => must(unitOf[other], 'an index'))
        .filter((other) => other !== unit),
    ),
  ]);
  const depth = chainDepths(before);
  const priority = (index: number): number => must(groups[index], 'an index').priority;
  const highest = members.map((list) =>
    list.reduce((most, m) => Math.max(most, priority(m)), -Infinity),
  );
  const weights = handedDown(highest, before);
  const weightOf = (unit: number): number => must(weights[unit], 'one per unit');
  const depthOf = (unit: number): number => depth[unit] ?? groups.length;
  // Units are numbered by their first name, which so breaks ties.
  const order = members
    .map((_, unit) => unit)
    .toSorted((a, b) => weightOf(b) - weightOf(a) || depthOf(a) - depthOf(b) || a - b);
  const rankOfUnit = new Map(order.map((unit, rank) => [unit, rank]));
  const rankOf = unitOf.map((unit) => must(rankOfUnit.get(unit), 'every unit has a rank'));
  const dependents: number[][] = order.map(() => []);
  for (const [unit, list] of before.entries()) {
    for (const each of list) {
      const rank = must(rankOfUnit.get(each), 'every unit has a rank');
      dependents[rank]?.push(must(rankOfUnit.get(unit), 'every unit has a rank'));
    }
  }
  const groupDepth = (index: number): number => depthOfGroup[index] ?? groups.length;
  return {
    rankOf,
    dependents,
    units: order.map((unit) => ({
      weight: weightOf(unit),
      members: must(members[unit], 'an index').toSorted(
        (a, b) => priority(b) - priority(a) || groupDepth(a) - groupDepth(b) || a - b,
      ),
    })),
  };
}

function nodesToTry(
  lead: PlacementGroup,
  nodeIndex: ReadonlyMap<string, number>,
  allNodes: readonly number[],
): Pick<Unit, 'preferred' | 'rest' | 'home'> {
  const allowed = lead.allowed === 'any' ? undefined : indexesOf(lead.allowed, nodeIndex);
  const preferred = indexesOf(lead.preferred, nodeIndex).filter(
    (node) => allowed === undefined || allowed.includes(node),
  );
  const rest = allowed === undefined ? allNodes : allowed.toSorted((a, b) => a - b);
  return { preferred, rest, home: preferred[0] };
}

function indexesOf(names: readonly string[], index: ReadonlyMap<string, number>): number[] {
  if (names.length === 0) return [];
  return [...new Set(names)].flatMap((name) => index.get(name) ?? []);
}

function demandOf(amounts: Amounts, kinds: readonly string[]): GroupShape['demand'] {
  return kinds.flatMap((kind, at): (readonly [number, number])[] => {
    const parts = partsOf(amounts[kind] ?? 0);
    return parts > 0 ? [[at, parts]] : [];
  });
}

function limitsOf(amounts: Amounts, kinds: readonly string[]): Float64Array {
  return Float64Array.from(kinds, (kind) => {
    const amount = amounts[kind];
    return amount === undefined ? Number.POSITIVE_INFINITY : partsOf(amount);
  });
}

function partsOf(amount: number): number {
  const parts = Math.round(amount * PARTS_PER_UNIT);
  assert(Number.isSafeInteger(parts) && parts >= 0, 'an amount is a number from 0');
  return parts;
}
