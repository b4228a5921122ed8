/**
 * Small graph helpers over the numbers 0 to n - 1: who belongs together, who goes round in a
 * circle, and how deep in a chain each one is. Iterative, since chains may be as long as there are
 * groups.
 */
import { must } from '../../base/assert.ts';

export type Edges = readonly (readonly number[])[];

/** For each number the lowest one that it is connected with, whatever the direction. */
export function connected(edges: Edges): readonly number[] {
  const parent = edges.map((_, index) => index);
  const rootOf = (start: number): number => {
    let at = start;
    while (parentOf(at) !== at) {
      parent[at] = parentOf(parentOf(at));
      at = parentOf(at);
    }
    return at;
  };
  const parentOf = (at: number): number => must(parent[at], 'an index of the graph');
  for (const [from, tos] of edges.entries()) {
    for (const to of tos) {
      const [a, b] = [rootOf(from), rootOf(to)];
      parent[Math.max(a, b)] = Math.min(a, b);
    }
  }
  return edges.map((_, index) => rootOf(index));
}

/**
 * For each number the length of the longest chain before it, where `before[x]` comes before `x`.
 * What stands in or behind a circle has none.
 */
export function chainDepths(before: Edges): readonly (number | undefined)[] {
  const after: number[][] = before.map(() => []);
  const open = before.map((list) => list.length);
  for (const [index, list] of before.entries()) {
    for (const each of list) must(after[each], 'an index of the graph').push(index);
  }
  const sequence = open.flatMap((count, index) => (count === 0 ? [index] : []));
  const depth: (number | undefined)[] = open.map((count) => (count === 0 ? 0 : undefined));
  const reached = open.map(() => 0);
  for (let next = 0; next < sequence.length; next += 1) {
    const at = must(sequence[next], 'below the length');
    for (const follower of must(after[at], 'an index of the graph')) {
      reached[follower] = Math.max(
        reached[follower] ?? 0,
        must(depth[at], 'it has been reached') + 1,
      );
      open[follower] = must(open[follower], 'an index of the graph') - 1;
      if (open[follower] !== 0) continue;
      depth[follower] = must(reached[follower], 'an index of the graph');
      sequence.push(follower);
    }
  }
  return depth;
}

/**
 * For each number the highest of its own amount and the amounts of all that come after it, directly
 * or by way of others. Circles are ways like any other.
 */
export function handedDown(amounts: readonly number[], before: Edges): readonly number[] {
  const amountOf = (index: number): number => must(amounts[index], 'one per index');
  const results = new Map<number, number>();
  const highestFirst = amounts.map((_, index) => index);
  highestFirst.sort((a, b) => amountOf(b) - amountOf(a));
  for (const from of highestFirst) {
    // What was reached earlier was reached from no less, and so was all that comes before it.
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (results.has(at)) continue;
      results.set(at, amountOf(from));
      for (const each of must(before[at], 'an index of the graph')) open.push(each);
    }
  }
  return amounts.map((_, index) => must(results.get(index), 'each is reached from itself'));
}

/** The circles: each as the numbers on it, found from the lowest, in the order of going round. */
export function circles(before: Edges): readonly (readonly number[])[] {
  const depth = chainDepths(before);
  const stuck = new Set(depth.flatMap((each, index) => (each === undefined ? [index] : [])));
  const found: number[][] = [];
  const done = new Set<number>();
  for (const start of stuck) {
    // Each stuck number has one before it that is stuck too: walking back must meet a circle.
    const path: number[] = [];
    const placeOf = new Map<number, number>();
    let at: number | undefined = start;
    while (at !== undefined && !done.has(at) && !placeOf.has(at)) {
      placeOf.set(at, path.length);
      path.push(at);
      at = before[at]?.find((each) => stuck.has(each));
    }
    const from = at === undefined ? undefined : placeOf.get(at);
    if (from !== undefined) found.push(rotated(path.slice(from)));
    for (const each of path) done.add(each);
  }
  return found;
}

function rotated(circle: readonly number[]): number[] {
  const first = circle.indexOf(Math.min(...circle));
  return [...circle.slice(first), ...circle.slice(0, first)];
}
