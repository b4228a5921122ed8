/**
 * What goes into and comes out of a `NodeCore`: the whole interface between deciding and acting.
 *
 * Duties of whoever carries the effects out:
 *   1. `persist` before every effect that names it in `after`; effects keep their order otherwise.
 *   2. A `send` to this node itself comes back as a `registryMessage`.
 *   3. Each `action`, `mirrorCommand` and `revoke` is answered by exactly one event; a new action
 *      for a resource cancels the one under way (whose answer is then ignored). A `hook` is answered
 *      by one event at most: what takes too long is given up here.
 *   4. Time is given with every event and never goes backwards.
 */
import type { Instant } from '../../base/time.ts';
import type { EventDraft } from '../../protocol/event.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { HookAnswer, HookCall } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { WeekMinute } from '../../protocol/week-window.ts';
import type {
  ActionName,
  ActionResult,
  EngineAction,
  HealthReport,
  Observation,
} from '../group/engine.ts';
import type { AcceptorEntry } from '../registry/acceptor.ts';
import type { ForceRequest } from './forced.ts';
import type { BarChange } from '../registry/bars.ts';
import type { MaintenanceChange } from '../registry/maintenance.ts';
import type { VoteNote } from './proposals.ts';

/** Decided facts that members tell one another; hints, always checked against the registry. */
export interface Decided {
  readonly type: 'decided';
  readonly group: GroupId;
  readonly record: OwnershipRecord;
  /** For a hand-over: why, and the nodes on which the group failed lately. */
  readonly reason: string;
  readonly failedOn: readonly NodeId[];
}

/**
 * How the groups that a node owns stand on it, told to the other nodes where groups have relations:
 * hints, good only for the epoch that they name. `up`: its start has begun; `down`: it has not, or
 * all has stopped; `moving`: it is being handed over.
 */
export interface Standing {
  readonly type: 'standing';
  readonly groups: readonly {
    readonly group: GroupId;
    readonly epoch: Epoch;
    readonly state: 'online' | 'up' | 'down' | 'moving';
    readonly to?: NodeId | undefined;
  }[];
}

/** What control says to the controls of other members. */
export type MemberMessage = RegistryMessage | Decided | Standing | Flaps;

/** To a node that is in quarantine at the sender: it has forgotten how often it came and went. */
export interface Flaps {
  readonly type: 'flaps';
}

export type MirrorNews =
  | {
      readonly type: 'peerSilent';
      readonly peer: NodeId;
      readonly silentMs: number;
      readonly reason: string;
    }
  | { readonly type: 'peerAnswers'; readonly peer: NodeId }
  | { readonly type: 'peerFailed'; readonly peer: NodeId; readonly reason: string }
  | { readonly type: 'peerCaughtUp'; readonly peer: NodeId }
  | { readonly type: 'failed'; readonly code: string; readonly reason: string }
  | { readonly type: 'bypassed'; readonly by: readonly string[] };

/** Commands that ownership, not a resource's life, calls for. `serve`, `drain` and `abort` are actions. */
export type MirrorOrder =
  | {
      readonly type: 'follow';
      readonly epoch: Epoch;
      readonly primary: NodeId;
      /** This copy's changes from before that epoch were given up by force: keep them aside. */
      readonly keepBefore?: Epoch | undefined;
    }
  | { readonly type: 'seal'; readonly epoch: Epoch }
  | { readonly type: 'unseal' }
  | { readonly type: 'expel'; readonly peer: NodeId }
  | { readonly type: 'admit'; readonly peer: NodeId };

export type OperatorRequest =
  | { readonly type: 'move'; readonly to: NodeId; readonly reason: string }
  /** A program asks for it: to whichever node can take the group over. */
  | { readonly type: 'away'; readonly reason: string }
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  /** Take the group over here without the majority, by an administrator's word (`forced.ts`). */
  | ForceRequest
  /** Put a node in standby, or ban it from this group, or lift that; votes at the node asked. */
  | BarChange
  /** Leave the group alone for a while, or no longer; votes at the node asked. */
  | MaintenanceChange
  /** This node is about to end: hand over what can be handed over, stop the rest. */
  | { readonly type: 'leave' };

export type CoreEvent = { readonly now: Instant } & (
  | { readonly type: 'timePassed' }
  /** What the clock on this node's wall shows; told at the start and whenever that changed. */
  | {
      readonly type: 'calendar';
      readonly weekMinute: WeekMinute;
      /** Milliseconds since 1970. */
      readonly civilMs?: number | undefined;
    }
  | { readonly type: 'heartConnected' }
  | { readonly type: 'heartLost' }
  | { readonly type: 'peers'; readonly peers: readonly PeerReport[] }
  | {
      readonly type: 'lease';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly held: boolean;
      readonly reason: string;
    }
  /** Who upholds the claim at present. */
  | {
      readonly type: 'support';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly by: Electorate;
    }
  /** A voter's record of a claimed group is behind or ahead of the claim. */
  | { readonly type: 'recordDiffers'; readonly node: NodeId; readonly group: GroupId }
  | { readonly type: 'registryMessage'; readonly from: NodeId; readonly message: RegistryMessage }
  /** Another member has this node in quarantine. */
  | { readonly type: 'flaps'; readonly from: NodeId }
  /** An administrator says that the node is well, however often it came and went. */
  | { readonly type: 'nodeCleared'; readonly node: NodeId }
  | { readonly type: 'decided'; readonly from: NodeId; readonly decided: Decided }
  | { readonly type: 'standing'; readonly from: NodeId; readonly standing: Standing }
  | { readonly type: 'persisted'; readonly id: number }
  | {
      readonly type: 'revoked';
      readonly id: number;
      readonly ok: boolean;
      readonly remainingMs: number;
      readonly why: string | undefined;
    }
  /** What monitors of all resources of a group found when control started. */
  | { readonly type: 'probed'; readonly group: GroupId; readonly found: readonly Observation[] }
  | {
      readonly type: 'actionFinished';
      readonly group: GroupId;
      readonly action: ActionName;
      readonly result: ActionResult;
    }
  | {
      readonly type: 'observed';
      readonly group: GroupId;
      readonly seen: Observation;
      /** The monitor action that found it; none when the agent noticed by itself. */
      readonly monitorId: number | undefined;
    }
  | {
      readonly type: 'mirrorNews';
      readonly group: GroupId;
      readonly mirror: ResourceId;
      readonly news: MirrorNews;
    }
  | {
      readonly type: 'mirrorAnswered';
      /** That there is no copy to seal. */
      readonly copyGone: boolean;
      readonly group: GroupId;
      readonly mirror: ResourceId;
      readonly order: MirrorOrder;
      readonly ok: boolean;
      readonly message: string;
    }
  | {
      readonly type: 'hookAnswered';
      readonly id: number;
      readonly group: GroupId;
      readonly answer: HookAnswer;
    }
  /** A program reports its own health. */
  | { readonly type: 'reported'; readonly group: GroupId; readonly report: HealthReport }
  /** The mirror's process is (again) connected and has forgotten what it was told. */
  | { readonly type: 'mirrorConnected'; readonly group: GroupId; readonly mirror: ResourceId }
  | {
      readonly type: 'asked';
      readonly id: number;
      readonly group: GroupId;
      readonly request: OperatorRequest;
    }
);

export type Effect =
  | { readonly type: 'persist'; readonly id: number; readonly entry: AcceptorEntry }
  | {
      readonly type: 'send';
      readonly to: NodeId;
      readonly message: MemberMessage;
      readonly after: number | undefined;
    }
  | {
      readonly type: 'revoke';
      readonly id: number;
      readonly group: GroupId;
      readonly owner: NodeId;
    }
  /** Tell the heart what the acceptor accepted, for all groups. */
  | { readonly type: 'records'; readonly after: number | undefined }
  | {
      readonly type: 'claim';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly electorates: readonly Electorate[];
    }
  | { readonly type: 'release'; readonly group: GroupId }
  | EngineAction
  | { readonly type: 'probe'; readonly group: GroupId }
  | {
      readonly type: 'mirrorOrder';
      readonly group: GroupId;
      readonly mirror: ResourceId;
      readonly order: MirrorOrder;
    }
  | {
      readonly type: 'hook';
      readonly id: number;
      readonly group: GroupId;
      readonly call: HookCall;
    }
  | { readonly type: 'event'; readonly draft: EventDraft }
  /** For onlookers; to be noted, if somebody wants it, before later effects are carried out. */
  | { readonly type: 'vote'; readonly group: GroupId; readonly note: VoteNote }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: boolean;
      readonly code:
        | 'busy'
        | 'copy-stale'
        | 'no-quorum'
        | 'not-owner'
        | 'agent-failed'
        | 'hook-vetoed'
        | 'no-node'
        | 'in-maintenance'
        | 'not-forced'
        | 'runs-everywhere'
        | 'version-unsupported'
        | 'timed-out'
        | undefined;
      readonly text: string;
    };
