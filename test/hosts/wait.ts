/** Waiting for conditions, never for time alone: every wait has a deadline and says what it missed. */

import { timeFactor } from '../../tools/lib/time-factor.ts';

const POLL_MS = 20;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly pollMs?: number | undefined;
}

/** Suspends the caller; for pacing what is measured, not for hoping that something has happened. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/**
 * Polls until `probe` gives something other than `undefined` or `false`, and returns that. When the
 * time is over it throws `what` and, where there is one, the last error of the probe.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs * timeFactor();
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last instanceof Error ? `; last error: ${last.message}` : '';
      throw new Error(`Waited ${options.timeoutMs} ms in vain: ${what}${why}`, { cause: last });
    }
    await pause(options.pollMs ?? POLL_MS);
  }
}
