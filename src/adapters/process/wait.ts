/** Waiting for what the kernel tells nobody of by itself: short looks, bounded and cancellable. */
import type { CancelSignal } from '../../base/cancel-signal.ts';

export interface PollOptions {
  readonly everyMs: number;
  readonly withinMs: number;
  readonly cancel: CancelSignal;
}

/** Looks at once and then again and again; false when time was over or cancelled before. */
export async function pollUntil(done: () => boolean, options: PollOptions): Promise<boolean> {
  const until = performance.now() + options.withinMs;
  for (;;) {
    if (done()) return true;
    if (options.cancel.aborted || performance.now() >= until) return false;
    await new Promise((resolve) => setTimeout(resolve, options.everyMs));
  }
}
