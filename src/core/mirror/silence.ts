/**
 * Primary: notices when a copy that must acknowledge does not answer, and when it answers again.
 * One report per episode. A refused or lost connection is reported at once, mere silence after
 * `silentMs`.
 */
import { type Instant, NEVER, plus } from '../../base/time.ts';

export type SilenceReport =
  | { readonly type: 'silent'; readonly silentMs: number; readonly reason: string }
  | { readonly type: 'answers' };

export class Silence {
  readonly #limitMs: number;
  #heardAt: Instant;
  #reported = false;
  #connected = false;

  constructor(limitMs: number, now: Instant) {
    this.#limitMs = limitMs;
    this.#heardAt = now;
  }

  get silent(): boolean {
    return this.#reported;
  }

  silentFor(now: Instant): number {
    return Math.max(0, now - this.#heardAt);
  }

  /** Something came from it on an established stream. */
  heard(now: Instant): SilenceReport | undefined {
    this.#heardAt = now;
    this.#connected = true;
    if (!this.#reported) return undefined;
    this.#reported = false;
    return { type: 'answers' };
  }

  /** Its connection broke, or an attempt to connect failed: `reason` says how. */
  disconnected(now: Instant, reason: string): SilenceReport | undefined {
    this.#connected = false;
    return this.#report(now, reason);
  }

  timePassed(now: Instant): SilenceReport | undefined {
    if (now < this.nextWakeAt()) return undefined;
    const what = this.#connected ? 'connected, but nothing came from it' : 'not connected';
    return this.#report(now, what);
  }

  nextWakeAt(): Instant {
    return this.#reported ? NEVER : plus(this.#heardAt, this.#limitMs);
  }

  #report(now: Instant, reason: string): SilenceReport | undefined {
    if (this.#reported) return undefined;
    this.#reported = true;
    return { type: 'silent', silentMs: Math.round(this.silentFor(now)), reason };
  }
}
