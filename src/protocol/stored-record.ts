/** What a record store outside the cluster holds and answers; see src/ports/record-store.ts. */
import type { Ballot, OwnershipRecord } from './record.ts';

/** A record, with the ballot by which its writer knows it again. */
export interface StoredVote {
  readonly record: OwnershipRecord;
  readonly by: Ballot;
  /**
   * Added to the store's revisions wherever they become ballots. Raised by force alone, where the
   * store holds less than members have voted on.
   */
  readonly base?: number | undefined;
}

export type StoreReading =
  | { readonly type: 'found'; readonly revision: number; readonly vote: StoredVote }
  | { readonly type: 'none' }
  /** Something is there that Tako did not write for this group; it is left alone. */
  | { readonly type: 'foreign'; readonly why: string }
  | { readonly type: 'unreachable'; readonly why: string };

export type SwapOutcome =
  | { readonly type: 'swapped'; readonly revision: number }
  /** The record has another revision: this swap changed nothing. */
  | { readonly type: 'moved' }
  /** It was not carried out, and never will be. */
  | { readonly type: 'refused'; readonly why: string }
  /** It may have been carried out, or may be yet. */
  | { readonly type: 'unknown'; readonly why: string };
