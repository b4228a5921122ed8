/**
 * From where groups should run to what is to be done, in what order: actions, what must be online
 * before a start, and who must have left a node before there is room.
 */
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { Finals } from './finals.ts';
import type { Entry } from './look.ts';
import type { Shape } from './shape.ts';
import { type GroupNow, NOWHERE } from './standing.ts';
import type { Placement, PlacementAction, Plan } from './types.ts';

/** An entry with what it means for what runs now. */
interface Change {
  readonly entry: Entry;
  readonly from: number;
  readonly action: PlacementAction;
}

const NO_GROUPS: Placement['startsAfter'] = [];

export function planFrom(
  shape: Shape,
  groups: readonly GroupNow[],
  finals: Finals,
  nextChangeAt: Instant,
): Plan {
  const changes: Change[] = [];
  // Groups that will run only once this plan has been carried out.
  const comes = new Set<number>();
  for (const { members, everywhere } of shape.units) {
    const inOrder = members.length === 1 ? members : sequence(shape, members);
    for (const group of inOrder) {
      const now = must(groups[group], 'a group');
      const own = finals.of(group).map((entry) => {
        const from = everywhere ? instanceOf(entry, finals.alive(now)) : finals.runningOn(now);
        return { entry, from, action: actionOf(entry, from, now.input.want) };
      });
      const arrives = own.some(({ action }) => action === 'start' || action === 'move');
      const isThere = own.some(({ entry, action }) => action === 'stay' && entry.target >= 0);
      if (arrives && !isThere) comes.add(group);
      changes.push(...own);
    }
  }
  const room = new Room(shape, changes);
  const placements = changes.map((change) => {
    const now = must(groups[change.entry.group], 'a group');
    return toPlacement(shape, change, now, { comes, room });
  });
  const steps = placements.filter(({ action }) => action === 'start' || action === 'move');
  return {
    placements,
    steps: [...placements.filter(({ action }) => action === 'stop'), ...steps],
    problems: shape.problems,
    nextChangeAt,
  };
}

function sequence(shape: Shape, members: readonly number[]): readonly number[] {
  const depth = (group: number): number => must(shape.groups[group], 'a group').depth;
  return members.toSorted((a, b) => depth(a) - depth(b));
}

function instanceOf({ instance }: Entry, alive: readonly number[]): number {
  return alive.includes(instance) ? instance : NOWHERE;
}

function actionOf(entry: Entry, from: number, want: 'online' | 'offline'): PlacementAction {
  if (entry.wait) return 'wait';
  if (entry.target === from) return from < 0 && want === 'online' ? 'wait' : 'stay';
  if (entry.target < 0) return 'stop';
  return from < 0 ? 'start' : 'move';
}

function toPlacement(
  shape: Shape,
  { entry, from, action }: Change,
  now: GroupNow,
  { comes, room }: { comes: ReadonlySet<number>; room: Room },
): Placement {
  const nodeId = (index: number): Placement['target'] => shape.nodeIds[index];
  const facts = must(shape.groups[entry.group], 'a group');
  const arrives = action === 'start' || action === 'move';
  const names = (list: readonly number[]): Placement['startsAfter'] =>
    list.length === 0
      ? NO_GROUPS
      : list.map((group) => must(shape.groups[group], 'a group').id).toSorted();
  const lost = from < 0 && now.runs !== 'no' ? now.owner : NOWHERE;
  return {
    group: facts.id,
    instance: nodeId(entry.instance),
    action,
    target: nodeId(entry.target),
    from: nodeId(from < 0 ? lost : from),
    startsAfter: arrives ? names(facts.after.filter((other) => comes.has(other))) : NO_GROUPS,
    roomFrom: arrives ? names(room.mustLeaveFor(entry)) : NO_GROUPS,
    reason: entry.reason,
  };
}

/** Who must leave a node before others have room there. */
class Room {
  readonly #shape: Shape;
  /** Per node to which something comes and from which something goes. */
  readonly #leaving = new Map<number, readonly number[]>();
  readonly #staying = new Map<number, number[]>();

  constructor(shape: Shape, changes: readonly Change[]) {
    this.#shape = shape;
    const arrivals = new Set<number>();
    const leaving = new Map<number, number[]>();
    for (const { entry, from, action } of changes) {
      if (action === 'start' || action === 'move') arrivals.add(entry.target);
      if (action !== 'stop' && action !== 'move') continue;
      leaving.set(from, [...(leaving.get(from) ?? []), entry.group]);
    }
    for (const [node, groups] of leaving) if (arrivals.has(node)) this.#leaving.set(node, groups);
    for (const node of this.#leaving.keys()) this.#staying.set(node, []);
    for (const { entry } of changes) this.#staying.get(entry.target)?.push(entry.group);
  }

  mustLeaveFor({ group, target }: Entry): readonly number[] {
    const leaving = this.#leaving.get(target);
    if (leaving === undefined) return [];
    const { apartHard, demand } = must(this.#shape.groups[group], 'a group');
    const both = [...leaving, ...must(this.#staying.get(target), 'set with the above')];
    const limits = must(this.#shape.capacity[target], 'a node');
    const short = new Set(
      demand.flatMap(([kind]) => (this.#sum(both, kind) > (limits[kind] ?? 0) ? [kind] : [])),
    );
    return leaving.filter((other) => {
      if (apartHard.has(other)) return true;
      return must(this.#shape.groups[other], 'a group').demand.some(([kind]) => short.has(kind));
    });
  }

  #sum(groups: readonly number[], kind: number): number {
    let sum = 0;
    for (const group of groups) {
      for (const [each, amount] of must(this.#shape.groups[group], 'a group').demand) {
        if (each === kind) sum += amount;
      }
    }
    return sum;
  }
}
