/** What happened, in one sentence, for the log, the API, the CLI and the console alike. */
import type { GroupId, NodeId, ResourceId } from './ids.ts';

export type EventLevel = 'info' | 'warning' | 'error';

export interface TakoEvent {
  /** Grows by one per event of a node. */
  readonly id: number;
  readonly node: NodeId;
  /** Wall-clock time, ISO 8601 with milliseconds, UTC. */
  readonly time: string;
  readonly level: EventLevel;
  /** A fixed word for programs: `failover`, `suspended`, `resource-failed`, `link-lost`, ... */
  readonly kind: string;
  readonly group?: GroupId | undefined;
  readonly resource?: ResourceId | undefined;
  /** One sentence with the reason, for people. */
  readonly text: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** An event before the log numbers and dates it. */
export type EventDraft = Omit<TakoEvent, 'id' | 'node' | 'time'>;
