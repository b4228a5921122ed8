/**
 * How many datagrams a heart looks at: so many per second, with a burst of as many. The rest is
 * dropped before it costs any cryptography. Where one process beats for several clusters, none of
 * them can take the time of the others. Strangers are dropped before and take nothing of it.
 */
import type { Instant } from '../../base/time.ts';

export class Admission {
  readonly #perSecond: number;
  #tokens: number;
  #filledAt: Instant | undefined;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  /** False: drop it. */
  take(now: Instant): boolean {
    const gained = ((now - (this.#filledAt ?? now)) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
