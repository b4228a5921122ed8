/**
 * Time as decisions see it. An instant is a reading of the kernel's CLOCK_MONOTONIC in
 * milliseconds (with fractions): it is the same for all processes of one machine, never jumps, and
 * means nothing on another machine. Wall-clock time appears in logs and events only.
 */
import type { Brand } from './brand.ts';

export type Instant = Brand<number, 'Instant'>;

/** An instant that is never reached. */
export const NEVER = Number.POSITIVE_INFINITY as Instant;

export function instant(ms: number): Instant {
  return ms as Instant;
}

export function plus(at: Instant, ms: number): Instant {
  return (at + ms) as Instant;
}

/** The earliest of some instants, {@link NEVER} for none. */
export function earliest(instants: Iterable<Instant>): Instant {
  let first = NEVER;
  for (const at of instants) if (at < first) first = at;
  return first;
}
