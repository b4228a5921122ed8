/**
 * Civil time as milliseconds since 1970, to and from ISO 8601 in UTC; pure arithmetic, for decisions
 * and the simulator must not reach for a clock. Days are counted from the first of March of a year
 * zero, so that a leap day is the last of its year.
 */

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const DAYS_OF_ERA = 146_097;
/** From the first of March of the year zero to the first of January 1970. */
const DAYS_TO_1970 = 719_468;
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?Z$/u;

/** `2026-01-31 12:00 UTC`, minutes rounded down. */
export function formatCivilTime(ms: number): string {
  const days = Math.floor(ms / DAY_MS);
  const minutes = Math.floor((ms - days * DAY_MS) / MINUTE_MS);
  const [year, month, day] = dateOf(days);
  const date = [pad(year, 4), pad(month), pad(day)].join('-');
  return `${date} ${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)} UTC`;
}

/** Of what `Clock.wallTime` tells; undefined for any other text. */
export function parseCivilTime(text: string): number | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1, 7)
    .map(Number);
  const millis = Number(match[7] ?? 0);
  const time = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
  return daysOf(year, month, day) * DAY_MS + time;
}

function daysOf(year: number, month: number, day: number): number {
  const from = month > 2 ? year : year - 1;
  const era = Math.floor(from / 400);
  const yearOfEra = from - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return era * DAYS_OF_ERA + yearOfEra * 365 + leapDays + dayOfYear - DAYS_TO_1970;
}

function dateOf(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + DAYS_TO_1970;
  const era = Math.floor(shifted / DAYS_OF_ERA);
  const dayOfEra = shifted - era * DAYS_OF_ERA;
  const fourths = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524);
  const yearOfEra = Math.floor((dayOfEra - fourths - Math.floor(dayOfEra / 146_096)) / 365);
  const before = 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  const dayOfYear = dayOfEra - before;
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = ((shiftedMonth + 2) % 12) + 1;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}
