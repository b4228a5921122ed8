/**
 * The same rules once more, for tests: small, obvious and slow. It keeps nothing, knows no numbers
 * for names, no ranks kept in order, no bits of who looked where; each question goes through all
 * groups. It says where each group ends up, without reasons.
 */
import { must } from '../../base/assert.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { compileShape } from './shape.ts';
import type { FailoverGroup, PlacementGroup, PlacementInput, PlacementNode } from './types.ts';

/** Where each group runs in the end, by name, sorted; `everywhere` may have several. */
export type Targets = Readonly<Record<string, readonly string[]>>;

interface Unit {
  readonly groups: readonly PlacementGroup[];
  readonly weight: number;
}

interface Place {
  readonly group: string;
  readonly node: string;
}

const FIXED = ['fixed', 'gone'];

export function referenceTargets(input: PlacementInput, roundsMax: number): Targets {
  let state = input;
  let targets: Targets = {};
  for (let round = 0; round < roundsMax; round += 1) {
    const solver = new Slow(state);
    targets = solver.solve();
    const next = { ...state, groups: state.groups.map((group) => after(group, targets, solver)) };
    if (JSON.stringify(next) === JSON.stringify(state)) break;
    state = next;
  }
  return targets;
}

function after(group: PlacementGroup, targets: Targets, solver: Slow): PlacementGroup {
  const list = must(targets[group.id], 'each group has an answer') as readonly NodeId[];
  if (group.type === 'everywhere') return { ...group, runsOn: list };
  if (FIXED.includes(solver.standing(group))) return group;
  if (list[0] !== undefined) return { ...group, owner: list[0], runs: 'yes' };
  return solver.runsAt(group) === undefined ? group : { ...group, runs: 'no' };
}

class Slow {
  readonly #input: PlacementInput;
  readonly #nodes: ReadonlyMap<string, PlacementNode>;
  readonly #units: readonly Unit[];
  readonly #frozen: ReadonlySet<string>;
  /** What units before the present one were given, and who lost which place. */
  #given: Place[] = [];
  #lostPlace: Place[] = [];

  constructor(input: PlacementInput) {
    this.#input = input;
    this.#nodes = new Map(input.nodes.map((node) => [node.id, node]));
    const shape = compileShape(input);
    this.#frozen = new Set(
      shape.units.flatMap(({ problem, members }) =>
        problem === undefined ? [] : members.map((member) => shape.groups[member]?.id ?? ''),
      ),
    );
    this.#units = this.#rankedUnits();
  }

  solve(): Targets {
    for (const unit of this.#units) {
      const [first] = unit.groups;
      if (first?.type === 'everywhere') this.#placeEverywhere(unit);
      else this.#placeUnit(unit);
    }
    this.#failBack();
    const all = this.#input.groups.map((group) => [
      group.id,
      this.#given.flatMap((each) => (each.group === group.id ? [each.node] : [])).toSorted(),
    ]);
    return Object.fromEntries(all) as Targets;
  }

  #placeUnit(unit: Unit): void {
    const settled: FailoverGroup[] = [];
    const movers: FailoverGroup[] = [];
    const pins: string[] = [];
    const held = this.#held(unit);
    for (const group of unit.groups as readonly FailoverGroup[]) {
      const at = this.runsAt(group);
      switch (this.standing(group)) {
        case 'fixed':
          if (at !== undefined) pins.push(at);
          if (at !== undefined) this.#give(group, at);
          break;
        case 'gone':
        case 'off':
          break;
        case 'idle':
          if (!held.has(group.id)) movers.push(group);
          break;
        default:
          (this.#mayRemain(unit, group) ? settled : movers).push(group);
      }
    }
    const content = settled.filter((group) => this.standing(group) === 'content');
    const homes = new Set([...pins, ...content.map((group) => this.runsAt(group))]);
    const isQuiet = movers.length === 0 && content.length === settled.length && homes.size <= 1;
    if (isQuiet || (pins.length > 0 && movers.length === 0)) {
      for (const group of settled) this.#give(group, must(this.runsAt(group), 'it runs'));
      return;
    }
    const whole = pins.length === 0 ? [...settled, ...movers] : movers;
    const inOrder = unit.groups.filter((group) => whole.includes(group as FailoverGroup));
    const anchors = new Set([...pins, ...settled.map((group) => this.runsAt(group))]);
    const pinned = anchors.size === 1 ? ([...anchors] as string[]) : [];
    const nodes = pins.length === 0 ? this.#nodesFor(unit, inOrder) : pinned;
    const found = this.#search(unit, inOrder as FailoverGroup[], nodes, movers.length > 0);
    for (const group of settled) {
      const stays = pins.length > 0 || found === undefined;
      this.#give(group, stays ? must(this.runsAt(group), 'it runs') : found);
    }
    if (found !== undefined) for (const group of movers) this.#give(group, found);
  }

  /** Runs, and may go on where it does if nothing else is found. */
  #mayRemain(unit: Unit, group: FailoverGroup): boolean {
    const at = must(this.runsAt(group), 'it runs');
    if (this.standing(group) === 'hard') return false;
    return !this.#isPushedOut(unit, group, at) && !this.#hasLost(group.id, at);
  }

  #isPushedOut(unit: Unit, group: PlacementGroup, at: string): boolean {
    return this.#given.some(
      (each) =>
        each.node === at &&
        !unit.groups.some(({ id }) => id === each.group) &&
        this.#areApart(group, this.#group(each.group), false),
    );
  }

  #hasLost(group: string, node: string): boolean {
    return this.#lostPlace.some((each) => each.group === group && each.node === node);
  }

  #nodesFor(unit: Unit, groups: readonly PlacementGroup[]): readonly string[] {
    const homes = groups.flatMap((group) => {
      if (group.type !== 'failover' || this.standing(group) !== 'content') return [];
      const at = must(this.runsAt(group), 'it runs');
      return this.#isPushedOut(unit, group, at) ? [] : [at];
    });
    const tries = groups.flatMap((group) => {
      if (group.type !== 'failover' || this.standing(group) !== 'idle') return [];
      const { firstTry } = group;
      return firstTry !== undefined && this.#nodes.has(firstTry) ? [firstTry] : [];
    });
    const lead = must(unit.groups[0], 'a unit has groups');
    const known = lead.preferred.filter((node) => this.#nodes.has(node));
    const allowed = known.filter((node) => lead.allowed === 'any' || lead.allowed.includes(node));
    const rest = [...this.#nodes.keys()].filter(
      (node) => lead.allowed === 'any' || lead.allowed.includes(node as NodeId),
    );
    return [...new Set([...homes, ...tries, ...allowed, ...rest.toSorted()])];
  }

  #search(
    unit: Unit,
    groups: readonly FailoverGroup[],
    nodes: readonly string[],
    needy: boolean,
  ): string | undefined {
    const runsFreely = groups.some(
      (group) => this.standing(group) === 'content' && this.#mayRemain(unit, group),
    );
    const plain = nodes.filter((node) => this.#fits(unit, groups, node, new Set()));
    const gentle = plain.find((node) => {
      const neighbours = this.#on(unit, node, new Set());
      return !groups.some((a) => neighbours.some((b) => this.#areApart(a, b, true)));
    });
    if (!runsFreely && gentle !== undefined) return gentle;
    if (plain[0] !== undefined) return plain[0];
    const last = nodes.find((node) => this.#fits(unit, groups, node, new Set(), true));
    if (last !== undefined || !needy) return last;
    for (const node of nodes) {
      const out = this.#evict(unit, groups, node);
      if (out === undefined) continue;
      for (const other of this.#on(unit, node, new Set())) {
        const theirs = this.#unitOf(other);
        if (out.has(theirs)) this.#lostPlace.push({ group: other.id, node });
      }
      return node;
    }
    return undefined;
  }

  #fits(
    unit: Unit,
    groups: readonly FailoverGroup[],
    node: string,
    without: ReadonlySet<Unit>,
    inStandby = false,
  ): boolean {
    const suits = (group: FailoverGroup): boolean => {
      const ranThere = this.standing(group) === 'idle' && group.firstTry === node;
      return this.#isSuitable(unit, group, node, inStandby && ranThere);
    };
    if (!groups.every(suits)) return false;
    const newcomers = this.#newcomers(unit, groups, node);
    const neighbours = this.#on(unit, node, without);
    const present = this.#present(unit, newcomers, node);
    if (newcomers.some((a) => neighbours.some((b) => this.#areApart(a, b, false)))) return false;
    return this.#hasRoom(node, [...neighbours, ...present], newcomers);
  }

  /** Of the same unit, there already, and not among the newcomers. */
  #present(
    unit: Unit,
    newcomers: readonly PlacementGroup[],
    node: string,
  ): readonly PlacementGroup[] {
    return unit.groups.filter((group) => {
      if (group.type === 'everywhere' || newcomers.includes(group as FailoverGroup)) return false;
      const standing = this.standing(group);
      return this.runsAt(group) === node && standing !== 'off' && standing !== 'idle';
    });
  }

  #newcomers(unit: Unit, groups: readonly FailoverGroup[], node: string): readonly FailoverGroup[] {
    return groups.filter((group) => {
      const isHere = this.runsAt(group) === node && this.standing(group) === 'content';
      return !(isHere && this.#mayRemain(unit, group));
    });
  }

  #isSuitable(unit: Unit, group: FailoverGroup, node: string, inStandby = false): boolean {
    if (this.runsAt(group) === node && this.standing(group) === 'content') {
      return !this.#isPushedOut(unit, group, node);
    }
    if (this.runsAt(group) === node && this.standing(group) !== 'idle') return false;
    return this.#isStartable(group, node, inStandby);
  }

  #isStartable(group: PlacementGroup, name: string, inStandby = false): boolean {
    const node = this.#nodes.get(name);
    if (node === undefined || node.state !== 'up') return false;
    if ((node.standby && !inStandby) || node.maintenance || node.quarantined) return false;
    if (!this.#isAllowed(group, name) || group.failedOn.includes(node.id)) return false;
    if (group.passedOver?.includes(node.id) === true) return false;
    if (group.type === 'everywhere' || group.inSync === 'no-mirrors') return true;
    return group.inSync.includes(node.id);
  }

  #isAllowed(group: PlacementGroup, node: string): boolean {
    const { now } = this.#input;
    const isBanned = group.bans.some(
      (ban) => ban.node === node && (ban.until === undefined || ban.until > now),
    );
    return !isBanned && (group.allowed === 'any' || group.allowed.includes(node as NodeId));
  }

  #hasRoom(
    name: string,
    neighbours: readonly PlacementGroup[],
    newcomers: readonly PlacementGroup[],
  ): boolean {
    const capacity = must(this.#nodes.get(name), 'a node').capacity;
    return Object.entries(capacity).every(([kind, limit]) => {
      const parts = (group: PlacementGroup): number => Math.round((group.demand[kind] ?? 0) * 1000);
      if (newcomers.every((group) => parts(group) === 0)) return true;
      const all = [...neighbours, ...newcomers].reduce((sum, group) => sum + parts(group), 0);
      return all <= Math.round(limit * 1000);
    });
  }

  /** Groups of other units on a node, as the unit whose turn it is sees them. */
  #on(unit: Unit, node: string, without: ReadonlySet<Unit>): readonly PlacementGroup[] {
    const turn = this.#units.indexOf(unit);
    return this.#input.groups.filter((group) => {
      const theirs = this.#unitOf(group);
      const rank = this.#units.indexOf(theirs);
      if (rank === turn || without.has(theirs)) return false;
      if (rank < turn) return this.#given.some((p) => p.group === group.id && p.node === node);
      if (this.#hasLost(group.id, node)) return false;
      return this.#holds(group, node);
    });
  }

  #holds(group: PlacementGroup, node: string): boolean {
    const standing =
      group.type === 'failover' ? this.standing(group) : this.#standingAt(group, node);
    const isThere =
      group.type === 'failover'
        ? this.runsAt(group) === node
        : group.runsOn.includes(node as NodeId);
    return isThere && (standing === 'content' || standing === 'soft' || standing === 'fixed');
  }

  #evict(
    unit: Unit,
    groups: readonly FailoverGroup[],
    node: string,
  ): ReadonlySet<Unit> | undefined {
    if (!groups.every((group) => this.#isSuitable(unit, group, node))) return undefined;
    const turn = this.#units.indexOf(unit);
    const neighbours = this.#on(unit, node, new Set());
    const weaker = this.#units.filter((theirs, rank) => {
      const here = neighbours.filter((group) => this.#unitOf(group) === theirs);
      if (here.length === 0 || rank < turn || theirs.weight >= unit.weight) return false;
      return here.every((group) => {
        const standing =
          group.type === 'failover' ? this.standing(group) : this.#standingAt(group, node);
        return standing !== 'fixed';
      });
    });
    const newcomers = this.#newcomers(unit, groups, node);
    const rivals = neighbours.filter((b) => newcomers.some((a) => this.#areApart(a, b, false)));
    const bound = new Set(rivals.map((rival) => this.#unitOf(rival)));
    if ([...bound].some((theirs) => !weaker.includes(theirs))) return undefined;
    const out = new Set(bound);
    const present = this.#present(unit, newcomers, node);
    const fits = (): boolean =>
      this.#hasRoom(node, [...this.#on(unit, node, out), ...present], newcomers);
    for (const theirs of weaker.toReversed()) if (!fits()) out.add(theirs);
    if (!fits()) return undefined;
    for (const theirs of weaker) {
      if (bound.has(theirs) || !out.delete(theirs) || fits()) continue;
      out.add(theirs);
    }
    return out;
  }

  #placeEverywhere(unit: Unit): void {
    const group = must(unit.groups[0], 'a unit has groups');
    if (group.type !== 'everywhere') return;
    const waits = group.after.some((other) => !this.#willRun(other));
    const reluctant: string[] = [];
    let elsewhere = false;
    for (const node of [...this.#nodes.keys()].toSorted()) {
      const neighbours = this.#on(unit, node, new Set());
      const apart = neighbours.some((b) => this.#areApart(group, b, false));
      const pushed =
        this.#isPushedOut(unit, group, node) ||
        (this.#hasLost(group.id, node) && !this.#hasRoom(node, neighbours, [group]));
      switch (this.#standingAt(group, node)) {
        case 'fixed':
          if (group.runsOn.includes(node as NodeId)) this.#give(group, node);
          elsewhere ||=
            group.runsOn.includes(node as NodeId) && this.#nodes.get(node)?.state === 'up';
          break;
        case 'content':
          if (!pushed) this.#give(group, node);
          elsewhere ||= !pushed;
          break;
        case 'soft':
          if (!pushed) reluctant.push(node);
          break;
        case 'idle':
          if (waits || apart || !this.#isStartable(group, node)) break;
          if (!this.#hasRoom(node, neighbours, [group])) break;
          this.#give(group, node);
          elsewhere = true;
          break;
        default:
      }
    }
    if (!elsewhere) for (const node of reluctant) this.#give(group, node);
  }

  #failBack(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const unit of this.#units) {
        const to = this.#failbackTarget(unit);
        if (to === undefined) continue;
        const active = unit.groups.filter((group) => this.#isPlaced(group));
        this.#given = this.#given.filter(({ group }) => !active.some(({ id }) => id === group));
        for (const group of active) this.#give(group, to);
        moved = true;
      }
    }
  }

  #isPlaced(group: PlacementGroup): boolean {
    return this.#given.some((each) => each.group === group.id);
  }

  #failbackTarget(unit: Unit): string | undefined {
    const lead = must(unit.groups[0], 'a unit has groups');
    const to = lead.preferred.find(
      (node) => this.#nodes.has(node) && (lead.allowed === 'any' || lead.allowed.includes(node)),
    );
    const since = to === undefined ? undefined : this.#nodes.get(to)?.healthySince;
    const active = unit.groups.filter((group) => this.#isPlaced(group));
    const nodes = new Set(
      this.#given.flatMap((p) => (active.some(({ id }) => id === p.group) ? [p.node] : [])),
    );
    if (to === undefined || since === undefined || nodes.size !== 1 || nodes.has(to))
      return undefined;
    const healthyFor = active.map((group) => {
      if (group.type === 'everywhere' || this.standing(group) !== 'content') return Infinity;
      if (!nodes.has(this.runsAt(group) ?? '')) return Infinity;
      if (group.failback.policy === 'never') return Infinity;
      if (group.failback.policy === 'window' && !group.failback.open) return Infinity;
      return this.#isStartable(group, to) ? group.failback.healthyForMs : Infinity;
    });
    const others = unit.groups.filter((group) => !active.includes(group));
    if (others.some((g) => g.type === 'failover' && this.#isLeftBehind(unit, g))) return undefined;
    if (since + Math.max(...healthyFor) > this.#input.now) return undefined;
    // Someone who lost the place and got it back is not asked to move again in the same round.
    if (active.some((group) => this.#hasLost(group.id, [...nodes][0] ?? ''))) return undefined;
    const neighbours = this.#input.groups.filter((group) =>
      this.#given.some((each) => each.group === group.id && each.node === to),
    );
    const isApart = active.some((a) =>
      neighbours.some((b) => this.#areApart(a, b, false) || this.#areApart(a, b, true)),
    );
    return !isApart && this.#hasRoom(to, neighbours, active) ? to : undefined;
  }

  /** Wanted with the others and not placed with them, or not to be touched. */
  #isLeftBehind(unit: Unit, group: FailoverGroup): boolean {
    const standing = this.standing(group);
    if (standing === 'off') return false;
    return standing !== 'idle' || !this.#held(unit).has(group.id);
  }

  #held(unit: Unit): ReadonlySet<string> {
    const held = new Set<string>();
    const ids = new Set<string>(unit.groups.map(({ id }) => id));
    for (let size = -1; size !== held.size;) {
      size = held.size;
      for (const group of unit.groups) {
        if (group.type !== 'failover' || this.standing(group) !== 'idle') continue;
        const isMissing = (name: GroupId): boolean => {
          if (!ids.has(name)) return !this.#willRun(name);
          const other = this.#group(name) as FailoverGroup;
          const standing = this.standing(other);
          if (standing === 'off' || standing === 'gone') return true;
          return standing === 'fixed'
            ? !this.#willRun(name) && !this.#isKept(other)
            : held.has(name);
        };
        if (group.after.some(isMissing)) held.add(group.id);
      }
    }
    return held;
  }

  /** Given a place, on a node that is heard, and known to run. */
  #willRun(name: string): boolean {
    const group = this.#group(name);
    const isUnsure =
      group.type === 'failover' && group.runs === 'unknown' && this.standing(group) === 'fixed';
    return (
      !isUnsure &&
      this.#given.some((p) => p.group === name && this.#nodes.get(p.node)?.state === 'up')
    );
  }

  #isKept(group: FailoverGroup): boolean {
    const at = this.runsAt(group);
    return at !== undefined && group.runs === 'yes' && this.#nodes.get(at)?.state === 'up';
  }

  /** Where it runs or may run. */
  runsAt(group: FailoverGroup): string | undefined {
    const node = group.owner === undefined ? undefined : this.#nodes.get(group.owner);
    return group.runs === 'no' || node === undefined || node.state === 'lost' ? undefined : node.id;
  }

  standing(group: FailoverGroup): 'off' | 'fixed' | 'gone' | 'content' | 'soft' | 'hard' | 'idle' {
    const node = group.owner === undefined ? undefined : this.#nodes.get(group.owner);
    const isOff = group.want === 'offline';
    if (group.owner !== undefined && node === undefined) {
      return group.runs === 'no' && isOff ? 'off' : 'gone';
    }
    const kept = this.#input.maintenance || group.maintenance || node?.maintenance === true;
    if (node === undefined || node.state === 'lost') {
      if (isOff) return 'off';
      return kept || this.#frozen.has(group.id) ? 'gone' : 'idle';
    }
    if (group.runs === 'no' && isOff) return 'off';
    if (node.state !== 'up') return 'fixed';
    if (group.runs === 'no') return kept || this.#frozen.has(group.id) ? 'gone' : 'idle';
    if (group.runs === 'unknown' || kept) return 'fixed';
    return this.#runningStanding(group, node);
  }

  #standingAt(
    group: PlacementGroup,
    name: string,
  ): 'off' | 'fixed' | 'content' | 'soft' | 'hard' | 'idle' {
    const node = must(this.#nodes.get(name), 'a node');
    const runs = group.type === 'everywhere' && group.runsOn.includes(node.id);
    const kept = this.#input.maintenance || group.maintenance;
    if (!runs || node.state === 'lost') {
      if (group.want === 'offline') return 'off';
      return kept || this.#frozen.has(group.id) ? 'off' : 'idle';
    }
    if (node.state !== 'up' || kept || node.maintenance) return 'fixed';
    return this.#runningStanding(group, node);
  }

  #runningStanding(
    group: PlacementGroup,
    node: PlacementNode,
  ): 'off' | 'fixed' | 'content' | 'soft' | 'hard' {
    if (group.want === 'offline') return 'off';
    if (this.#frozen.has(group.id)) return 'fixed';
    if (!this.#isAllowed(group, node.id)) return 'hard';
    return node.standby || group.failedOn.includes(node.id) ? 'soft' : 'content';
  }

  #give(group: PlacementGroup, node: string): void {
    this.#given.push({ group: group.id, node });
  }

  #group(id: string): PlacementGroup {
    return must(
      this.#input.groups.find((group) => group.id === id),
      'a group',
    );
  }

  #unitOf(group: PlacementGroup): Unit {
    return must(
      this.#units.find(({ groups }) => groups.includes(group)),
      'each is in a unit',
    );
  }

  #areApart(a: PlacementGroup, b: PlacementGroup, soft: boolean): boolean {
    const said = [
      ...a.apart.filter(({ group }) => group === b.id),
      ...b.apart.filter(({ group }) => group === a.id),
    ];
    const isHard = said.some((each) => !each.soft);
    return said.length > 0 && isHard !== soft;
  }

  #rankedUnits(): readonly Unit[] {
    const groups = this.#input.groups.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const mates = (a: PlacementGroup, b: PlacementGroup): boolean =>
      a.type === 'failover' &&
      b.type === 'failover' &&
      (a.together.includes(b.id) || b.together.includes(a.id));
    let parts: PlacementGroup[][] = groups.map((group) => [group]);
    for (let count = -1; count !== parts.length;) {
      count = parts.length;
      for (const part of parts) {
        const more = parts.filter(
          (p) => p !== part && p.some((a) => part.some((b) => mates(a, b))),
        );
        if (more.length === 0) continue;
        parts = parts.filter((p) => p !== part && !more.includes(p));
        parts.push([part, ...more].flat());
        break;
      }
    }
    const comesAfter = (a: PlacementGroup[], b: PlacementGroup[]): boolean =>
      a !== b && a.some(({ after: names }) => b.some(({ id }) => names.includes(id)));
    const weight = new Map(parts.map((part) => [part, Math.max(...part.map((g) => g.priority))]));
    const depth = new Map(parts.map((part) => [part, 0]));
    for (let turn = 0; turn < parts.length; turn += 1) {
      for (const a of parts) {
        for (const b of parts) {
          if (!comesAfter(a, b)) continue;
          weight.set(b, Math.max(weight.get(a) ?? 0, weight.get(b) ?? 0));
          depth.set(a, Math.max(depth.get(a) ?? 0, (depth.get(b) ?? 0) + 1));
        }
      }
    }
    const name = (part: PlacementGroup[]): string => part.map(({ id }) => id).toSorted()[0] ?? '';
    const sorted = parts.toSorted(
      (a, b) =>
        (weight.get(b) ?? 0) - (weight.get(a) ?? 0) ||
        (depth.get(a) ?? 0) - (depth.get(b) ?? 0) ||
        (name(a) < name(b) ? -1 : 1),
    );
    return sorted.map((part) => ({
      groups: this.#membersInOrder(part),
      weight: weight.get(part) ?? 0,
    }));
  }

  #membersInOrder(part: readonly PlacementGroup[]): readonly PlacementGroup[] {
    const depth = (group: PlacementGroup, left = this.#input.groups.length): number => {
      const before = group.after.flatMap((id) => this.#input.groups.filter((g) => g.id === id));
      if (left === 0 || before.length === 0) return 0;
      return 1 + Math.max(...before.map((each) => depth(each, left - 1)));
    };
    return part.toSorted(
      (a, b) => b.priority - a.priority || depth(a) - depth(b) || (a.id < b.id ? -1 : 1),
    );
  }
}
