/**
 * A cluster as the planner sees it, all at once: who is up, the records, what runs. Plans are carried
 * out here until one changes nothing; a group whose voters have no majority left changes nothing.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, instant, plus } from '../../base/time.ts';
import { type GroupFacts, placementInput } from '../../core/node/placing-facts.ts';
import type { InstanceFacts } from '../../core/node/placing-instances.ts';
import { Planner } from '../../core/placement/planner.ts';
import type { Placement } from '../../core/placement/types.ts';
import type { ClusterStatus, GroupStatus } from '../../protocol/api.ts';
import { type Config, type GroupConfig, isEverywhere } from '../../protocol/config.ts';
import type { PeerReport, PeerState } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';

interface Known {
  record: OwnershipRecord;
  runs: boolean;
  /** Members whose votes count: these, or those of them that were left by a majority. */
  readonly allVoters: readonly NodeId[];
  voters: readonly NodeId[];
}

/** A plan that is carried out is followed by one that changes nothing, but for groups that wait. */
const PLANS_MAX = 20;
/** Nodes that are up have been so for long. */
const LONG_AGO = instant(0);
const STARTED_AT = instant(1e9);

const NEVER_RAN: GroupFacts = {
  ...{ record: undefined, knownEmpty: true, own: undefined, present: false, ownerLost: false },
  ...{ failedOn: [], isTime: false },
};

export class PlannedState {
  readonly seenBy: NodeId;
  #config: Config;
  #now: Instant = STARTED_AT;
  readonly #states = new Map<NodeId, PeerState>();
  readonly #upSince = new Map<NodeId, Instant>();
  readonly #known = new Map<GroupId, Known>();
  /** Of groups that run everywhere: whether they shall run, and nodes that they are kept from. */
  readonly #everywhere = new Map<GroupId, Pick<GroupStatus, 'want' | 'standby' | 'banned'>>();
  readonly #told: ReadonlySet<GroupId>;
  readonly #failed: readonly GroupId[];
  readonly #planner = new Planner();
  #nextChangeAt: Instant = NEVER;
  #placements: ReadonlyMap<GroupId, Placement> = new Map();

  constructor(config: Config, status: ClusterStatus) {
    this.#config = config;
    this.seenBy = status.node;
    for (const { id, state } of status.nodes) this.#states.set(id, state);
    this.#told = new Set(status.groups.map(({ id }) => id));
    for (const group of status.groups) {
      if (group.type === 'everywhere') this.#everywhere.set(group.id, group);
      const known = knownOf(group);
      if (known !== undefined) this.#known.set(group.id, known);
    }
    this.#failed = status.groups.flatMap(({ id, state }) => (state === 'failed' ? [id] : []));
  }

  get config(): Config {
    return this.#config;
  }

  /** What of the state can't be planned from. */
  differences(): readonly string[] {
    return this.#failed.map((id) => `Group ${id}: failed; planned as if it may be started again`);
  }

  /** Where each group runs. */
  served(): ReadonlyMap<GroupId, NodeId | undefined> {
    return new Map(
      this.#moving().map(({ id }) => {
        const known = this.#known.get(id);
        const owner = known?.record.owner;
        return [id, known?.runs === true && this.#isUp(owner) ? owner : undefined];
      }),
    );
  }

  /** Where the instances of groups run that run everywhere: on each of their nodes that is up. */
  instances(): ReadonlyMap<GroupId, readonly NodeId[]> {
    const groups = this.#config.groups.filter(isEverywhere);
    return new Map(
      groups.map(({ id, nodes }) => {
        const { want, standby = [], banned = [] } = this.#everywhere.get(id) ?? { want: undefined };
        const barred = [...standby, ...banned];
        const on = nodes.filter((node) => this.#isUp(node) && !barred.includes(node));
        return [id, want === 'offline' ? [] : on];
      }),
    );
  }

  /** Why it is down although it should run; undefined where it shall not. */
  whyDown(group: GroupId): string | undefined {
    const known = this.#known.get(group);
    if (!this.#config.groups.some(({ id }) => id === group))
      return 'the configuration has it no more';
    if (known?.record.want === 'offline') return undefined;
    if (known !== undefined && !this.#hasMajority(known)) return noMajority(known);
    return this.#placements.get(group)?.reason ?? 'nothing is planned for it';
  }

  lose(node: NodeId): void {
    this.#states.set(node, 'lost');
    this.#upSince.delete(node);
  }

  comeBack(node: NodeId): void {
    if (this.#isUp(node)) return;
    this.#states.set(node, 'up');
    this.#upSince.set(node, this.#now);
  }

  want(group: GroupId, want: OwnershipRecord['want']): void {
    const known = this.#known.get(group);
    if (known !== undefined) known.record = { ...known.record, want };
    const { standby = [], banned = [] } = this.#everywhere.get(group) ?? {};
    this.#everywhere.set(group, { want, standby, banned });
  }

  /** Why not, where it is not moved. */
  move(group: GroupId, to: NodeId): string | undefined {
    const known = this.#known.get(group);
    const config = this.#config.groups.find(({ id }) => id === group);
    if (known === undefined || !known.runs) return `"${group}" does not run`;
    if (!this.#isUp(to)) return `${to} is not up`;
    if (config?.nodes.includes(to) !== true) return `${to} is not among its nodes`;
    const stale = Object.entries(known.record.inSync).find(([, nodes]) => !nodes.includes(to));
    if (stale !== undefined) return `the copy of "${stale[0]}" on ${to} is not in sync`;
    if (!this.#hasMajority(known)) return noMajority(known);
    known.record = { ...next(known.record, to), byHand: true };
    return undefined;
  }

  /** Nodes that it adds are up; groups that it adds have never run. */
  reconfigure(config: Config): void {
    for (const { id } of config.nodes) if (!this.#states.has(id)) this.#states.set(id, 'up');
    const members = config.nodes.map(({ id }) => id);
    for (const { id } of this.#config.nodes)
      if (!members.includes(id)) this.#states.set(id, 'lost');
    for (const id of [...this.#known.keys()]) {
      if (!config.groups.some((group) => group.id === id)) this.#known.delete(id);
    }
    this.#config = config;
  }

  /** Carries plans out until one changes nothing, now and when the time is over; what was done. */
  settle(forMs: number): readonly { readonly group: GroupId; readonly text: string }[] {
    const done = this.#carryOut();
    this.#followVotes();
    const caughtUp = this.#catchUp();
    this.#now = plus(this.#now, forMs);
    // Nothing but a new copy, or time itself, can change the plan by now.
    if (!caughtUp && this.#now < this.#nextChangeAt) return done;
    return [...done, ...this.#carryOut()];
  }

  #carryOut(): { group: GroupId; text: string }[] {
    const done: { group: GroupId; text: string }[] = [];
    for (let plans = 0; plans < PLANS_MAX; plans += 1) {
      const plan = this.#planner.plan(this.#input());
      this.#nextChangeAt = plan.nextChangeAt;
      this.#placements = new Map(plan.placements.map((each) => [each.group, each]));
      const moving = plan.steps.filter(({ instance }) => instance === undefined);
      const taken = moving.filter((step) => this.#take(step));
      if (taken.length === 0) break;
      done.push(...taken.map(({ group, reason }) => ({ group, text: reason })));
    }
    return done;
  }

  #input(): ReturnType<typeof placementInput> {
    const me = this.#viewpoint();
    const owners = [...this.#known].map(([group, { record, runs }]) => {
      const state: 'online' | 'down' = runs ? 'online' : 'down';
      return { group, epoch: record.epoch, owner: record.owner, state };
    });
    return placementInput({
      ...{ me, config: this.#config, now: this.#now, heartConnected: true },
      peers: new Map([...this.#states].map(([node, state]) => [node, reportOf(node, state)])),
      upSince: (node) => this.#upSince.get(node) ?? LONG_AGO,
      facts: new Map(this.#moving().map(({ id }) => [id, this.#factsOf(id, me)])),
      instances: new Map(this.#runningEverywhere(me)),
      told: new Map(owners.map((each) => [each.group, each])),
      passedOver: new Map(),
    });
  }

  /** Of a node that is up; all know the same here. */
  #viewpoint(): NodeId {
    const up = this.#config.nodes.find(({ id }) => this.#isUp(id));
    return (up ?? must(this.#config.nodes[0], 'a cluster has nodes')).id;
  }

  #moving(): readonly GroupConfig[] {
    return this.#config.groups.filter((group) => !isEverywhere(group));
  }

  /** Whatever comes after such a group finds its instance on each of its nodes. */
  #runningEverywhere(me: NodeId): readonly [GroupId, InstanceFacts][] {
    return [...this.instances()].map(([id, on]) => {
      const { want = 'online', standby, banned } = this.#everywhere.get(id) ?? {};
      const epoch = 1 as Epoch;
      const record = { epoch, owner: me, inSync: {}, want, voters: [], standby, banned };
      const here = on.includes(me);
      return [id, { record, online: here, present: here }];
    });
  }

  #factsOf(id: GroupId, me: NodeId): GroupFacts {
    const known = this.#known.get(id);
    // Of one that the state tells of, but not where it runs, nobody knows.
    if (known === undefined) return { ...NEVER_RAN, knownEmpty: !this.#told.has(id) };
    const { record, runs } = known;
    const mine = record.owner === me;
    return {
      record,
      knownEmpty: false,
      own: mine ? { state: runs ? 'online' : 'down' } : undefined,
      present: mine && runs,
      ownerLost: !mine && !this.#isUp(record.owner),
      failedOn: [],
      isTime: false,
    };
  }

  #take({ action, group, target }: Placement): boolean {
    const known = this.#known.get(group);
    if (known !== undefined && !this.#hasMajority(known)) return false;
    if (action === 'stop' && known !== undefined) {
      const did = known.runs;
      known.runs = false;
      return did;
    }
    if ((action !== 'start' && action !== 'move') || target === undefined) return false;
    if (!this.#isUp(target)) return false;
    if (known === undefined) this.#known.set(group, this.#founded(group, target));
    else {
      if (known.record.owner !== target) known.record = next(known.record, target);
      known.runs = true;
    }
    return true;
  }

  #founded(group: GroupId, owner: NodeId): Known {
    const config = must(
      this.#config.groups.find(({ id }) => id === group),
      'only what is configured is planned',
    );
    const inSync = Object.fromEntries(mirrorsOf(config).map((mirror) => [mirror, [owner]]));
    const record = { epoch: 1 as Epoch, owner, inSync, want: 'online' as const, voters: [] };
    const voters = this.#members();
    return { record, runs: true, allVoters: voters, voters };
  }

  /** Where a majority is left it votes those out that are lost, and in again that are back. */
  #followVotes(): void {
    for (const known of this.#known.values()) {
      if (!this.#hasMajority(known)) continue;
      known.voters = known.allVoters.filter((id) => this.#isUp(id));
    }
  }

  /** Copies of lost nodes are voted out, those of others come up to date; whether there is a new one. */
  #catchUp(): boolean {
    let added = false;
    for (const { id, nodes, resources } of this.#config.groups) {
      const known = this.#known.get(id);
      if (known === undefined || !known.runs || !resources.some(isMirror)) continue;
      // Only who has the data can bring a copy up to date.
      if (!this.#isUp(known.record.owner)) continue;
      const { inSync } = known.record;
      const up = nodes.filter((node) => this.#isUp(node)).toSorted();
      added ||= Object.values(inSync).some((list) => up.some((node) => !list.includes(node)));
      const copies = Object.keys(inSync).map((mirror) => [mirror, up]);
      known.record = { ...known.record, inSync: Object.fromEntries(copies) };
    }
    return added;
  }

  #hasMajority({ voters }: Known): boolean {
    return 2 * voters.filter((id) => this.#isUp(id)).length > voters.length;
  }

  #members(): readonly NodeId[] {
    const { nodes, witness } = this.#config;
    return [...nodes, ...(witness === undefined ? [] : [witness])].map(({ id }) => id);
  }

  #isUp(node: NodeId | undefined): boolean {
    return node !== undefined && (this.#states.get(node) ?? 'lost') !== 'lost';
  }
}

/** The status of an older release may say less. */
function knownOf(group: Partial<GroupStatus>): Known | undefined {
  const { owner, epoch, inSync = {}, want = 'online' } = group;
  const { standby = [], banned = [], maintenance, voters = [] } = group;
  if (owner === undefined) return undefined;
  const record: OwnershipRecord = {
    ...{ epoch: epoch ?? (1 as Epoch), owner, inSync, want, voters: [], standby, banned },
    ...(maintenance !== undefined && { maintenance }),
  };
  const rests = group.state === 'stopped' || group.state === 'failed' || want === 'offline';
  return { record, runs: !rests, allVoters: voters, voters };
}

function next(record: OwnershipRecord, owner: NodeId): OwnershipRecord {
  return { ...record, owner, epoch: (record.epoch + 1) as Epoch, byHand: undefined };
}

function reportOf(node: NodeId, state: PeerState): PeerReport {
  const reason = state === 'lost' ? 'it is lost' : '';
  return { node, state, lastHeardAt: undefined, reason, links: [], hearsOn: [], claims: [] };
}

function noMajority({ voters }: Known): string {
  return `no majority is left of the votes of ${voters.join(', ')}`;
}

function mirrorsOf(group: GroupConfig): readonly ResourceId[] {
  return group.resources.filter(isMirror).map(({ id }) => id);
}

function isMirror({ agent }: GroupConfig['resources'][number]): boolean {
  return agent === 'mirror';
}
