/**
 * Groups with random relations, needs and priorities, and nodes with random capacities, in a share
 * of the lives; drawn so that nothing contradicts itself. Groups that run together follow one
 * another, so that an order of starting between units goes one way only.
 */
import { must } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import type { Amounts } from '../protocol/config.ts';
import type { GroupId } from '../protocol/ids.ts';
import type { SimGroup } from './sim-config.ts';

/** In this share of lives. */
const LIVES = 0.2;
const NAMES = ['db', 'app', 'shop', 'files', 'mail'];

export interface PlacedSwarm {
  readonly groups: readonly SimGroup[];
  readonly capacity: Readonly<Record<string, Amounts>>;
}

/** By dice of its own: the lives without are what they would be if there were none. */
export function drawPlaced(
  seed: number,
  nodes: readonly string[],
  failbackOf: (index: number) => SimGroup['failback'],
): PlacedSwarm | undefined {
  const prng = new Prng(seed ^ 0x3c6ef372);
  if (!prng.chance(LIVES)) return undefined;
  const groups: SimGroup[] = [];
  const units: number[] = [];
  const names = NAMES.slice(0, 2 + prng.below(NAMES.length - 1));
  for (const [index, id] of names.entries()) {
    const before = groups.at(-1);
    const joins = before !== undefined && prng.chance(0.2);
    const unit = (units.at(-1) ?? -1) + (joins ? 0 : 1);
    const some = (chance: number): readonly GroupId[] =>
      names
        .slice(0, index)
        .filter((_, other) => must(units[other], 'drawn before') < unit && prng.chance(chance))
        .map((name) => name as GroupId);
    const turned = [...nodes.slice(index % nodes.length), ...nodes.slice(0, index % nodes.length)];
    const own = nodes.length > 2 && prng.chance(0.4) ? turned.slice(0, 2) : turned;
    groups.push({
      id,
      nodes: joins ? before.nodes : own,
      failback: failbackOf(index),
      placement: {
        after: some(0.25),
        together: joins ? [before.id as GroupId] : [],
        apart: some(0.25),
        apartIfPossible: some(0.15),
        priority: prng.below(4),
        needs: prng.chance(0.7) ? { memory: 1 + prng.below(3) } : {},
      },
    });
    units.push(unit);
  }
  const limited = nodes.filter(() => prng.chance(0.7));
  const capacity = Object.fromEntries(limited.map((node) => [node, { memory: 3 + prng.below(5) }]));
  return { groups, capacity };
}
