/** The API of a node as a client sees it. Every failure is a `TakoError`. */
import type { CancelSignal } from '../base/cancel-signal.ts';
import type { ClusterStatus, ForceStakes, MaintenanceRequest, WhyAnswer } from '../protocol/api.ts';
import type { FenceAction } from '../protocol/fence.ts';
import type { TakoEvent } from '../protocol/event.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import type { Force } from './steering.ts';

export interface FollowOptions {
  readonly cancel: CancelSignal;
  readonly onEvent: (event: TakoEvent) => void;
  /** The stream broke (with the reason) or is back (undefined). */
  readonly onInterrupted?: ((reason: string | undefined) => void) | undefined;
}

export interface ApiClient {
  status(): Promise<ClusterStatus>;
  why(group: GroupId): Promise<WhyAnswer>;
  events(limit: number): Promise<readonly TakoEvent[]>;
  /** These resolve with one sentence on the outcome. */
  move(group: GroupId, to: NodeId): Promise<string>;
  startGroup(group: GroupId, node?: NodeId): Promise<string>;
  stopGroup(group: GroupId, node?: NodeId): Promise<string>;
  forceStakes(group: GroupId, off: readonly NodeId[] | undefined): Promise<ForceStakes>;
  force(group: GroupId, force: Force): Promise<string>;
  standby(node: NodeId, on: boolean): Promise<string>;
  ban(group: GroupId, node: NodeId, on: boolean): Promise<string>;
  clearNode(node: NodeId): Promise<string>;
  maintain(request: MaintenanceRequest): Promise<string>;
  verify(group: GroupId, bytesPerSecond: number): Promise<string>;
  fence(node: NodeId, action: FenceAction): Promise<string>;
  reload(): Promise<string>;
  /** Every event from now on, across restarts of the API, until cancelled. */
  follow(options: FollowOptions): Promise<void>;
}
