/** Counts restarts of a resource within a sliding window: local recovery first, but not for ever. */
import type { Instant } from '../../base/time.ts';

export class RestartPolicy {
  readonly #limit: number;
  readonly #windowMs: number;
  #restarts: Instant[] = [];

  constructor(options: { readonly limit: number; readonly windowMs: number }) {
    this.#limit = options.limit;
    this.#windowMs = options.windowMs;
  }

  /** Takes one restart out of the allowance; false when none is left. */
  tryRestart(now: Instant): boolean {
    this.#forget(now);
    if (this.#restarts.length >= this.#limit) return false;
    this.#restarts.push(now);
    return true;
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
