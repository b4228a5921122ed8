/**
 * What a person, through CLI, API or console, can ask of the control process of a node. Each
 * method answers for the whole cluster: where another node must act, control asks it. Failures are
 * `TakoError`s.
 */
import type { ClusterStatus, ForceStakes, MaintenanceRequest, WhyAnswer } from '../protocol/api.ts';
import type { FenceAction } from '../protocol/fence.ts';
import type { TakoEvent } from '../protocol/event.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';

export interface Force {
  /** Members that the administrator vouches for: they are off. */
  readonly off: readonly NodeId[];
  readonly acceptDataLoss: boolean;
}

export interface Steering {
  status(): ClusterStatus;
  /** Switchover; resolves when the group is online there. */
  move(group: GroupId, to: NodeId): Promise<string>;
  /**
   * Sets what is wanted; resolves when it is so. The text is one sentence on the outcome. `node`: for
   * the instance of that node alone, of a group that runs everywhere.
   */
  startGroup(group: GroupId, node?: NodeId): Promise<string>;
  stopGroup(group: GroupId, node?: NodeId): Promise<string>;
  /**
   * Puts a node in standby, or lifts that; resolves when it is recorded for each of its groups.
   * That they leave the node is seen in the status.
   */
  standby(node: NodeId, on: boolean): Promise<string>;
  /** Keeps one group from a node, or lifts that; resolves when it is recorded. */
  ban(group: GroupId, node: NodeId, on: boolean): Promise<string>;
  /** Ends the quarantine of a node, on this node and all that answer. */
  clearNode(node: NodeId): Promise<string>;
  /** Has a group, a node or the cluster left alone, or no longer; resolves when it is recorded. */
  maintain(request: MaintenanceRequest): Promise<string>;
  /**
   * Compares the copies of its mirrors with its owner's, at most that fast; resolves when that has begun.
   * A copy that differs is voted out and brought up to date; events tell how it ends.
   */
  verify(group: GroupId, bytesPerSecond: number): Promise<string>;
  why(group: GroupId): Promise<WhyAnswer>;
  /** Events of this node and of all reachable nodes, oldest first, at most `limit` of the latest. */
  events(limit: number): Promise<readonly TakoEvent[]>;
  /** Calls back for every new event, local or from a reachable node; returns how to end it. */
  follow(listener: (event: TakoEvent) => void): () => void;
  /** What is at stake if it is forced onto this very node; changes nothing. */
  forceStakes(group: GroupId, off: readonly NodeId[] | undefined): ForceStakes;
  /** Forces it onto this very node. */
  force(group: GroupId, force: Force): Promise<string>;
  /** Asks the fence of a node whether it is on, or turns it off; the text says what was found. */
  fence(node: NodeId, action: FenceAction): Promise<string>;
  /** Reads the configuration file again; on error keeps the old one and throws. */
  reload(): Promise<string>;
}
