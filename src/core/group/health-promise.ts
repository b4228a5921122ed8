/**
 * The promise of a program to report its own health: with each report it says for how long that
 * holds. When the time is over without a further report, it was silent once; each further while of
 * that length is one more silence.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';

export class HealthPromise {
  #everyMs = 0;
  #dueAt: Instant = NEVER;
  #silences = 0;

  /** A report came; without `ttlMs` it promises no further one. */
  reported(ttlMs: number | undefined, now: Instant): void {
    this.#silences = 0;
    this.#everyMs = ttlMs ?? 0;
    this.#dueAt = ttlMs === undefined ? NEVER : plus(now, ttlMs);
  }

  /** The resource is not online any more, or a new one: nothing is promised. */
  end(): void {
    this.reported(undefined, NEVER);
  }

  /** While there is no authority everything may hang, so silence says nothing. */
  excused(now: Instant): void {
    if (now >= this.#dueAt) this.reported(this.#everyMs, now);
  }

  /** The silences in a row when one more is over; otherwise 0. */
  silent(now: Instant): number {
    if (now < this.#dueAt) return 0;
    this.#dueAt = plus(now, this.#everyMs);
    this.#silences += 1;
    return this.#silences;
  }

  get everyMs(): number {
    return this.#everyMs;
  }

  get dueAt(): Instant {
    return this.#dueAt;
  }
}
