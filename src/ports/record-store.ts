/**
 * A store outside the cluster that holds the ownership records, one per group, each changed only by
 * a conditional swap. It decides which record is the latest; who may still hold a lease is no matter
 * of its own, see src/core/registry/swap-proposer.ts.
 *
 * Duties of an implementation, checked by test/registry/conformance.ts:
 *   1. `read` is linearizable: it tells what the last swap made that ended before the reading began.
 *   2. `swap` writes only if the record has the revision `expected` at that moment (0: there is none).
 *   3. Every write gets a revision above all earlier ones.
 *   4. What it told once it does not take back: where it holds less than it told before (it was put
 *      back from a backup), it is `unreachable`, and says so.
 *   5. Whatever is not known for certain is `unknown`. Both calls end in bounded time, never reject.
 */
import type { GroupId } from '../protocol/ids.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../protocol/stored-record.ts';

export interface RecordStore {
  read(group: GroupId): Promise<StoreReading>;
  swap(group: GroupId, expected: number, vote: StoredVote): Promise<SwapOutcome>;
  /** Whether it would carry out a reading now; in words why not. Ends in bounded time, never rejects. */
  check(): Promise<string | undefined>;
  close(): void;
}
