/**
 * The sending end of a resync: runs in a worker thread of the primary's mirror process, walks the
 * store and appends what one copy lacks to the same ordered stream as the live changes, under the
 * same lock. Messages of the copy come back beside the stream, in the order they were sent.
 *
 *     source.start()                 walk, `append` listings, ask for digests
 *     source.receive(body)           the copy answers: digests, "queue this path again"
 *     stream.finish()                all compared: the barrier; the source has nothing more to do
 */
import type { Change } from '../protocol/change.ts';

/** The stream, as the resync of one copy sees it. Only that copy gets what is appended here. */
export interface ResyncStream {
  /**
   * Nobody else changes the tree or the stream until `leave`; not reentrant. Live writers wait
   * meanwhile, so hold it for one read or one listing, not for a file.
   */
  enter(): void;
  leave(): void;
  /**
   * Between `enter` and `leave`. Waits while the stream is full. False: the connection is gone or
   * the resync was cancelled; give up.
   */
  append(entry: ResyncEntry): boolean;
  /** Appends the barrier; takes the lock itself. */
  finish(): boolean;
}

export type ResyncEntry =
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'resync'; readonly body: Uint8Array };

/** Longest `body` and longest data of one change, in bytes. */
export const RESYNC_BODY_BYTES_MAX = 1024 * 1024;

export interface ResyncProgress {
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface ResyncReport {
  /** At most a few times a second. */
  progress(progress: ResyncProgress): void;
  /** The local store cannot be read: the resync ends, the primary says so. */
  failed(reason: string): void;
}

export interface ResyncSource {
  start(): void;
  /** A message of the copy (`ReplicaListener.answer`). */
  receive(body: Uint8Array): void;
  /** The connection is gone or the mirror stops: close everything, append nothing more. */
  stop(): void;
}
