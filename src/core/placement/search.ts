/**
 * The search for a node that takes a whole unit: first without touching anybody else and with soft
 * wishes kept, then without those, then where it was last although that is in standby, then by
 * displacing units of lower weight. The first node in order that will do is taken; nothing is
 * weighed against anything.
 */
import type { Look } from './look.ts';

/** A group of the unit that must be on the same node as the others. */
export interface Member {
  readonly group: number;
  /** Where it runs, or `NOWHERE`. */
  readonly at: number;
  /**
   * - `free`: may stay where it runs without anybody's leave;
   * - `refit`: lost its place there, and may stay if there is room again;
   * - `soft`: should leave, and stays if there is nowhere else;
   * - `must-go`: leaves, if need be to nowhere;
   * - `idle`: does not run.
   */
  readonly stay: 'free' | 'refit' | 'soft' | 'must-go' | 'idle';
  /** Why it should leave. */
  readonly why: string;
}

export interface Found {
  readonly node: number;
  /** Units that lose their place on `node`. */
  readonly displaced: readonly number[];
}

const NOBODY: ReadonlySet<number> = new Set();

/** Each node to try, once: where it runs, what is to be tried first, by preference, by name. */
export function* candidates(look: Look, members: readonly Member[]): Iterable<number> {
  const { preferred, rest } = look.unit;
  const homes = members.flatMap(({ stay, at }) =>
    stay === 'free' || stay === 'refit' ? [at] : [],
  );
  const tries = members.flatMap(({ group, stay }) => (stay === 'idle' ? look.firstTry(group) : []));
  const first = new Set([...homes, ...tries, ...preferred]);
  yield* first;
  for (const node of rest) if (!first.has(node)) yield node;
}

export function findNode(
  look: Look,
  members: readonly Member[],
  nodes: () => Iterable<number>,
): Found | undefined {
  // A soft wish moves nothing that runs.
  if (look.unit.anyApart && !members.some(({ stay }) => stay === 'free')) {
    for (const node of nodes()) {
      if (fits(look, members, node, NOBODY) && !hasSoftRival(look, members, node)) {
        return { node, displaced: [] };
      }
    }
  }
  for (const node of nodes()) {
    if (fits(look, members, node, NOBODY)) return { node, displaced: [] };
  }
  for (const node of nodes()) {
    if (look.node(node).standby && fits(look, members, node, NOBODY, true)) {
      return { node, displaced: [] };
    }
  }
  const needy = members.some(({ stay }) => stay !== 'free' && stay !== 'soft');
  if (!needy) return undefined;
  for (const node of nodes()) {
    const displaced = displaceOn(look, members, node);
    if (displaced !== undefined) return { node, displaced };
  }
  return undefined;
}

function fits(
  look: Look,
  members: readonly Member[],
  node: number,
  without: ReadonlySet<number>,
  stays = false,
): boolean {
  if (!isSuitable(look, members, node, stays)) return false;
  const newcomers = newcomersOf(members, node);
  if (newcomers.length === 0) return true;
  if (look.unit.anyApart) {
    const neighbours = look.neighbours(node, without);
    if (newcomers.some((group) => look.rival(group, neighbours) !== undefined)) return false;
  }
  return look.lacking(node, newcomers, without) < 0;
}

/**
 * Whether nothing about the node itself speaks against it. `stays`: what ran there last may start in
 * standby, as what runs there stays when there is nowhere else.
 */
function isSuitable(look: Look, members: readonly Member[], node: number, stays = false): boolean {
  return members.every(({ group, at, stay }) => {
    if (at === node && (stay === 'free' || stay === 'refit')) return true;
    if (at === node && stay === 'must-go') return false;
    const ranThere = stay === 'idle' && look.firstTry(group).includes(node);
    return look.obstacle(group, node, stays && ranThere) === undefined;
  });
}

/** Those that would take up room on the node that they do not have there now. */
function newcomersOf(members: readonly Member[], node: number): readonly number[] {
  return members.flatMap(({ group, at, stay }) => (at === node && stay === 'free' ? [] : [group]));
}

function hasSoftRival(look: Look, members: readonly Member[], node: number): boolean {
  const neighbours = look.neighbours(node);
  return newcomersOf(members, node).some(
    (group) => look.rival(group, neighbours, true) !== undefined,
  );
}

/** The units that must leave `node` so that the unit fits; `undefined` if that is not enough. */
function displaceOn(
  look: Look,
  members: readonly Member[],
  node: number,
): readonly number[] | undefined {
  if (!isSuitable(look, members, node)) return undefined;
  const weaker = weakerUnits(look, node);
  const newcomers = newcomersOf(members, node);
  const rivals = look
    .neighbours(node)
    .filter((other) => newcomers.some((group) => look.rival(group, [other]) !== undefined));
  const bound = new Set<number>();
  for (const rival of rivals) {
    const { unit } = look.shapeOf(rival);
    if (!weaker.includes(unit)) return undefined;
    bound.add(unit);
  }
  const out = new Set(bound);
  for (const unit of weaker) {
    if (look.lacking(node, newcomers, out) < 0) break;
    out.add(unit);
  }
  if (look.lacking(node, newcomers, out) >= 0) return undefined;
  // The least important went first; a big one may make it needless that a small one goes.
  for (const unit of [...out].toSorted((a, b) => a - b)) {
    if (bound.has(unit)) continue;
    out.delete(unit);
    if (look.lacking(node, newcomers, out) >= 0) out.add(unit);
  }
  return [...out].toSorted((a, b) => a - b);
}

/** Units of lower weight that run on `node` and may be moved, the least important first. */
function weakerUnits(look: Look, node: number): readonly number[] {
  const { shape } = look.view;
  const units = new Map<number, boolean>();
  for (const group of look.neighbours(node)) {
    const { unit } = look.shapeOf(group);
    const facts = shape.units[unit];
    if (facts === undefined || unit < look.unit.rank || facts.weight >= look.unit.weight) continue;
    const standing = facts.everywhere ? look.standingAt(group, node) : look.view.standings[group];
    const movable = standing?.kind === 'content' || standing?.kind === 'leaving';
    units.set(unit, movable && units.get(unit) !== false);
  }
  return [...units.keys()].filter((unit) => units.get(unit) === true).toSorted((a, b) => b - a);
}
