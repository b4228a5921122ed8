/**
 * Failbacks, after everything else has its place: they displace nobody, take room from nobody, and
 * may use the room that another failback leaves. In order of rank, again and again until nothing
 * changes, so that a chain of them ends in one plan.
 */
import { NEVER, type Instant, plus } from '../../base/time.ts';
import { must } from '../../base/assert.ts';
import type { Ledger } from './ledger.ts';
import type { FailbackChance } from './look.ts';
import type { Shape } from './shape.ts';
import type { World } from './standing.ts';

/** Later than all units: sees what each of them was given. */
const LAST = Number.POSITIVE_INFINITY;

export interface FailbackVerdict {
  readonly goes: boolean;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface Failbacks {
  readonly verdicts: ReadonlyMap<number, FailbackVerdict>;
  /** When the next preferred node will have been healthy for long enough. */
  readonly nextChangeAt: Instant;
}

interface Deps {
  readonly shape: Shape;
  readonly world: World;
  readonly ledger: Ledger;
}

/** `chances` by rank, ascending. The ledger is as before when this returns. */
export function decideFailbacks(
  chances: ReadonlyMap<number, FailbackChance>,
  deps: Deps,
): Failbacks {
  const verdicts = new Map<number, FailbackVerdict>();
  let nextChangeAt: Instant = NEVER;
  const pending = new Map<number, FailbackChance>();
  for (const [unit, chance] of chances) {
    const healthyAt = healthyFrom(chance, deps.world);
    if (healthyAt <= deps.world.now) pending.set(unit, chance);
    else {
      if (healthyAt < nextChangeAt) nextChangeAt = healthyAt;
      verdicts.set(unit, stays(chance, deps.shape, 'when it has been healthy for long enough'));
    }
  }
  const gone = settle(pending, deps);
  for (const [unit, chance] of pending) {
    const { from, to } = chance;
    if (!gone.includes(chance)) verdicts.set(unit, stays(chance, deps.shape, 'when there is room'));
    else {
      const reason = `${nameOf(deps.shape, to)}: preferred first and fit again`;
      verdicts.set(unit, { goes: true, from, to, reason });
    }
  }
  for (const { groups, from, to } of gone) carry(deps.ledger, groups, to, from);
  return { verdicts, nextChangeAt };
}

function settle(pending: ReadonlyMap<number, FailbackChance>, deps: Deps): FailbackChance[] {
  const gone: FailbackChance[] = [];
  const open = new Set(pending.values());
  // Each round but the last takes at least one away.
  for (let left = open.size; left > 0; left = open.size) {
    for (const chance of open) {
      if (!fits(chance, deps)) continue;
      carry(deps.ledger, chance.groups, chance.from, chance.to);
      gone.push(chance);
      open.delete(chance);
    }
    if (open.size === left) break;
  }
  return gone;
}

function fits({ groups, to }: FailbackChance, { shape, ledger }: Deps): boolean {
  const neighbours = new Set(ledger.seenDecided(to, LAST));
  for (const group of groups) {
    const { apartHard, apartSoft } = must(shape.groups[group], 'a group');
    for (const other of [...apartHard, ...apartSoft]) if (neighbours.has(other)) return false;
  }
  return ledger.lacking(to, LAST, { groups }) < 0;
}

function carry(ledger: Ledger, groups: readonly number[], from: number, to: number): void {
  for (const group of groups) {
    ledger.undecide(from, group);
    ledger.decide(to, group);
  }
}

function healthyFrom({ to, healthyForMs }: FailbackChance, world: World): Instant {
  const since = world.nodes[to]?.healthySince;
  return since === undefined ? NEVER : plus(since, healthyForMs);
}

function stays(chance: FailbackChance, shape: Shape, when: string): FailbackVerdict {
  const [from, to] = [nameOf(shape, chance.from), nameOf(shape, chance.to)];
  const reason = `${from}: runs here and stays; it fails back to ${to} ${when}`;
  return { goes: false, from: chance.from, to: chance.from, reason };
}

function nameOf(shape: Shape, node: number): string {
  return must(shape.nodeIds[node], 'a node');
}
