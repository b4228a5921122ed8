/**
 * Counts restarts of a resource within a sliding window: local recovery first, but not for ever,
 * and not at full speed: the first restart follows at once, each further one after a longer pause.
 *
 * Invariant: within any window no more than `limit` restarts are allowed.
 */
import type { Instant } from '../../base/time.ts';

/** Before the first, second, ... restart within the window; the last one before all further. */
export const RESTART_PAUSES_MS: readonly number[] = [0, 250, 1000, 2000, 5000, 10_000, 20_000];

export class RestartPolicy {
  readonly #limit: number;
  readonly #windowMs: number;
  #restarts: Instant[] = [];

  constructor(options: { readonly limit: number; readonly windowMs: number }) {
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
  }

  /** Takes one restart out of the allowance; undefined when none is left, else the pause before. */
  tryRestart(now: Instant): number | undefined {
    this.#forget(now);
    if (this.#restarts.length >= this.#limit) return undefined;
    const place = Math.min(this.#restarts.length, RESTART_PAUSES_MS.length - 1);
    this.#restarts.push(now);
    return RESTART_PAUSES_MS[place] ?? 0;
  }

  /** Restarts within the window that ends now. */
  count(now: Instant): number {
    this.#forget(now);
    return this.#restarts.length;
  }

  reset(): void {
    this.#restarts = [];
  }

  #forget(now: Instant): void {
    this.#restarts = this.#restarts.filter((at) => now - at < this.#windowMs);
  }
}
