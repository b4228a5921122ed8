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

interface Order {
  /** Length of the longest chain before it. What stands in or behind a circle has none. */
  readonly depth: readonly (number | undefined)[];
  /** Each before those that it points at; what stands in or behind a circle is left out. */
  readonly sequence: readonly number[];
}

/** The order in which `before[x]` comes before `x`. */
export function chainOrder(before: Edges): Order {
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
      reached[follower] = Math.max(reached[follower] ?? 0, must(depth[at], 'in the order') + 1);
      open[follower] = must(open[follower], 'an index of the graph') - 1;
      if (open[follower] !== 0) continue;
      depth[follower] = must(reached[follower], 'an index of the graph');
      sequence.push(follower);
    }
  }
  return { depth, sequence };
}

/** The circles: each as the numbers on it, found from the lowest, in the order of going round. */
export function circles(before: Edges): readonly (readonly number[])[] {
  const { depth } = chainOrder(before);
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
