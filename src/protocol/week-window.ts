/**
 * Times of the week in which something may happen by itself, as an administrator writes them:
 * `02:00-04:00` for every day, `sat,sun 22:00-06:00`, `mon-fri 00:00-24:00`. The days are those on
 * which a window opens; one that closes earlier than it opens closes on the day after. Pure.
 */
import type { Brand } from '../base/brand.ts';

/** Whole minutes since Monday, 00:00, of the civil time of some place. */
export type WeekMinute = Brand<number, 'WeekMinute'>;

export interface WeekWindow {
  /** 0 is Monday. */
  readonly days: readonly number[];
  /** Minutes since midnight. */
  readonly opens: number;
  readonly lengthMinutes: number;
}

export const WEEK_WINDOW_WANTED =
  'days and times, such as "sat,sun 22:00-06:00", "mon-fri 02:00-04:00" or "02:00-04:00"';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const PATTERN = /^(?:(\S{3,40}) )?(\d\d):(\d\d)-(\d\d):(\d\d)$/u;

/** Undefined when `text` is none. */
export function parseWeekWindow(text: string): WeekWindow | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [days, opens, closes] = [
    daysOf(match[1]),
    minuteOf(match[2], match[3]),
    minuteOf(match[4], match[5]),
  ];
  if (days === undefined || opens === undefined || closes === undefined) return undefined;
  if (opens === DAY_MINUTES || opens === closes) return undefined;
  const lengthMinutes = closes > opens ? closes - opens : closes - opens + DAY_MINUTES;
  return { days, opens, lengthMinutes };
}

export function isWithinWindow(windows: readonly WeekWindow[], at: WeekMinute): boolean {
  return windows.some(({ days, opens, lengthMinutes }) =>
    days.some((day) => {
      const since = at - (day * DAY_MINUTES + opens);
      return (since + WEEK_MINUTES) % WEEK_MINUTES < lengthMinutes;
    }),
  );
}

/** `day`: 0 is Monday. */
export function weekMinute(day: number, hour: number, minute: number): WeekMinute {
  return (day * DAY_MINUTES + hour * 60 + minute) as WeekMinute;
}

function minuteOf(hour: string | undefined, minute: string | undefined): number | undefined {
  const [h, m] = [Number(hour), Number(minute)];
  const total = h * 60 + m;
  return m < 60 && total <= DAY_MINUTES ? total : undefined;
}

function daysOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return DAYS.map((_, day) => day);
  const all = new Set<number>();
  for (const part of text.split(',')) {
    const [first, last = first, ...rest] = part.split('-').map((name) => DAYS.indexOf(name));
    if (first === undefined || last === undefined || rest.length > 0) return undefined;
    if (first < 0 || last < 0) return undefined;
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      all.add(day);
      if (day === last) break;
    }
  }
  return [...all].sort((a, b) => a - b);
}
