/**
 * How a resource has been doing lately, as one number: each failure adds one, each healthy while
 * (online without a failure) takes one off. Time in which it does not run changes nothing, so a
 * resource does not recover its good name by being stopped.
 */
import type { Instant } from '../../base/time.ts';

/** More would tell no more, and would take too long to heal. */
export const FAILURES_MAX = 100;
/** The shortest healthy while; a resource with a window of milliseconds heals no faster. */
const HEALTHY_MS_MIN = 60_000;

export class FailureCounter {
  readonly #healthyMs: number;
  #count = 0;
  /** Since when it has been online; undefined while it is not. */
  #healthySince: Instant | undefined;

  constructor(windowMs: number) {
    this.#healthyMs = Math.max(windowMs, HEALTHY_MS_MIN);
  }

  failed(now: Instant): void {
    this.unhealthy(now);
    this.#count = Math.min(this.#count + 1, FAILURES_MAX);
  }

  healthy(now: Instant): void {
    this.#healthySince ??= now;
  }

  /** It does not run any more, for whatever reason. */
  unhealthy(now: Instant): void {
    this.#count = this.count(now);
    this.#healthySince = undefined;
  }

  count(now: Instant): number {
    if (this.#healthySince === undefined) return this.#count;
    const healed = Math.floor((now - this.#healthySince) / this.#healthyMs);
    return Math.max(0, this.#count - healed);
  }
}
