/**
 * Contradictions of the configuration, named. What is part of one is neither started nor moved
 * until a person resolves it; what runs goes on. The check of the configuration refuses most of
 * them before they get here; a cluster that meets one anyway must still do nothing foolish.
 */
import { chainDepths, circles } from './graph.ts';
import type { Links, Ranked } from './shape.ts';
import type { PlacementGroup } from './types.ts';

interface Found {
  /** Sorted, each once. */
  readonly sentences: readonly string[];
  /** Per unit, the first sentence that concerns it. */
  readonly perUnit: readonly (string | undefined)[];
}

export function findProblems(
  groups: readonly PlacementGroup[],
  links: Links,
  ranked: Ranked,
): Found {
  const perUnit: (string | undefined)[] = ranked.units.map(() => undefined);
  const sentences = new Set<string>();
  const blame = (group: number, sentence: string): void => {
    sentences.add(sentence);
    const rank = ranked.rankOf[group];
    if (rank !== undefined) perUnit[rank] ??= sentence;
  };
  const known = new Map(groups.map((group) => [group.id as string, group]));
  for (const [index, group] of groups.entries()) {
    for (const sentence of wrongNames(group, known)) blame(index, sentence);
  }
  for (const { members } of ranked.units) {
    const inUnit = new Set(members);
    for (const a of members) {
      for (const b of [...(links.apartHard[a] ?? [])].toSorted((x, y) => x - y)) {
        if (a < b && inUnit.has(b)) blame(a, togetherAndApart(groups, links, a, b));
      }
    }
  }
  const blamed = blameCircles(groups, links, ranked, blame);
  blameUnitCircles(groups, ranked, blamed, blame);
  return { sentences: [...sentences].toSorted(), perUnit };
}

function* wrongNames(
  group: PlacementGroup,
  known: ReadonlyMap<string, PlacementGroup>,
): Iterable<string> {
  const together = group.type === 'failover' ? group.together : [];
  if (together.length + group.apart.length + group.after.length === 0) return;
  const named: [string, readonly string[]][] = [
    ['together with', together],
    ['apart from', group.apart.map((each) => each.group)],
    ['after', group.after],
  ];
  for (const [relation, names] of named) {
    for (const name of names.toSorted()) {
      if (!known.has(name)) yield `"${group.id}" is ${relation} "${name}", which does not exist`;
    }
  }
  for (const name of together.toSorted()) {
    if (known.get(name)?.type !== 'everywhere') continue;
    yield `"${group.id}" is together with "${name}", which runs everywhere`;
  }
  if (group.apart.some((each) => each.group === group.id)) {
    yield `"${group.id}" is apart from itself`;
  }
}

function togetherAndApart(
  groups: readonly PlacementGroup[],
  links: Links,
  a: number,
  b: number,
): string {
  const pair = `"${groups[a]?.id}" and "${groups[b]?.id}"`;
  const direct = links.together[a]?.includes(b) === true || links.together[b]?.includes(a) === true;
  return `${pair} must run together${direct ? '' : ', by way of others,'} and apart`;
}

function blameCircles(
  groups: readonly PlacementGroup[],
  links: Links,
  ranked: Ranked,
  blame: (group: number, sentence: string) => void,
): ReadonlySet<number> {
  const blamed = new Set<number>();
  const told = circles(links.after).map((circle) => {
    const list = [...circle, ...circle.slice(0, 1)].map((index) => `"${groups[index]?.id}"`);
    return { circle: new Set(circle), sentence: `${list.join(' after ')} goes round in a circle` };
  });
  for (const [index, depth] of chainDepths(links.after).entries()) {
    const own = told.find(({ circle }) => circle.has(index)) ?? told[0];
    if (depth !== undefined || own === undefined) continue;
    blame(index, own.sentence);
    blamed.add(ranked.rankOf[index] ?? -1);
  }
  return blamed;
}

/**
 * No group waits for itself, but units may: they are placed whole, so neither could be first.
 * Units that are blamed for a circle of groups, and those behind them, have been told enough.
 */
function blameUnitCircles(
  groups: readonly PlacementGroup[],
  ranked: Ranked,
  blamed: ReadonlySet<number>,
  blame: (group: number, sentence: string) => void,
): void {
  const before = ranked.units.map((): number[] => []);
  for (const [rank, dependents] of ranked.dependents.entries()) {
    for (const each of dependents) before[each]?.push(rank);
  }
  for (const [rank, depth] of chainDepths(before).entries()) {
    const lead = ranked.units[rank]?.members[0];
    if (depth !== undefined || lead === undefined || blamed.has(rank)) continue;
    const what = `"${groups[lead]?.id}" and what it is together with`;
    blame(lead, `${what} would have to start both before and after others`);
  }
}
