/**
 * The machine's clocks. `process.hrtime` reads CLOCK_MONOTONIC on Linux (not CLOCK_BOOTTIME), so an
 * instant can be compared with those of other processes of the machine.
 */
import { type Instant, instant } from '../base/time.ts';
import type { Clock } from '../ports/clock.ts';

export const systemClock: Clock = {
  now(): Instant {
    const [seconds, nanoseconds] = process.hrtime();
    return instant(seconds * 1000 + nanoseconds / 1e6);
  },
  wallTime(): string {
    return new Date().toISOString();
  },
};
