/** The machine's wall clock in its own time zone. */
import type { Calendar } from '../ports/calendar.ts';
import { type WeekMinute, weekMinute } from '../protocol/week-window.ts';

export const systemCalendar: Calendar = {
  weekMinute(): WeekMinute {
    const local = new Date();
    // Sunday is 0 for JavaScript, and the last day of the week here.
    return weekMinute((local.getDay() + 6) % 7, local.getHours(), local.getMinutes());
  },
};
