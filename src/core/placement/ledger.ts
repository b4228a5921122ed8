/**
 * Who takes up room on which node, as a unit sees it when its turn comes: what units before it were
 * given (decided), and what units after it hold where they run now (held), unless a unit before it
 * has displaced them there. A unit never sees claims of its own. Amounts are whole numbers, so a
 * sum does not depend on the order in which it is made.
 */
import { assert, must } from '../../base/assert.ts';
import type { Shape } from './shape.ts';

const NO_UNITS: ReadonlySet<number> = new Set();

interface Asked {
  readonly groups: readonly number[];
  /** Of the same unit, and there already. */
  readonly present?: readonly number[];
  /** What these units hold does not count. */
  readonly without?: ReadonlySet<number> | undefined;
}

export class Ledger {
  readonly #shape: Shape;
  readonly #decided: number[][];
  readonly #held: number[][];
  /** Per node: the unit that lost its place there, and the unit for which it did. */
  readonly #displaced: Map<number, number>[];
  readonly #used: Float64Array;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#decided = shape.nodeIds.map(() => []);
    this.#held = shape.nodeIds.map(() => []);
    this.#displaced = shape.nodeIds.map(() => new Map());
    this.#used = new Float64Array(shape.kinds.length);
  }

  hold(node: number, group: number): void {
    must(this.#held[node], 'a node').push(group);
  }

  unhold(node: number, group: number): void {
    remove(must(this.#held[node], 'a node'), group);
  }

  decide(node: number, group: number): void {
    must(this.#decided[node], 'a node').push(group);
  }

  undecide(node: number, group: number): void {
    remove(must(this.#decided[node], 'a node'), group);
  }

  displace(node: number, unit: number, by: number): void {
    must(this.#displaced[node], 'a node').set(unit, by);
  }

  /** Nothing happens when another unit has displaced it since. */
  undisplace(node: number, unit: number, by: number): void {
    const map = must(this.#displaced[node], 'a node');
    if (map.get(unit) === by) map.delete(unit);
  }

  /** The unit before `unit` that displaced it on `node`. */
  displacer(node: number, unit: number): number | undefined {
    const by = this.#displaced[node]?.get(unit);
    return by !== undefined && by < unit ? by : undefined;
  }

  /** Groups of other units on `node` as unit `rank` sees them. */
  seen(node: number, rank: number): readonly number[] {
    const groups: number[] = [];
    for (const group of must(this.#decided[node], 'a node')) {
      if (this.#unitOf(group) < rank) groups.push(group);
    }
    for (const group of must(this.#held[node], 'a node')) {
      if (this.#isHeldFor(node, group, rank)) groups.push(group);
    }
    return groups;
  }

  /** Groups that units before `rank` were given on `node`. */
  seenDecided(node: number, rank: number): readonly number[] {
    return must(this.#decided[node], 'a node').filter((group) => this.#unitOf(group) < rank);
  }

  /**
   * The first kind of which `node` has too little left for groups of unit `rank`, or -1.
   */
  lacking(node: number, rank: number, { groups, present = [], without = NO_UNITS }: Asked): number {
    const used = this.#used;
    let demanded = false;
    for (const group of groups) demanded ||= this.#demandOf(group).length > 0;
    if (!demanded) return -1;
    used.fill(0);
    for (const group of must(this.#decided[node], 'a node')) {
      if (this.#unitOf(group) < rank) this.#add(group);
    }
    for (const group of must(this.#held[node], 'a node')) {
      if (this.#isHeldFor(node, group, rank) && !without.has(this.#unitOf(group))) {
        this.#add(group);
      }
    }
    for (const group of present) this.#add(group);
    for (const group of groups) this.#add(group);
    // A kind of which nothing is asked does no harm, even when more than all of it is taken.
    const limits = must(this.#shape.capacity[node], 'a node');
    for (const group of groups) {
      for (const [kind] of this.#demandOf(group)) {
        if ((used[kind] ?? 0) > (limits[kind] ?? 0)) return kind;
      }
    }
    return -1;
  }

  #isHeldFor(node: number, group: number, rank: number): boolean {
    const unit = this.#unitOf(group);
    if (unit <= rank) return false;
    const by = this.#displaced[node]?.get(unit);
    return by === undefined || by >= rank;
  }

  #add(group: number): void {
    const used = this.#used;
    for (const [kind, amount] of this.#demandOf(group)) used[kind] = (used[kind] ?? 0) + amount;
  }

  #demandOf(group: number): readonly (readonly [number, number])[] {
    return must(this.#shape.groups[group], 'a group').demand;
  }

  #unitOf(group: number): number {
    return must(this.#shape.groups[group], 'a group').unit;
  }
}

function remove(list: number[], value: number): void {
  const at = list.indexOf(value);
  assert(at >= 0, 'only what was put in is taken out');
  const last = must(list.pop(), 'it holds the value');
  if (at < list.length) list[at] = last;
}
