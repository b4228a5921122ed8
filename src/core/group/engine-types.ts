/**
 * What goes into and comes out of a `GroupEngine`. Duties of whoever carries the actions out:
 *   1. Each action is answered exactly once: a start or stop by `actionFinished`, a monitor by
 *      `observed` with its id. What did not end in `timeoutMs` is `unknown`.
 *   2. Each `ask` is answered at most once, by `advised`, and soon: the resource waits for it.
 *   3. A start or stop for a resource cancels the action under way there and waits for it to come
 *      to rest; the answer to what was cancelled is ignored.
 *   4. Right before a start begins the lease of its epoch is looked at, not what was last heard of
 *      it; when it has run out nothing is begun, and the start is `withheld`.
 */
import type { MonitorDepth } from '../../protocol/config.ts';
import type { HookAnswer } from '../../protocol/hook.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';

export type ResourceState = 'stopped' | 'starting' | 'online' | 'stopping' | 'failed' | 'unknown';
export type StopMode = 'orderly' | 'abandon';
export type ActionName = 'start' | 'stop' | 'monitor';

export interface EngineAction {
  readonly type: 'action';
  readonly id: number;
  readonly group: GroupId;
  readonly resource: ResourceId;
  readonly action: ActionName;
  readonly mode: StopMode;
  /** How thorough a monitor is; `light` for the other actions, which it does not concern. */
  readonly depth: MonitorDepth;
  readonly epoch: Epoch;
  readonly timeoutMs: number;
}

/**
 * What follows a failure. While restarts are left: `restart`, here. After that, with
 * `on-failure: failover`, `gaveUp`, or `lasting` when no restart could help: `givenUp()` tells of
 * it until the next `start`. With `stop`: the engine stops the whole group in order and keeps it
 * down (`heldDown`). With `stay`: it is left failed and the rest goes on. A hook may have said
 * otherwise: `moved` (`givenUp()`, whatever the policy), `left` (like `stay`), `recheck`. At rest
 * nothing follows: `leftAlone`.
 */
export type FailureEnding =
  'restart' | 'gaveUp' | 'lasting' | 'stop' | 'stay' | 'moved' | 'left' | 'recheck' | 'leftAlone';

/** What a hook says of a failure; `go`, or no answer at all: as if there were no hook. */
export type Advice = Pick<HookAnswer, 'word' | 'waitMs'>;

/** A resource has failed, and its hook is asked what to do. */
export interface EngineQuestion {
  readonly type: 'ask';
  readonly id: number;
  readonly resource: ResourceId;
  readonly reason: string;
}

export type EngineNotice =
  | { readonly type: 'online' }
  | { readonly type: 'stopped' }
  | {
      readonly type: 'resourceFailed';
      readonly resource: ResourceId;
      readonly reason: string;
      readonly then: FailureEnding;
    }
  | { readonly type: 'resourceOnline'; readonly resource: ResourceId; readonly detail: string }
  /** Once for each reason in a row, not for each try. */
  | { readonly type: 'stopFailed'; readonly resource: ResourceId; readonly reason: string }
  /** All has stopped after a failure with `on-failure: stop`; it stays so until the next `start`. */
  | { readonly type: 'heldDown'; readonly resource: ResourceId; readonly reason: string };

export type EngineEffect =
  EngineAction | EngineQuestion | { readonly type: 'notice'; readonly notice: EngineNotice };

export interface ActionResult {
  readonly id: number;
  readonly resource: ResourceId;
  readonly outcome: 'ok' | 'failed' | 'unknown' | 'withheld';
  readonly detail: string;
  /** With `failed`: starting it again here cannot help. */
  readonly lasting?: boolean | undefined;
  /** Of a stop that is `unknown`: without a lease it acts no more. */
  readonly leased?: boolean | undefined;
}

/** What did not stop, again and again. */
export interface Unstopped {
  readonly id: ResourceId;
  readonly tries: number;
  readonly reason: string;
  /** Without a lease it acts no more. */
  readonly leased: boolean;
}

export interface Observation {
  readonly resource: ResourceId;
  readonly state: 'online' | 'stopped' | 'failed' | 'unknown';
  readonly detail: string;
  /** With `failed`: starting it again here cannot help. */
  readonly lasting?: boolean | undefined;
}

/** What a program says of its own health. */
export interface HealthReport {
  readonly resource: ResourceId;
  readonly health: 'ok' | 'failed';
  readonly detail: string;
  /** It promises a further report within this time. */
  readonly ttlMs: number | undefined;
}

export interface GivenUp {
  readonly id: ResourceId;
  readonly reason: string;
  readonly lasting: boolean;
}

export interface ResourceView {
  readonly id: ResourceId;
  readonly state: ResourceState;
  readonly detail: string;
  /** Within the window of its `restarts`. */
  readonly restarts: number;
  /** Each failure adds one, each healthy while takes one off. */
  readonly failures: number;
  /** Checks in a row, light or deep, that found no answer. */
  readonly unknowns: number;
  /** Left failed by `on-failure: stay`, until the next `start`. */
  readonly left: boolean;
}
