/**
 * What the planner is told and what it answers. All of it is plain data: the caller collects it
 * from the configuration, the registry, the heart and the group engines, and calls again when any
 * of it changed. Lists whose order carries no meaning may come in any order.
 */
import type { Instant } from '../../base/time.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';

/** Named units that people chose, such as `{memory: 64, cpu: 16}`; thousandths count, less not. */
export type Amounts = Readonly<Record<string, number>>;

export interface PlacementInput {
  /** Bans end and health is measured by it; it may only grow from call to call. */
  readonly now: Instant;
  /** The whole cluster is left alone. */
  readonly maintenance: boolean;
  readonly nodes: readonly PlacementNode[];
  readonly groups: readonly PlacementGroup[];
}

export interface PlacementNode {
  readonly id: NodeId;
  /** `unknown`: no word of it since this node started. */
  readonly state: 'up' | 'suspect' | 'lost' | 'unknown';
  readonly standby: boolean;
  readonly maintenance: boolean;
  /** It comes and goes too often to be given anything new. */
  readonly quarantined: boolean;
  /** Since when it has been up without a break; `undefined` while it is not. */
  readonly healthySince: Instant | undefined;
  /** A unit that is not named here is not limited here. */
  readonly capacity: Amounts;
}

export interface Ban {
  readonly node: NodeId;
  /** `undefined`: for good. */
  readonly until: Instant | undefined;
}

export interface Apart {
  readonly group: GroupId;
  /** Soft: apart where there is a choice. Hard when either side says so. */
  readonly soft: boolean;
}

export type FailbackPolicy =
  | { readonly policy: 'never' }
  | { readonly policy: 'when-in-sync'; readonly healthyForMs: number }
  | { readonly policy: 'window'; readonly healthyForMs: number; readonly open: boolean };

interface GroupBase {
  readonly id: GroupId;
  readonly want: 'online' | 'offline';
  readonly maintenance: boolean;
  /** The higher, the more important. */
  readonly priority: number;
  /** What it takes of a node's capacity while it runs there. */
  readonly demand: Amounts;
  /** In this order; allowed nodes that are not named follow by name. */
  readonly preferred: readonly NodeId[];
  /** Preferred nodes that are not allowed are skipped. */
  readonly allowed: readonly NodeId[] | 'any';
  readonly bans: readonly Ban[];
  /** Where it failed so lately that it should not be tried again yet. */
  readonly failedOn: readonly NodeId[];
  readonly apart: readonly Apart[];
  /** Started only when these are online; nothing is stopped for it. */
  readonly after: readonly GroupId[];
}

/** Runs on one node at a time. */
export interface FailoverGroup extends GroupBase {
  readonly type: 'failover';
  /** Whom the ownership record names. */
  readonly owner: NodeId | undefined;
  /** `yes` from the moment its start begins; `unknown` when a stop ended without clear outcome. */
  readonly runs: 'yes' | 'no' | 'unknown';
  /** While it does not run: the node to try first, before its preferred ones. */
  readonly firstTry?: NodeId | undefined;
  /** The nodes whose copies of *all* its mirrors are in sync, by the record. */
  readonly inSync: readonly NodeId[] | 'no-mirrors';
  readonly together: readonly GroupId[];
  readonly failback: FailbackPolicy;
}

/** Runs on each allowed node; has no mirrors, so it may. */
export interface EverywhereGroup extends GroupBase {
  readonly type: 'everywhere';
  readonly runsOn: readonly NodeId[];
}

export type PlacementGroup = FailoverGroup | EverywhereGroup;

/** `wait`: something should be done and cannot, or must not be touched; the reason says which. */
export type PlacementAction = 'stay' | 'start' | 'move' | 'stop' | 'wait';

/** What is to become of a group (of type `everywhere`: of a group on one node). */
export interface Placement {
  readonly group: GroupId;
  /** Of a group of type `everywhere`: the node that this is about. */
  readonly instance: NodeId | undefined;
  readonly action: PlacementAction;
  /** Where it belongs; `undefined`: nowhere. Only this node ever acts on `start`. */
  readonly target: NodeId | undefined;
  /** Where it runs, or where its lost owner had it. */
  readonly from: NodeId | undefined;
  /** These start too, and must be online first. */
  readonly startsAfter: readonly GroupId[];
  /** These must have left the target first: there is no room for both, or they must be apart. */
  readonly roomFrom: readonly GroupId[];
  /** One sentence in plain words. */
  readonly reason: string;
}

export interface Plan {
  /** Every group, more important ones first, those that others come after before them. */
  readonly placements: readonly Placement[];
  /** Those of them that change something: stops first, the rest in the order above. */
  readonly steps: readonly Placement[];
  /** Contradictions of the configuration, one sentence each. */
  readonly problems: readonly string[];
  /** When the answer may change by the passing of time alone; `NEVER` if it cannot. */
  readonly nextChangeAt: Instant;
}
