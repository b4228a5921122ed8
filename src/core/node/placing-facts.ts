/**
 * What the planner of placement is told, made from what one node knows: the records of all groups,
 * what runs here, what other nodes said of theirs, and the heart's reports. Pure.
 *
 * A group counts as running from the moment at which its start begins. Until then its owner is the
 * first node that is tried for it, so that nothing moves just because it had to start anew.
 */
import type { Instant } from '../../base/time.ts';
import type { Amounts, Config, GroupConfig } from '../../protocol/config.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import type { OwnershipRecord } from '../../protocol/record.ts';
import { barOf } from '../registry/bars.ts';
import type {
  FailbackPolicy,
  FailoverGroup,
  PlacementGroup,
  PlacementInput,
  PlacementNode,
} from '../placement/types.ts';
import { isMaintained, leftAlone } from '../registry/maintenance.ts';
import type { Standing } from './node-io.ts';
import { everywhereInput, hostsOf, type InstanceFacts } from './placing-instances.ts';

/** How a group that this node owns stands here. */
export type OwnStanding = Pick<Standing['groups'][number], 'state' | 'to'>;

/** What this node's core of a group knows. */
export interface GroupFacts {
  readonly record: OwnershipRecord | undefined;
  /** There has never been one. */
  readonly knownEmpty: boolean;
  /** Undefined where this node does not own it. */
  readonly own: OwnStanding | undefined;
  /** Something of it runs here, or may. */
  readonly present: boolean;
  /** Its owner is to be replaced, or is this node, which runs nothing of it. */
  readonly ownerLost: boolean;
  /** Nodes on which it failed lately; sorted. */
  readonly failedOn: readonly NodeId[];
  /** Whether its windows for failback are open. */
  readonly isTime: boolean;
}

export interface Surroundings {
  readonly me: NodeId;
  readonly config: Config;
  readonly now: Instant;
  readonly peers: ReadonlyMap<NodeId, PeerReport>;
  /** Without a heart nothing is known of anybody. */
  readonly heartConnected: boolean;
  readonly upSince: (node: NodeId) => Instant | undefined;
  readonly facts: ReadonlyMap<GroupId, GroupFacts>;
  /** Of groups that run everywhere. */
  readonly instances: ReadonlyMap<GroupId, InstanceFacts>;
  /** What other owners said of their groups last. */
  readonly told: ReadonlyMap<GroupId, Standing['groups'][number]>;
  /** Nodes that had their turn to take over, and did not. */
  readonly passedOver: ReadonlyMap<GroupId, ReadonlySet<NodeId>>;
}

const NONE: Amounts = {};

/** Whether any word of placement is used: where none is, every group goes its own way. */
export function usesPlacement(config: Config): boolean {
  return config.groups.some(({ placement }) => placement !== undefined);
}

export function placementInput(around: Surroundings): PlacementInput {
  const resting = restingNodes(around);
  return {
    now: around.now,
    maintenance: false,
    nodes: around.config.nodes.map(({ id, capacity }) => ({
      ...nodeOf(around, id, capacity ?? NONE),
      standby: resting.has(id),
    })),
    groups: around.config.groups.map((group) => groupOf(around, group)),
  };
}

function nodeOf(
  around: Surroundings,
  id: NodeId,
  capacity: Amounts,
): Omit<PlacementNode, 'standby'> {
  const state = stateOf(around, id);
  return {
    ...{ id, capacity, state, maintenance: false, quarantined: false },
    healthySince: state === 'up' ? around.upSince(id) : undefined,
  };
}

/** Those in standby for all groups; a node that is so for some has bars of these. */
function restingNodes({ config, facts }: Surroundings): ReadonlySet<NodeId> {
  const resting = new Set<NodeId>();
  const awake = new Set<NodeId>();
  for (const { id, nodes } of config.groups) {
    const record = facts.get(id)?.record;
    if (record === undefined) continue;
    for (const node of nodes) {
      if (record.standby?.includes(node) === true) resting.add(node);
      else awake.add(node);
    }
  }
  for (const node of awake) resting.delete(node);
  return resting;
}

function stateOf({ heartConnected, me, peers }: Surroundings, id: NodeId): PlacementNode['state'] {
  if (id === me) return 'up';
  const report = heartConnected ? peers.get(id) : undefined;
  if (report === undefined) return 'unknown';
  // Nothing may be given to a node that hears nobody, and nothing taken from it either.
  return report.state === 'up' && report.deafSince !== undefined ? 'suspect' : report.state;
}

function groupOf(around: Surroundings, group: GroupConfig): PlacementGroup {
  const instance = around.instances.get(group.id);
  if (instance === undefined) return failoverInput(around, group);
  const isUp = (node: NodeId): boolean => stateOf(around, node) === 'up';
  return everywhereInput(group, instance, { me: around.me, isUp });
}

function failoverInput(around: Surroundings, group: GroupConfig): FailoverGroup {
  const { id, nodes, placement } = group;
  const facts = around.facts.get(id);
  const record = facts?.record;
  const where = whereItRuns(around, id, facts);
  const idleOwner = where.runs === 'no' && facts?.ownerLost !== true ? where.owner : undefined;
  // A first record is made by the first node alone.
  const [first] = nodes;
  const founder = first === undefined ? [] : [first];
  const hosts = hostsOf(group, around.config.groups, around.instances);
  return {
    ...{ id, type: 'failover', want: record?.want ?? 'online', ...where },
    maintenance: isLeftAlone(facts, where.runs),
    priority: placement?.priority ?? 0,
    demand: placement?.needs ?? NONE,
    firstTry: idleOwner,
    preferred: nodes,
    allowed: (record === undefined ? founder : nodes).filter((node) => {
      // Where it runs it is left; elsewhere it could not start.
      return (node === where.owner && where.runs !== 'no') || hosts(node);
    }),
    bans: nodes
      .filter((node) => node !== where.owner && record !== undefined && isKeptFrom(record, node))
      .map((node) => ({ node, until: undefined })),
    failedOn: avoided(around, facts, where.owner),
    passedOver: passed(around, id, facts),
    apart: [
      ...(placement?.apart ?? []).map((other) => ({ group: other, soft: false })),
      ...(placement?.apartIfPossible ?? []).map((other) => ({ group: other, soft: true })),
    ],
    // An instance on the same node is waited for there (`Placing.awaited`).
    after: placement?.after ?? [],
    together: placement?.together ?? [],
    inSync: inSyncOf(record),
    failback: failbackOf(group, facts),
  };
}

/**
 * Where it runs nobody knows here, nor whether it can be had: it is left alone, and has no room. What
 * is started by an administrator in maintenance finds its place as ever.
 */
function isLeftAlone(facts: GroupFacts | undefined, runs: FailoverGroup['runs']): boolean {
  if (facts?.record === undefined) return facts?.knownEmpty !== true;
  return runs === 'yes' && leftAlone(facts.record) !== undefined;
}

function isKeptFrom(record: OwnershipRecord, node: NodeId): boolean {
  return barOf(record, node) !== undefined || isMaintained(record, node);
}

/** Where it runs, or shall run soon, as far as this node knows. */
function whereItRuns(
  around: Surroundings,
  id: GroupId,
  facts: GroupFacts | undefined,
): Pick<FailoverGroup, 'owner' | 'runs'> {
  const record = facts?.record;
  if (facts === undefined || record === undefined) return { owner: undefined, runs: 'no' };
  const { owner } = record;
  if (owner === around.me) return ranBy(owner, facts.own);
  // Heard, but without authority: it counts as lost for this group only.
  if (facts.ownerLost) {
    const heard = around.peers.get(owner)?.state === 'up';
    return heard ? { owner: undefined, runs: 'no' } : { owner, runs: 'yes' };
  }
  const told = around.told.get(id);
  if (told?.epoch === record.epoch) return ranBy(owner, told);
  return { owner, runs: record.want === 'offline' ? 'no' : 'yes' };
}

function ranBy(
  owner: NodeId,
  standing: OwnStanding | undefined,
): Pick<FailoverGroup, 'owner' | 'runs'> {
  if (standing?.state === 'moving') return { owner: standing.to ?? owner, runs: 'yes' };
  return { owner, runs: standing === undefined || standing.state === 'down' ? 'no' : 'yes' };
}

/** Who runs it, or owned it last, keeps or gets it back whatever has failed there. */
function avoided(
  around: Surroundings,
  facts: GroupFacts | undefined,
  owner: NodeId | undefined,
): readonly NodeId[] {
  if (facts === undefined || isLostElsewhere(around, facts)) return [];
  return facts.failedOn.filter((node) => node !== owner);
}

/**
 * An owner that is heard without authority is passed over from the beginning; this node itself, which
 * owned it last, only when it had its turn and could not take it up again.
 */
function passed(
  around: Surroundings,
  id: GroupId,
  facts: GroupFacts | undefined,
): readonly NodeId[] | undefined {
  if (facts?.record === undefined || !facts.ownerLost) return undefined;
  const owner = isLostElsewhere(around, facts) ? [facts.record.owner] : [];
  return [...new Set([...owner, ...(around.passedOver.get(id) ?? [])])].sort();
}

function isLostElsewhere({ me }: Surroundings, { ownerLost, record }: GroupFacts): boolean {
  return ownerLost && record?.owner !== me;
}

/** Nodes whose copies of all mirrors may take over. */
function inSyncOf(record: OwnershipRecord | undefined): FailoverGroup['inSync'] {
  const copies = Object.values(record?.inSync ?? {});
  const [first, ...more] = copies;
  if (first === undefined) return 'no-mirrors';
  return first.filter((node) => more.every((nodes) => nodes.includes(node)));
}

function failbackOf({ failback }: GroupConfig, facts: GroupFacts | undefined): FailbackPolicy {
  if (failback.policy === 'never' || facts?.record?.byHand === true) return { policy: 'never' };
  const { healthyForMs } = failback;
  if (failback.windows === undefined) return { policy: 'when-in-sync', healthyForMs };
  return { policy: 'window', healthyForMs, open: facts?.isTime === true };
}
