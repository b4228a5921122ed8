/**
 * The placement planner: where each group should run, and why. Pure and deterministic: the same
 * input gives the same plan on every node, whatever the order of its lists and whatever was planned
 * before. SPEC.md has the rules and invariants.
 *
 * A plan is found in rounds. A round gives each unit its place once, in order of rank. When
 * something leaves a place, there may be room that an earlier unit could have used; when the rest of
 * a unit joins what runs, all of it may fail back. Then the next round starts from where the last one
 * would lead. So a plan that is carried out is followed by one that changes nothing.
 *
 * An instance keeps what it found, so that planning again after a small change is quick. It is never
 * needed for the answer: `new Planner().plan(input)` gives the same.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest } from '../../base/time.ts';
import { Finals } from './finals.ts';
import { Round } from './round.ts';
import { sameCapacity, sameConfig, sameGroup, sameNode } from './same.ts';
import { type Shape, compileShape } from './shape.ts';
import { type GroupNow, NOWHERE, STRANGER, type World } from './standing.ts';
import { planFrom } from './steps.ts';
import type { PlacementGroup, PlacementInput, PlacementNode, Plan } from './types.ts';

/**
 * No unit returns to a place that it left, so rounds end by themselves after a few; this is where
 * to stop if a configuration is so entangled that they do not. The rest is left to the next plan.
 */
export const ROUNDS_MAX = 32;

export class Planner {
  #shape: Shape | undefined;
  #nodes: readonly PlacementNode[] = [];
  #groups: readonly GroupNow[] = [];
  #rounds: Round[] = [];
  #roundsUsed = 0;

  /** How many rounds the last plan took. */
  get roundsUsed(): number {
    return this.#roundsUsed;
  }

  plan(input: PlacementInput): Plan {
    const shape = this.#takeIn(input);
    const world: World = { nodes: this.#nodes, maintenance: input.maintenance, now: input.now };
    const finals = new Finals(shape, this.#groups, world);
    let groups = this.#groups;
    let nextChangeAt: Instant = NEVER;
    for (let count = 0; count < ROUNDS_MAX; count += 1) {
      this.#roundsUsed = count + 1;
      const round = (this.#rounds[count] ??= new Round(shape));
      const failbacks = round.update(groups, world);
      nextChangeAt = earliest([nextChangeAt, failbacks.nextChangeAt]);
      const before = this.#rounds[count + 1]?.groups ?? [];
      const next = finals.take(round.outcomes, failbacks.verdicts, { groups, before });
      if (next === undefined) break;
      groups = next;
    }
    return planFrom(shape, this.#groups, finals, nextChangeAt);
  }

  /** Makes the input the present one, keeping the old objects where they say the same. */
  #takeIn(input: PlacementInput): Shape {
    const known = this.#shape;
    const nodes = known === undefined ? undefined : placed(input.nodes, known.nodeIndex);
    const groups = known === undefined ? undefined : placed(input.groups, known.groupIndex);
    const olds = this.#groups;
    const fits =
      known !== undefined &&
      nodes?.every((node, at) => sameCapacity(node, must(this.#nodes[at], 'as many'))) === true &&
      groups?.every((group, at) => sameConfig(group, must(olds[at], 'as many').input)) === true;
    if (!fits || nodes === undefined || groups === undefined) return this.#startOver(input);
    this.#nodes = nodes.map((node, at) => {
      const old = must(this.#nodes[at], 'as many');
      return sameNode(node, old) ? old : node;
    });
    this.#groups = groups.map((group, at) => {
      const old = must(olds[at], 'as many');
      return sameGroup(group, old.input) ? old : groupNow(group, known);
    });
    return known;
  }

  #startOver(input: PlacementInput): Shape {
    const shape = compileShape(input);
    this.#shape = shape;
    this.#rounds = [];
    this.#nodes = must(placed(input.nodes, shape.nodeIndex), 'compiled from it');
    const groups = must(placed(input.groups, shape.groupIndex), 'compiled from it');
    this.#groups = groups.map((group) => groupNow(group, shape));
    return shape;
  }
}

/** `list` by index; `undefined` unless it has each of the indexed names once. */
function placed<T extends { readonly id: string }>(
  list: readonly T[],
  index: ReadonlyMap<string, number>,
): readonly T[] | undefined {
  if (list.length !== index.size) return undefined;
  const result: (T | undefined)[] = list.map(() => undefined);
  for (const each of list) {
    const at = index.get(each.id);
    if (at === undefined || result[at] !== undefined) return undefined;
    result[at] = each;
  }
  return result.map((each) => must(each, 'as many names as places, none twice'));
}

function groupNow(input: PlacementGroup, shape: Shape): GroupNow {
  if (input.type === 'everywhere') {
    const runsOn = input.runsOn.flatMap((id) => shape.nodeIndex.get(id) ?? []);
    return {
      input,
      owner: NOWHERE,
      runs: 'no',
      runsOn: [...new Set(runsOn)].toSorted((a, b) => a - b),
    };
  }
  const owner =
    input.owner === undefined ? NOWHERE : (shape.nodeIndex.get(input.owner) ?? STRANGER);
  return { input, owner, runs: input.runs, runsOn: [] };
}
