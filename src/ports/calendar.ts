import type { WeekMinute } from '../protocol/week-window.ts';

/** The civil time of this machine. It may jump either way at any time, so no safety rests on it. */
export interface Calendar {
  weekMinute(): WeekMinute;
}
