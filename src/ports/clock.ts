import type { Instant } from '../base/time.ts';

/** The world's clocks. Decisions never read them: time reaches them as an argument. */
export interface Clock {
  /** CLOCK_MONOTONIC, the same for all processes of the machine. */
  now(): Instant;
  /** Wall-clock time for people, ISO 8601 with milliseconds, UTC. */
  wallTime(): string;
}
