/**
 * Puts the rounds together: after each, where every group has come to; after the last, that is the
 * answer. The reason that a group is given is that of the round which last moved it; of one that was
 * never moved, or that came back to where it runs, that of the last round.
 */
import { must } from '../../base/assert.ts';
import type { FailbackVerdict } from './failback.ts';
import type { Entry, Outcome } from './look.ts';
import type { Shape } from './shape.ts';
import { type GroupNow, NOWHERE, type World } from './standing.ts';

export class Finals {
  readonly #shape: Shape;
  readonly #original: readonly GroupNow[];
  readonly #world: World;
  /** Per group: its entries in the last round; one, or one per node of type `everywhere`. */
  readonly #last: (readonly Entry[])[];
  /** By group, and by node of type `everywhere`: the entry that last changed where it runs. */
  readonly #moving: (Map<number, Entry> | undefined)[];

  constructor(shape: Shape, original: readonly GroupNow[], world: World) {
    this.#shape = shape;
    this.#original = original;
    this.#world = world;
    this.#last = shape.groups.map(() => []);
    this.#moving = shape.groups.map(() => undefined);
  }

  /**
   * Takes the outcome of a round over `groups`. Returns the groups as it would leave them, reusing
   * the objects of `before` where they say the same; `undefined` if another round would change
   * nothing: there is only less room than this one has seen, since nothing has left a place, and no
   * unit has come to run as a whole, which may fail back where a part of it may not.
   */
  take(
    outcomes: readonly Outcome[],
    verdicts: ReadonlyMap<number, FailbackVerdict>,
    { groups, before }: { groups: readonly GroupNow[]; before: readonly GroupNow[] },
  ): readonly GroupNow[] | undefined {
    const next = [...groups];
    let isLast = true;
    for (const [rank, { entries }] of outcomes.entries()) {
      const verdict = verdicts.get(rank);
      const { everywhere, members } = must(this.#shape.units[rank], 'a unit');
      const lead = must(members[0], 'a unit has members');
      if (everywhere) {
        const { now, leaves } = this.#takeEverywhere(must(groups[lead], 'a group'), lead, entries);
        next[lead] = kept(before[lead], now);
        isLast &&= !leaves;
        continue;
      }
      let stays = false;
      let starts = false;
      for (const given of entries) {
        const entry = verdict === undefined ? given : this.#withVerdict(given, verdict);
        const now = must(groups[entry.group], 'a group');
        const at = this.runningOn(now);
        this.#last[entry.group] = entry === given && entries.length === 1 ? entries : [entry];
        stays ||= at >= 0 && entry.target === at;
        if (entry.wait || entry.target === at) continue;
        this.#moves(entry);
        if (at >= 0) isLast = false;
        else starts = true;
        next[entry.group] = kept(before[entry.group], moved(now, entry.target));
      }
      if (stays && starts) isLast = false;
    }
    return isLast ? undefined : next;
  }

  #takeEverywhere(
    now: GroupNow,
    group: number,
    entries: readonly Entry[],
  ): { readonly now: GroupNow; readonly leaves: boolean } {
    this.#last[group] = entries;
    const runsOn = entries.flatMap(({ target }) => (target < 0 ? [] : [target]));
    const alive = new Set(this.alive(now));
    let leaves = false;
    for (const entry of entries) {
      if (alive.has(entry.instance) === entry.target >= 0) continue;
      this.#moves(entry);
      leaves ||= entry.target < 0;
    }
    return { now: isSame(runsOn, now.runsOn) ? now : { ...now, runsOn }, leaves };
  }

  /** Where it fails back from is told only of those that run there, not of those that join them. */
  #withVerdict(entry: Entry, { goes, from, to, reason }: FailbackVerdict): Entry {
    if (entry.target < 0) return entry;
    if (!goes) return { ...entry, reason };
    const runsThere = this.runningOn(must(this.#original[entry.group], 'a group')) === from;
    const name = must(this.#shape.nodeIds[from], 'a node');
    const source = runsThere ? `; it fails back from ${name}` : '';
    return { ...entry, target: to, reason: `${reason}${source}` };
  }

  #moves(entry: Entry): void {
    (this.#moving[entry.group] ??= new Map()).set(entry.instance, entry);
  }

  /** What has become of a group, in order of nodes. */
  of(group: number): readonly Entry[] {
    const last = must(this.#last[group], 'a group');
    const moved = this.#moving[group];
    if (moved === undefined) return last;
    const now = must(this.#original[group], 'a group');
    // A node that it was taken from for good is one that later rounds do not speak of.
    const told = new Set(last.map(({ instance }) => instance));
    const gone = [...moved.values()].filter(({ instance }) => !told.has(instance));
    const all = [...last, ...gone].toSorted((a, b) => a.instance - b.instance);
    return all.map((entry) => {
      const moving = moved.get(entry.instance);
      if (moving === undefined || entry.target !== moving.target) return entry;
      return entry.target === this.#runsAt(now, entry) ? entry : moving;
    });
  }

  #runsAt(now: GroupNow, { instance }: Entry): number {
    if (instance < 0) return this.runningOn(now);
    return this.alive(now).includes(instance) ? instance : NOWHERE;
  }

  /** Where a group of type `failover` is known or presumed to run. */
  runningOn(now: GroupNow): number {
    const isGone = this.#world.nodes[now.owner]?.state === 'lost';
    return now.runs === 'no' || isGone || now.owner < 0 ? NOWHERE : now.owner;
  }

  /** Where a group of type `everywhere` is known or presumed to run. */
  alive(now: GroupNow): readonly number[] {
    return now.runsOn.filter((node) => this.#world.nodes[node]?.state !== 'lost');
  }
}

function moved(now: GroupNow, target: number): GroupNow {
  return target < 0 ? { ...now, runs: 'no' } : { ...now, owner: target, runs: 'yes' };
}

function kept(before: GroupNow | undefined, now: GroupNow): GroupNow {
  const same =
    before !== undefined &&
    before.input === now.input &&
    before.owner === now.owner &&
    before.runs === now.runs &&
    isSame(before.runsOn, now.runsOn);
  return same ? before : now;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}
