/**
 * What a unit looks at while its place is chosen. Every question about a node goes through here and
 * is noted, so that the unit is asked again when, and only when, something on such a node changed:
 * the choice must depend on nothing else. (It also depends on the unit's own groups and on whether
 * those run that they come after; {@link Round} watches these itself.)
 */
import { must } from '../../base/assert.ts';
import type { Ledger } from './ledger.ts';
import type { GroupShape, Shape, Unit } from './shape.ts';
import {
  type GroupNow,
  type Obstacle,
  type Standing,
  type World,
  obstacleTo,
  standingAt,
} from './standing.ts';
import type { PlacementNode } from './types.ts';

/** What a round knows; fixed while a unit is asked. */
export interface View {
  readonly shape: Shape;
  readonly world: World;
  readonly groups: readonly GroupNow[];
  /** Of groups of type `failover`. */
  readonly standings: readonly (Standing | undefined)[];
  readonly ledger: Ledger;
  /** Whether the group, of a unit asked before, is going to run and is not merely waited for. */
  readonly willRun: (group: number) => boolean;
}

const NO_NODES: readonly number[] = [];

export class Look {
  readonly view: View;
  readonly unit: Unit;
  readonly #note: (node: number) => void;

  constructor(view: View, unit: Unit, note: (node: number) => void) {
    this.view = view;
    this.unit = unit;
    this.#note = note;
  }

  node(index: number): PlacementNode {
    this.#note(index);
    return must(this.view.world.nodes[index], 'an index of a node');
  }

  shapeOf(group: number): GroupShape {
    return must(this.view.shape.groups[group], 'an index of a group');
  }

  /** None, or the node to try first while the group does not run. */
  firstTry(group: number): readonly number[] {
    const { input } = this.now(group);
    if (input.type !== 'failover' || input.firstTry === undefined) return NO_NODES;
    const at = this.view.shape.nodeIndex.get(input.firstTry);
    return at === undefined ? NO_NODES : [at];
  }

  now(group: number): GroupNow {
    return must(this.view.groups[group], 'an index of a group');
  }

  standing(group: number): Standing {
    const standing = must(this.view.standings[group], 'a group of type failover');
    if ('node' in standing && standing.node >= 0) this.#note(standing.node);
    const { owner } = this.now(group);
    if (owner >= 0) this.#note(owner);
    return standing;
  }

  standingAt(group: number, node: number): Standing {
    this.#note(node);
    return standingAt(this.now(group), node, this.view.world, {
      allowed: this.allows(group, node),
      problem: this.view.shape.units[this.shapeOf(group).unit]?.problem,
    });
  }

  allows(group: number, node: number): boolean {
    const { allowed } = this.shapeOf(group);
    return allowed === undefined || allowed.has(node);
  }

  obstacle(group: number, node: number, stays = false): Obstacle | undefined {
    const { input } = this.now(group);
    const allowed = this.allows(group, node);
    return obstacleTo(input, this.node(node), { allowed, stays }, this.view.world.now);
  }

  /** Groups of other units on `node`, without those of the units in `without`. */
  neighbours(node: number, without?: ReadonlySet<number>): readonly number[] {
    this.#note(node);
    const seen = this.view.ledger.seen(node, this.unit.rank);
    if (without === undefined || without.size === 0) return seen;
    return seen.filter((group) => !without.has(this.shapeOf(group).unit));
  }

  /** Groups that more important units were given on `node`. */
  superiors(node: number): readonly number[] {
    this.#note(node);
    return this.view.ledger.seenDecided(node, this.unit.rank);
  }

  displacer(node: number): number | undefined {
    this.#note(node);
    return this.view.ledger.displacer(node, this.unit.rank);
  }

  /** The kind of which `node` has too little for `groups`, or -1. */
  lacking(node: number, groups: readonly number[], without?: ReadonlySet<number>): number {
    this.#note(node);
    const present = this.#present(node, groups);
    return this.view.ledger.lacking(node, this.unit.rank, { groups, present, without });
  }

  /** Other groups of this unit that run on `node`: they take up room too. */
  #present(node: number, groups: readonly number[]): readonly number[] {
    if (this.unit.members.length === 1) return [];
    return this.unit.members.filter((member) => {
      const standing = this.view.standings[member];
      if (standing === undefined || standing.kind === 'off' || standing.kind === 'idle')
        return false;
      return standing.node === node && !groups.includes(member);
    });
  }

  /** One of `others` from which `group` must (or, if `soft`, should) be apart. */
  rival(group: number, others: readonly number[], soft = false): number | undefined {
    const { apartHard, apartSoft } = this.shapeOf(group);
    const apart = soft ? apartSoft : apartHard;
    if (apart.size === 0) return undefined;
    // The lowest, so that the answer does not depend on the order in which they came there.
    let found: number | undefined;
    for (const other of others) {
      if (apart.has(other) && (found === undefined || other < found)) found = other;
    }
    return found;
  }
}

/** What a unit was given. */
export interface Outcome {
  readonly entries: readonly Entry[];
  /** Units that lose their place on a node to this one. */
  readonly displaced: readonly { readonly node: number; readonly unit: number }[];
  /** Where it may fail back to, if there is room then. */
  readonly back: FailbackChance | undefined;
}

export interface Entry {
  readonly group: number;
  /** Of type `everywhere`: the node that this is about; otherwise `NOWHERE`. */
  readonly instance: number;
  readonly target: number;
  /** Must not be touched, whatever the target is. */
  readonly wait: boolean;
  readonly reason: string;
}

export interface FailbackChance {
  readonly to: number;
  readonly from: number;
  readonly groups: readonly number[];
  readonly healthyForMs: number;
}
