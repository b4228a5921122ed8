/**
 * The latest failures of a group on this node, for whoever judges the node: many within a while
 * mean that it flaps. Bounded in number, and forgets what is older than a day. Outlives
 * `start` and `stop`; it is lost when control restarts.
 */
import type { Instant } from '../../base/time.ts';
import type { ResourceId } from '../../protocol/ids.ts';
import type { FailureEnding } from './engine-types.ts';

export interface Failure {
  readonly at: Instant;
  readonly resource: ResourceId;
  readonly reason: string;
  readonly then: FailureEnding;
}

export const HISTORY_MAX = 64;
const AGE_MS_MAX = 24 * 3_600_000;

export class FailureHistory {
  #failures: readonly Failure[] = [];

  add(failure: Failure): void {
    this.#failures = [...this.within(AGE_MS_MAX, failure.at), failure].slice(-HISTORY_MAX);
  }

  /** Oldest first; of very many the latest {@link HISTORY_MAX}. */
  within(windowMs: number, now: Instant): readonly Failure[] {
    return this.#failures.filter(({ at }) => now - at < windowMs);
  }
}
