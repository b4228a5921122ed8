/**
 * The steps by which a cluster's memory changes: each write of an acceptor, and each thing that a
 * mirror puts on stable storage. Between two of them a crash changes nothing that is remembered, so
 * whoever interrupts a life at each of them, before it and after it, has interrupted it everywhere.
 */
import type { NodeId } from '../protocol/ids.ts';

export type DurableKind =
  /** An acceptor stores a promise or a vote. */
  | 'vote'
  /** A primary notes that its copy differs from others from now on. */
  | 'serve'
  /** A drained primary notes that its copy is equal to the others. */
  | 'clean'
  /** A primary's sync has ended. */
  | 'sync'
  /** A copy notes that it differs, before it applies the first change. */
  | 'dirty'
  /** A copy's sync has ended, the note that it is equal included. */
  | 'copy'
  | 'resync begins'
  | 'resync ends';

export type Moment = 'before' | 'after';

/** What changes storage, and what goes on from there while its process lives. */
export interface DurableWork {
  readonly make: () => void;
  readonly then: () => void;
  readonly lives: () => boolean;
}

/** Told of each step; it may end or stop that node there and then. */
export interface StepWatch {
  reached(node: NodeId, what: DurableKind, moment: Moment): void;
}
