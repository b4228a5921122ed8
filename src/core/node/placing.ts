/**
 * Where the groups of a cluster belong whose configuration has words of placement, as this node sees
 * it: it keeps the plan (`../placement`) up to date with what is known here, and answers the groups'
 * cores. In a cluster without such words there is none of this.
 *
 * A plan is advice. Who owns a group is decided by votes, which do not look at plans; views of nodes
 * may differ for a time. What keeps that harmless:
 *   - whom the plan does not choose waits for its turn, and then takes over all the same (`turnOf`);
 *   - what runs on this node is known here exactly, and nothing starts beside what it must be apart
 *     from, nor beyond the capacity (`obstacleHere`), whatever the plan said;
 *   - moves are few (`placed.ts`).
 */
import { type Instant, NEVER, earliest, instant, plus } from '../../base/time.ts';
import type { Config } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf } from '../registry/bars.ts';
import { Planner } from '../placement/planner.ts';
import { PARTS_PER_UNIT } from '../placement/shape.ts';
import type { Placement, PlacementInput, Plan } from '../placement/types.ts';
import { staleCopies } from './candidacy.ts';
import type { Effect, Standing } from './node-io.ts';
import { type GroupFacts, placementInput } from './placing-facts.ts';
import { awaitedInstance, type InstanceFacts, sameInstance } from './placing-instances.ts';

/** Who the plan names has this long to be first; then it is the turn of the next one. */
const TURN_MS = 200;
/** Who cannot take over in that time, for want of votes perhaps, keeps no room for it any longer. */
const OWN_TURN_MS = 5000;
/**
 * When nobody took its turn, all have another one, at a moment that is the same for all groups: so those
 * that nobody can take keep room at the same time, and leave it to others at the same time.
 */
const TURNS_AGAIN_MS = 2 * OWN_TURN_MS;
/** How often a node repeats how its groups stand: datagrams may be lost. */
const REPEAT_MS = 1000;
/** Groups in one datagram. */
const TOLD_TOGETHER_MAX = 16;

interface Turn {
  readonly node: NodeId | undefined;
  readonly endsAt: Instant;
}

export interface PlacingOptions {
  readonly me: NodeId;
  readonly config: Config;
  /** What the core of each group knows at the moment. */
  readonly factsOf: (group: GroupId) => GroupFacts | undefined;
  /** The same of groups that run everywhere. */
  readonly instanceOf: (group: GroupId) => InstanceFacts | undefined;
  readonly upSince: (node: NodeId) => Instant | undefined;
}

export class Placing {
  readonly #options: PlacingOptions;
  readonly #planner = new Planner();
  #facts = new Map<GroupId, GroupFacts>();
  readonly #instances = new Map<GroupId, InstanceFacts>();
  #peers: ReadonlyMap<NodeId, PeerReport> = new Map();
  #heartConnected = false;
  #startedAt: Instant | undefined;
  readonly #told = new Map<GroupId, Standing['groups'][number]>();
  readonly #passedOver = new Map<GroupId, Set<NodeId>>();
  readonly #turns = new Map<GroupId, Turn>();
  #input: PlacementInput | undefined;
  #plan: Plan | undefined;
  #placements: ReadonlyMap<GroupId, Placement> = new Map();
  #dirty = true;
  #said = '';
  #sayAt: Instant = NEVER;
  readonly #choices = new Map<string, Placement | undefined>();

  constructor(options: PlacingOptions) {
    this.#options = options;
  }

  get problems(): readonly string[] {
    return this.#plan?.problems ?? [];
  }

  nextWakeAt(): Instant {
    const turns = [...this.#turns.values()].map(({ endsAt }) => endsAt);
    return earliest([this.#plan?.nextChangeAt ?? NEVER, this.#sayAt, ...turns]);
  }

  // What becomes known.

  peersReported(peers: readonly PeerReport[]): void {
    const before = this.#peers;
    this.#peers = new Map(peers.map((peer) => [peer.node, peer]));
    this.#dirty ||= peers.some(({ deafSince, node, state }) => {
      const old = before.get(node);
      return old?.state !== state || (old.deafSince === undefined) !== (deafSince === undefined);
    });
  }

  heart(connected: boolean): void {
    this.#dirty ||= this.#heartConnected !== connected;
    this.#heartConnected = connected;
  }

  heard(from: NodeId, { groups }: Standing): void {
    for (const told of groups) {
      const before = this.#told.get(told.group);
      if (before !== undefined && before.epoch > told.epoch) continue;
      const owner = this.#facts.get(told.group)?.record;
      if (owner?.epoch === told.epoch && owner.owner !== from) continue;
      if (before?.epoch === told.epoch && before.state === told.state && before.to === told.to) {
        continue;
      }
      this.#told.set(told.group, told);
      this.#dirty = true;
    }
  }

  /** Takes in what has changed since. True if there is a new plan, which the groups must look at. */
  refresh(now: Instant): boolean {
    this.#startedAt ??= now;
    for (const { id } of this.#options.config.groups) {
      const instance = this.#options.instanceOf(id);
      if (instance !== undefined && !sameInstance(this.#instances.get(id), instance)) {
        this.#instances.set(id, instance);
        this.#dirty = true;
      }
      const facts = this.#options.factsOf(id);
      const before = this.#facts.get(id);
      if (facts === undefined || (before !== undefined && isSame(before, facts))) continue;
      this.#facts.set(id, facts);
      this.#dirty = true;
    }
    this.#takeTurns(now);
    if (!this.#dirty && now < (this.#plan?.nextChangeAt ?? NEVER)) return false;
    this.#dirty = false;
    this.#makePlan(now);
    this.#takeTurns(now);
    return true;
  }

  #makePlan(now: Instant): void {
    const { config, me } = this.#options;
    this.#input = placementInput({
      ...{ me, config, now, peers: this.#peers, heartConnected: this.#heartConnected },
      upSince: (node) => (node === me ? this.#startedAt : this.#options.upSince(node)),
      ...{ facts: this.#facts, instances: this.#instances, told: this.#told },
      passedOver: this.#passedOver,
    });
    this.#plan = this.#planner.plan(this.#input);
    this.#placements = new Map(this.#plan.placements.map((each) => [each.group, each]));
    this.#choices.clear();
  }

  /** How this node's groups stand, for the others: when that has changed, and again and again. */
  tellOthers(now: Instant): readonly Effect[] {
    const { config, me } = this.#options;
    const groups = [...this.#facts].flatMap(([group, { own, record }]) =>
      own === undefined || record === undefined ? [] : [{ group, epoch: record.epoch, ...own }],
    );
    const text = JSON.stringify(groups);
    if (text === this.#said && now < this.#sayAt) return [];
    this.#said = text;
    this.#sayAt = groups.length === 0 ? NEVER : plus(now, REPEAT_MS);
    const effects: Effect[] = [];
    for (let at = 0; at < groups.length; at += TOLD_TOGETHER_MAX) {
      const message: Standing = {
        type: 'standing',
        groups: groups.slice(at, at + TOLD_TOGETHER_MAX),
      };
      for (const { id } of config.nodes) {
        if (id !== me) effects.push({ type: 'send', to: id, message, after: undefined });
      }
    }
    return effects;
  }

  // Taking over.

  /** Those that had their turn and did not take a lost owner's group: the plan does without them. */
  #takeTurns(now: Instant): void {
    for (const [group, { ownerLost, record }] of this.#facts) {
      if (!ownerLost || record?.want !== 'online') {
        if (this.#passedOver.delete(group)) this.#dirty = true;
        this.#turns.delete(group);
        continue;
      }
      const placement = this.#placements.get(group);
      const node = placement?.action === 'start' ? placement.target : undefined;
      const turn = this.#turns.get(group);
      const passedOver = this.#passedOver.get(group) ?? new Set();
      if (turn === undefined || turn.node !== node) {
        const again = passedOver.size === 0 ? NEVER : turnsAgainAt(now);
        const next = plus(now, node === this.#options.me ? OWN_TURN_MS : TURN_MS);
        this.#turns.set(group, { node, endsAt: node === undefined ? again : next });
      } else if (now >= turn.endsAt) {
        this.#dirty = true;
        this.#turns.delete(group);
        if (node === undefined) this.#passedOver.delete(group);
        else this.#passedOver.set(group, passedOver.add(node));
      }
    }
  }

  /** Whether it is this node's turn to take the group over from its lost owner; else why not. */
  turnOf(
    group: GroupId,
    record: OwnershipRecord,
  ): { readonly mine: boolean; readonly why: string | undefined } {
    const placement = this.#placements.get(group);
    const known = this.#facts.get(group)?.record === record;
    if (placement === undefined || !known) return { mine: false, why: undefined };
    const { action, target } = placement;
    const mine = action === 'start' && target === this.#options.me;
    // Whom the plan passes over for having let its turn go by is no matter of room.
    const told = target === undefined && !this.#passedOver.has(group);
    return { mine, why: told ? placement.reason : undefined };
  }

  // What the plan says.

  placement(group: GroupId): Placement | undefined {
    return this.#placements.get(group);
  }

  /**
   * The best of `fit` for a group that has to leave this node, or the reason why it is none of them;
   * less important ones give way there.
   */
  choose(group: GroupId, fit: readonly NodeId[]): Placement | undefined {
    const key = `${group} ${fit.join(' ')}`;
    if (this.#choices.has(key)) return this.#choices.get(key);
    const input = this.#input;
    if (input === undefined) return undefined;
    const groups = input.groups.map((each) =>
      each.id !== group || each.type !== 'failover'
        ? each
        : { ...each, runs: 'no' as const, allowed: fit, preferred: fit, bans: [], failedOn: [] },
    );
    const plan = new Planner().plan({ ...input, groups });
    const chosen = plan.placements.find((each) => each.group === group);
    this.#choices.set(key, chosen);
    return chosen;
  }

  /** What is against moving the group to `node` as things are, as the end of a sentence. */
  against(group: GroupId, node: NodeId): string | undefined {
    const along = this.matesOf(group).filter((mate) => this.#facts.get(mate)?.present === true);
    for (const mate of along) {
      const why = this.#unfit(mate, node);
      if (why !== undefined) return `cannot have "${mate}", which goes along: it ${why}`;
    }
    const there = (this.#input?.groups ?? []).flatMap((each) =>
      each.type === 'failover' && each.owner === node && each.runs !== 'no' ? [each.id] : [],
    );
    return conflict(this.#options.config, node, [group, ...along], there);
  }

  #unfit(group: GroupId, node: NodeId): string | undefined {
    const record = this.#facts.get(group)?.record;
    const config = this.#options.config.groups.find(({ id }) => id === group);
    if (config?.nodes.includes(node) !== true) return 'is not among its nodes';
    if (record === undefined) return undefined;
    const stale = staleCopies(record, node);
    if (stale.length > 0) return `has a copy of "${stale.join('", "')}" that is not in sync`;
    return barOf(record, node);
  }

  /**
   * What is against starting it on this node now, alone or with all that it runs together with. What
   * runs here is known exactly: the cores are asked, for others may have started in this very step.
   */
  obstacleHere(group: GroupId, manner: 'alone' | 'whole'): string | undefined {
    const { config, factsOf, me } = this.#options;
    const here = config.groups.flatMap(({ id }) => (factsOf(id)?.present === true ? [id] : []));
    const unit = manner === 'whole' ? this.matesOf(group) : [];
    return conflict(config, me, [group, ...unit], here);
  }

  /** Of those that it comes after, the first one that is not online, with how it stands. */
  awaited(group: GroupId): string | undefined {
    for (const other of this.#configOf(group)?.after ?? []) {
      const instance = this.#awaitedInstance(other);
      if (instance !== undefined) return `it comes after "${other}", which ${instance}`;
      if (this.#instances.has(other)) continue;
      const state = this.#stateOf(other);
      if (state.online) continue;
      return `it comes after "${other}", which ${state.words}`;
    }
    return undefined;
  }

  #awaitedInstance(group: GroupId): string | undefined {
    const { config, me } = this.#options;
    const facts = this.#instances.get(group);
    const found = config.groups.find(({ id }) => id === group);
    if (facts === undefined || found === undefined) return undefined;
    return awaitedInstance(found, facts, me);
  }

  #stateOf(group: GroupId): { readonly online: boolean; readonly words: string } {
    const { me } = this.#options;
    const { record } = this.#facts.get(group) ?? {};
    if (record === undefined) return { online: false, words: 'has never run, as far as is known' };
    if (record.want === 'offline') return { online: false, words: 'is wanted offline' };
    const { owner } = record;
    const mine = owner === me;
    const told = this.#told.get(group);
    const state = mine
      ? this.#facts.get(group)?.own?.state
      : told?.epoch === record.epoch && this.#peers.get(owner)?.state === 'up'
        ? told.state
        : undefined;
    return { online: state === 'online', words: `is not online on ${owner} yet` };
  }

  /** More important groups of this node that wait here for this one to make room. */
  waitsForRoomOf(group: GroupId): GroupId | undefined {
    const { me } = this.#options;
    return this.#plan?.placements.find(({ group: other, roomFrom, target }) => {
      if (target !== me || !roomFrom.includes(group)) return false;
      const facts = this.#facts.get(other);
      if (facts?.record?.owner !== me || facts.own?.state !== 'down') return false;
      // The plan may want the room for one that is not owned here yet, and may never be.
      return this.obstacleHere(other, 'alone') !== undefined;
    })?.group;
  }

  /** A group that runs here and from which it must be apart. */
  rivalHere(group: GroupId): GroupId | undefined {
    return [...this.#facts].find(
      ([id, { present }]) => present && id !== group && isApart(this.#options.config, group, id),
    )?.[0];
  }

  runsOn(group: GroupId, node: NodeId): boolean {
    return (this.#input?.groups ?? []).some(
      (each) =>
        each.id === group && each.type === 'failover' && each.owner === node && each.runs === 'yes',
    );
  }

  runsElsewhere(group: GroupId): boolean {
    const { config, me } = this.#options;
    return config.nodes.some(({ id }) => id !== me && this.runsOn(group, id));
  }

  /** Groups that run where it runs, by way of others too. */
  matesOf(group: GroupId): readonly GroupId[] {
    const { groups } = this.#options.config;
    const mates = new Set([group]);
    for (const mate of mates) {
      for (const { id, placement } of groups) {
        const named = this.#configOf(mate)?.together.includes(id) === true;
        if (named || placement?.together.includes(mate) === true) mates.add(id);
      }
    }
    return [...mates].filter((mate) => mate !== group);
  }

  factsOf(group: GroupId): GroupFacts | undefined {
    return this.#facts.get(group);
  }

  #configOf(group: GroupId): Config['groups'][number]['placement'] {
    return this.#options.config.groups.find(({ id }) => id === group)?.placement;
  }
}

export function isApart(config: Config, a: GroupId, b: GroupId): boolean {
  const names = (from: GroupId, to: GroupId): boolean =>
    config.groups.find(({ id }) => id === from)?.placement?.apart.includes(to) === true;
  return names(a, b) || names(b, a);
}

/** Why `groups` cannot run on `node` beside what is `present` there, as the end of a sentence. */
function turnsAgainAt(now: Instant): Instant {
  return instant((Math.floor(now / TURNS_AGAIN_MS) + 1) * TURNS_AGAIN_MS);
}

function conflict(
  config: Config,
  node: NodeId,
  groups: readonly GroupId[],
  present: readonly GroupId[],
): string | undefined {
  const others = present.filter((id) => !groups.includes(id));
  for (const group of groups) {
    const rival = others.find((other) => isApart(config, group, other));
    if (rival === undefined) continue;
    const whose = group === groups[0] ? 'it' : `"${group}"`;
    return `has "${rival}", from which ${whose} must be apart`;
  }
  const needs = (list: readonly GroupId[], kind: string): number =>
    config.groups.reduce(
      (sum, { id, placement }) => sum + (list.includes(id) ? partsOf(placement?.needs[kind]) : 0),
      0,
    );
  const capacity = config.nodes.find(({ id }) => id === node)?.capacity ?? {};
  for (const [kind, limit] of Object.entries(capacity)) {
    const wanted = needs(groups, kind);
    const free = Math.max(0, partsOf(limit) - needs(others, kind));
    if (free >= wanted) continue;
    return `has ${free / PARTS_PER_UNIT} ${kind} left of ${wanted / PARTS_PER_UNIT} wanted`;
  }
  return undefined;
}

function partsOf(amount: number | undefined): number {
  return Math.round((amount ?? 0) * PARTS_PER_UNIT);
}

/** Plans depend on nothing else of them. */
function isSame(a: GroupFacts, b: GroupFacts): boolean {
  return (
    a.record === b.record &&
    a.present === b.present &&
    a.ownerLost === b.ownerLost &&
    a.isTime === b.isTime &&
    a.knownEmpty === b.knownEmpty &&
    a.own?.state === b.own?.state &&
    a.own?.to === b.own?.to &&
    a.failedOn.length === b.failedOn.length &&
    a.failedOn.every((node, at) => node === b.failedOn[at])
  );
}

/** What one group's core sees of it. */
export interface GroupPlacing {
  readonly turn: (record: OwnershipRecord) => {
    readonly mine: boolean;
    readonly why: string | undefined;
  };
  readonly placement: () => Placement | undefined;
  readonly choose: (fit: readonly NodeId[]) => Placement | undefined;
  readonly against: (node: NodeId) => string | undefined;
  readonly obstacleHere: (manner: 'alone' | 'whole') => string | undefined;
  readonly awaited: () => string | undefined;
  readonly waitsForRoom: () => GroupId | undefined;
  readonly rivalHere: () => GroupId | undefined;
  /** A group that runs together with it, and runs on that node. */
  readonly mateOn: (node: NodeId) => GroupId | undefined;
  /** A group that is to run together with it, and runs elsewhere. */
  readonly mateElsewhere: () => GroupId | undefined;
  /** Where a group that runs together with it is being moved from this node. */
  readonly matesGoTo: () => { readonly mate: GroupId; readonly to: NodeId } | undefined;
}

export function placingFor(placing: Placing, group: GroupId): GroupPlacing {
  const mates = placing.matesOf(group);
  return {
    turn: (record) => placing.turnOf(group, record),
    placement: () => placing.placement(group),
    choose: (fit) => placing.choose(group, fit),
    against: (node) => placing.against(group, node),
    obstacleHere: (manner) => placing.obstacleHere(group, manner),
    awaited: () => placing.awaited(group),
    waitsForRoom: () => placing.waitsForRoomOf(group),
    rivalHere: () => placing.rivalHere(group),
    mateOn: (node) => mates.find((mate) => placing.runsOn(mate, node)),
    mateElsewhere: () => mates.find((mate) => placing.runsElsewhere(mate)),
    matesGoTo: () => {
      for (const mate of mates) {
        const own = placing.factsOf(mate)?.own;
        if (own?.state === 'moving' && own.to !== undefined) return { mate, to: own.to };
      }
      return undefined;
    },
  };
}
