/** The event log of a node: what happened and why, for people. Nothing is decided from it. */
import type { EventDraft, TakoEvent } from '../protocol/event.ts';

export interface EventStore {
  /** Numbers and dates the event, and hands it to the subscribers. Never fails. */
  append(draft: EventDraft): TakoEvent;
  /** The latest events, oldest first. */
  latest(limit: number): readonly TakoEvent[];
  /** Events with a greater id, oldest first, beginning right behind it. */
  since(id: number, limit: number): readonly TakoEvent[];
  /** Calls back for every later event; returns how to end it. */
  subscribe(listener: (event: TakoEvent) => void): () => void;
  close(): Promise<void>;
}
