/** Timers of the event loop. They do not keep the process running. */
import type { Timer } from '../ports/timer.ts';

export const systemTimer: Timer = {
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};
