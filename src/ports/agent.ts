/**
 * A resource agent on this node. Actions are repeatable: starting what runs and stopping what does
 * not succeed. An action that does not know how it ended says so: `unknown` is not `failed`.
 */
import type { CancelSignal } from '../base/cancel-signal.ts';
import type { MonitorDepth } from '../protocol/config.ts';
import type { Epoch } from '../protocol/ids.ts';

export type ActionOutcome =
  | { readonly outcome: 'ok'; readonly detail: string }
  | {
      readonly outcome: 'failed';
      readonly detail: string;
      /** Starting it again on this node cannot help; another node may do better. */
      readonly lasting?: boolean | undefined;
    }
  | {
      readonly outcome: 'unknown';
      readonly detail: string;
      /** Of a stop: what serves does not answer, and acts only as long as it knows of a lease. */
      readonly leased?: boolean | undefined;
    };

export type MonitorResult = {
  readonly state: 'online' | 'stopped' | 'failed' | 'unknown';
  readonly detail: string;
  /** With `failed`: starting it again on this node cannot help; another node may do better. */
  readonly lasting?: boolean | undefined;
};

/** `abandon`: authority is lost, so by force and at once; `orderly`: let clients and data come to rest. */
export type StopMode = 'orderly' | 'abandon';

export interface Agent {
  /** A start is to follow soon: does ahead what changes nothing for anybody. */
  prepare?(): void;
  /** Resolves when the resource serves. */
  start(epoch: Epoch, cancel: CancelSignal): Promise<ActionOutcome>;
  /** Resolves when it is known that nothing of the resource is left; `failed` means it still acts. */
  stop(cancel: CancelSignal, mode: StopMode): Promise<ActionOutcome>;
  /**
   * How it is now. Cancelled: ends soon, and what it says then does not count. `deep` is asked only
   * of a resource with a `deepMonitor`, and includes what `light` looks at.
   */
  monitor(cancel: CancelSignal, depth: MonitorDepth): Promise<MonitorResult>;
  /** Called once; the agent reports what it notices by itself, between monitors. */
  onChange(listener: (result: MonitorResult) => void): void;
}
