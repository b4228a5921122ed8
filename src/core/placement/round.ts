/**
 * One round: each unit in order of rank is given its place, then failbacks are decided. Between
 * calls it keeps what each unit was given and which nodes it looked at, and asks a unit again only
 * if something that it looked at has changed. What a unit is given can change only what later units
 * see, so one walk from the first rank to the last is enough, and its result is the one that a walk
 * from nothing would have.
 */
import { assert, must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, instant } from '../../base/time.ts';
import { chooseEverywhere } from './choose-everywhere.ts';
import { chooseForUnit } from './choose-unit.ts';
import { type Failbacks, decideFailbacks } from './failback.ts';
import { Ledger } from './ledger.ts';
import { type FailbackChance, Look, type Outcome, type View } from './look.ts';
import { Readers } from './readers.ts';
import type { Shape, Unit } from './shape.ts';
import {
  type GroupNow,
  type Standing,
  type World,
  nextBanEnd,
  standingAt,
  standingOf,
} from './standing.ts';

const NOTHING: Outcome = { entries: [], displaced: [], back: undefined };

export class Round {
  readonly #shape: Shape;
  readonly #ledger: Ledger;
  readonly #readers: Readers;
  readonly #standings: (Standing | undefined)[];
  /** Per group: the nodes that it holds until its unit's turn. */
  readonly #heldOn: (readonly number[])[];
  readonly #outcomes: Outcome[];
  /** Per group: on how many nodes it was given a place and is not merely waited for. */
  readonly #given: Int32Array;
  /** Per unit: when one of its bans ends. */
  readonly #staleAt: Float64Array;
  readonly #dirty: Uint8Array;
  #groups: readonly GroupNow[] = [];
  #world: World | undefined;
  /** Every unit is asked anyway, so nobody needs to find out which. */
  #asksAll = true;

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#ledger = new Ledger(shape);
    this.#readers = new Readers(shape.nodeIds.length, shape.units.length);
    this.#standings = shape.groups.map(() => undefined);
    this.#heldOn = shape.groups.map(() => []);
    this.#outcomes = shape.units.map(() => NOTHING);
    this.#given = new Int32Array(shape.groups.length);
    this.#staleAt = new Float64Array(shape.units.length).fill(NEVER);
    this.#dirty = new Uint8Array(shape.units.length);
  }

  /** The groups of the last call. */
  get groups(): readonly GroupNow[] {
    return this.#groups;
  }

  /** Per unit, after {@link update}. */
  get outcomes(): readonly Outcome[] {
    return this.#outcomes;
  }

  update(groups: readonly GroupNow[], world: World): Failbacks {
    const changed = this.#changedUnits(groups, world);
    this.#groups = groups;
    this.#world = world;
    for (const rank of changed) this.#restand(rank, world);
    for (let rank = 0; rank < this.#dirty.length; rank += 1) {
      if (this.#dirty[rank] === 1) this.#ask(rank, world);
    }
    const chances = new Map<number, FailbackChance>();
    for (const [rank, { back }] of this.#outcomes.entries()) {
      if (back !== undefined) chances.set(rank, back);
    }
    const failbacks = decideFailbacks(chances, { shape: this.#shape, world, ledger: this.#ledger });
    const banEnd = earliest(this.#bansAhead());
    return { ...failbacks, nextChangeAt: earliest([banEnd, failbacks.nextChangeAt]) };
  }

  *#bansAhead(): Iterable<Instant> {
    for (const at of this.#staleAt) if (at < NEVER) yield instant(at);
  }

  /** Units whose own facts, or those of a node that they looked at, are new. */
  #changedUnits(groups: readonly GroupNow[], world: World): ReadonlySet<number> {
    const before = this.#world;
    const changed = new Set<number>();
    const startsOver = before === undefined || before.maintenance !== world.maintenance;
    this.#asksAll = startsOver;
    for (const [rank, at] of this.#staleAt.entries()) {
      if (startsOver || at <= world.now || world.now < before.now) changed.add(rank);
    }
    if (startsOver) return changed;
    for (const [index, group] of groups.entries()) {
      if (group !== this.#groups[index]) {
        changed.add(must(this.#shape.groups[index], 'a group').unit);
      }
    }
    for (const [index, node] of world.nodes.entries()) {
      if (node === before.nodes[index]) continue;
      this.#readers.each(index, (rank) => changed.add(rank));
    }
    return changed;
  }

  /** Finds anew how the groups of a unit stand, and what they hold until its turn. */
  #restand(rank: number, world: World): void {
    const unit = must(this.#shape.units[rank], 'a unit');
    this.#dirty[rank] = 1;
    let staleAt: number = NEVER;
    for (const group of unit.members) {
      const now = must(this.#groups[group], 'a group');
      staleAt = Math.min(staleAt, nextBanEnd(now.input, world.now));
      const holds = unit.everywhere
        ? this.#holdsEverywhere(group, now, world, unit)
        : this.#holdsOnce(group, now, world, unit);
      this.#hold(group, holds);
    }
    this.#staleAt[rank] = staleAt;
    // Words speak of what a group comes after.
    for (const dependent of unit.dependents) this.#dirty[dependent] = 1;
  }

  #holdsOnce(group: number, now: GroupNow, world: World, unit: Unit): readonly number[] {
    const { allowed } = must(this.#shape.groups[group], 'a group');
    const allows = (node: number): boolean => allowed === undefined || allowed.has(node);
    const standing = standingOf(now, world, allows, unit.problem);
    const before = this.#standings[group];
    this.#standings[group] = standing;
    // Whether it may be displaced is for others to see too.
    if (before !== undefined && before.kind !== standing.kind) {
      for (const node of this.#heldOn[group] ?? []) this.#changed(node);
    }
    return holds(standing) ? [standing.node] : [];
  }

  #holdsEverywhere(group: number, now: GroupNow, world: World, unit: Unit): readonly number[] {
    const { allowed } = must(this.#shape.groups[group], 'a group');
    for (const node of this.#heldOn[group] ?? []) this.#changed(node);
    return now.runsOn.filter((node) =>
      holds(
        standingAt(now, node, world, {
          allowed: allowed === undefined || allowed.has(node),
          problem: unit.problem,
        }),
      ),
    );
  }

  #hold(group: number, nodes: readonly number[]): void {
    const before = this.#heldOn[group] ?? [];
    if (before.length === nodes.length && before.every((node, at) => node === nodes[at])) return;
    for (const node of before) this.#ledger.unhold(node, group);
    for (const node of nodes) this.#ledger.hold(node, group);
    for (const node of [...before, ...nodes]) this.#changed(node);
    this.#heldOn[group] = nodes;
  }

  #changed(node: number): void {
    if (this.#asksAll) return;
    this.#readers.each(node, (rank) => {
      this.#dirty[rank] = 1;
    });
  }

  #ask(rank: number, world: World): void {
    const unit = must(this.#shape.units[rank], 'a unit');
    const before = must(this.#outcomes[rank], 'one per unit');
    this.#apply(rank, before, false);
    this.#readers.forget(rank);
    const look = new Look(this.#view(world), unit, (node) => this.#readers.note(node, rank));
    const outcome = unit.everywhere ? chooseEverywhere(look) : chooseForUnit(look);
    this.#outcomes[rank] = outcome;
    this.#apply(rank, outcome, true);
    this.#dirty[rank] = 0;
    this.#spread(unit, before, outcome);
  }

  #view(world: World): View {
    return {
      shape: this.#shape,
      world,
      groups: this.#groups,
      standings: this.#standings,
      ledger: this.#ledger,
      willRun: (group) => (this.#given[group] ?? 0) > 0,
    };
  }

  #apply(rank: number, { entries, displaced }: Outcome, isNew: boolean): void {
    for (const { group, target, wait } of entries) {
      if (target < 0) continue;
      if (isNew) this.#ledger.decide(target, group);
      else this.#ledger.undecide(target, group);
      if (!wait) this.#given[group] = (this.#given[group] ?? 0) + (isNew ? 1 : -1);
    }
    for (const { node, unit } of displaced) {
      assert(unit > rank, 'only less important units are displaced');
      if (isNew) this.#ledger.displace(node, unit, rank);
      else this.#ledger.undisplace(node, unit, rank);
    }
  }

  /** Has later units asked again that see a difference. */
  #spread(unit: Unit, before: Outcome, after: Outcome): void {
    if (this.#asksAll) return;
    const nodes = changedNodes(before, after);
    if (nodes.length === 0) return;
    for (const node of nodes) {
      this.#readers.each(node, (rank) => {
        if (rank > unit.rank) this.#dirty[rank] = 1;
      });
    }
    for (const dependent of unit.dependents) {
      if (dependent > unit.rank) this.#dirty[dependent] = 1;
    }
  }
}

/** Nodes on which another unit may see a difference; rather too many than too few. */
function changedNodes(before: Outcome, after: Outcome): readonly number[] {
  const nodes: number[] = [];
  const count = Math.max(before.entries.length, after.entries.length);
  for (let at = 0; at < count; at += 1) {
    const [a, b] = [before.entries[at], after.entries[at]];
    if (a?.group === b?.group && a?.target === b?.target && a?.wait === b?.wait) continue;
    if (a !== undefined && a.target >= 0) nodes.push(a.target);
    if (b !== undefined && b.target >= 0) nodes.push(b.target);
  }
  const displaced = Math.max(before.displaced.length, after.displaced.length);
  for (let at = 0; at < displaced; at += 1) {
    const [a, b] = [before.displaced[at], after.displaced[at]];
    if (a?.node === b?.node && a?.unit === b?.unit) continue;
    if (a !== undefined) nodes.push(a.node);
    if (b !== undefined) nodes.push(b.node);
  }
  return nodes;
}

/** What leaves for certain holds nothing: its room may be given away. */
function holds(standing: Standing): standing is Standing & { readonly node: number } {
  switch (standing.kind) {
    case 'content':
      return true;
    case 'leaving':
      return !standing.hard;
    case 'fixed':
      return standing.node >= 0;
    case 'off':
    case 'idle':
      return false;
  }
}
