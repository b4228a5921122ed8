/** Waiting, as a person waits, for something to come true. */
import type { Clock } from '../ports/clock.ts';
import type { Timer } from '../ports/timer.ts';

export interface Waiting {
  readonly clock: Clock;
  readonly timer: Timer;
}

const POLL_MS = 20;

/** Whether it came true within `timeoutMs`; asked at once, and then again and again. */
export async function until(
  { clock, timer }: Waiting,
  so: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = clock.now() + timeoutMs;
  while (!so()) {
    if (clock.now() >= deadline) return false;
    await new Promise<void>((resolve) => {
      timer.after(POLL_MS, resolve);
    });
  }
  return true;
}
