/** What the API says: the shapes behind `tako status --json` and the console. */
import type { EventLevel, TakoEvent } from './event.ts';
import type { PeerState } from './heart-ipc.ts';
import type { Epoch, GroupId, LinkId, NodeId, ResourceId } from './ids.ts';
import type { MirrorStatus } from './mirror-ipc.ts';
import type { Maintenance } from './record.ts';

export interface ClusterStatus {
  readonly cluster: string;
  /** The node that answers. */
  readonly node: NodeId;
  readonly time: string;
  /** One sentence that answers "is everything all right?". */
  readonly summary: string;
  readonly level: EventLevel;
  readonly nodes: readonly NodeStatus[];
  readonly groups: readonly GroupStatus[];
  /** Absent where an older Tako answers. */
  readonly decidedBy?: DecidedBy | undefined;
}

/** Whose word settles who owns a group when members are lost. */
export interface DecidedBy {
  readonly by: 'witness' | 'nodes' | 'both-nodes' | 'one-node';
  /** What this arrangement can't do, for people; undefined where there is nothing to warn of. */
  readonly risk: string | undefined;
}

export interface NodeStatus {
  readonly id: NodeId;
  readonly role: 'node' | 'witness';
  /** As the answering node sees it; itself is `up`. */
  readonly state: PeerState;
  readonly reason: string;
  /** In standby for all its groups, or, after a request that was cut short, for some. */
  readonly standby: 'no' | 'partly' | 'yes';
  /** It comes and goes too often, as the answering node has heard it, and gets nothing new. */
  readonly quarantine?: { readonly returns: number; readonly endsInMs: number } | undefined;
  /** In maintenance; an API of an older version does not tell. */
  readonly maintenance?: boolean | undefined;
  readonly links: readonly {
    readonly link: LinkId;
    readonly state: PeerState;
    readonly roundTripMs: number | undefined;
    readonly carrier: boolean;
  }[];
}

export interface GroupStatus {
  readonly id: GroupId;
  /** It runs on each of its nodes at once; absent where it runs on one of them at a time. */
  readonly type?: 'everywhere' | undefined;
  /** What runs on each of its nodes, of a group of type `everywhere` only. */
  readonly instances?: readonly InstanceStatus[] | undefined;
  readonly state:
    'stopped' | 'starting' | 'online' | 'stopping' | 'suspended' | 'failed' | 'blocked' | 'unknown';
  readonly owner: NodeId | undefined;
  readonly epoch: Epoch | undefined;
  /** Wall-clock time of the present owner's last change of `state`, ISO 8601, as far as known. */
  readonly since?: string | undefined;
  readonly want: 'online' | 'offline' | undefined;
  /** Why it is there and as it is, in one sentence. */
  readonly reason: string;
  readonly inSync: Readonly<Record<ResourceId, readonly NodeId[]>>;
  /** Members whose votes decide who owns it; a majority of them is needed. */
  readonly voters: readonly NodeId[];
  /** Nodes that shall not get this group: in standby, or banned from it. */
  readonly standby: readonly NodeId[];
  readonly banned: readonly NodeId[];
  /** What is in maintenance with it, or why it is; an API of an older version does not tell. */
  readonly maintenance?: readonly Maintenance[] | undefined;
  /** Why it can't leave a node on which it shall not run. */
  readonly cannotLeave: string | undefined;
  /** Where it belongs and why; only where groups have relations or needs. */
  readonly placement?: string | undefined;
  readonly resources: readonly ResourceStatus[];
}

/** A group of type `everywhere` on one node; `unknown` where that node does not answer. */
export interface InstanceStatus extends Pick<GroupStatus, 'state' | 'reason' | 'since'> {
  readonly node: NodeId;
  readonly resources: readonly ResourceStatus[];
}

export interface ResourceStatus {
  readonly id: ResourceId;
  readonly agent: string;
  readonly state: 'stopped' | 'starting' | 'online' | 'stopping' | 'failed' | 'unknown';
  readonly detail: string;
  /** Restarts within the present window. */
  readonly restarts: number;
  readonly mirror: MirrorStatus | undefined;
}

/** What `POST /v1/maintenance` is told. */
export interface MaintenanceRequest {
  readonly scope: Maintenance['scope'];
  /** With the scope `group`. */
  readonly group?: GroupId | undefined;
  /** With the scope `node`. */
  readonly node?: NodeId | undefined;
  readonly on: boolean;
  /** It ends by itself after this time. */
  readonly forMs?: number | undefined;
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/** What is at stake when a group is forced onto the node that answers. */
export interface ForceStakes {
  readonly group: GroupId;
  readonly node: NodeId;
  /** Who is vouched for to be off; as told, or those that this node has lost. */
  readonly off: readonly NodeId[];
  /** For a person, one sentence each. */
  readonly lines: readonly string[];
}

export interface WhyAnswer {
  readonly group: GroupId;
  /** One sentence: why the group is where and as it is now. */
  readonly sentence: string;
  /** The decisions that led there, oldest first. */
  readonly events: readonly TakoEvent[];
}

/** What went wrong, as the API answers it. */
export interface ApiProblem {
  readonly code: string;
  readonly message: string;
  readonly next: string | undefined;
}
