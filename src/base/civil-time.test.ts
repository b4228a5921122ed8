import { expect, test } from 'vitest';
import { formatCivilTime, parseCivilTime } from './civil-time.ts';

test('agrees with the calendar of the platform from 1600 to 2400, on leap days too', () => {
  const day = 86_400_000;
  for (let ms = Date.UTC(1600, 0, 1); ms < Date.UTC(2400, 0, 1); ms += 13 * day + 4_567_891) {
    const iso = new Date(ms).toISOString();
    expect(formatCivilTime(ms)).toBe(`${iso.slice(0, 16).replace('T', ' ')} UTC`);
    expect(parseCivilTime(iso)).toBe(ms);
  }
  for (const leap of ['2000-02-29', '2024-02-29', '2023-12-31', '1900-03-01', '1970-01-01']) {
    expect(parseCivilTime(`${leap}T23:59:59Z`)).toBe(Date.parse(`${leap}T23:59:59Z`));
    expect(formatCivilTime(Date.parse(`${leap}T23:59:59Z`))).toBe(`${leap} 23:59 UTC`);
  }
});

test.each(['', 'noon', '2026-01-31', '2026-01-31T12:00:00+01:00'])('"%s" is no time', (text) => {
  expect(parseCivilTime(text)).toBeUndefined();
});
