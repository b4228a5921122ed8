/** Timers by the event loop of Node.js. */
import type { Timer } from '../ports/timer.ts';

export const systemTimer: Timer = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
