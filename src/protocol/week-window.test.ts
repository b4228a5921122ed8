import { describe, expect, test } from 'vitest';
import { isWithinWindow, parseWeekWindow, weekMinute } from './week-window.ts';

const [MON, FRI, SAT, SUN] = [0, 4, 5, 6] as const;

describe('a window of the week', () => {
  test.each([
    ['02:00-04:00', [0, 1, 2, 3, 4, 5, 6], 120, 120],
    ['sat,sun 22:00-06:00', [SAT, SUN], 1320, 480],
    ['fri-mon 00:00-24:00', [MON, FRI, SAT, SUN], 0, 1440],
    ['mon,mon-tue,mon 23:59-00:00', [0, 1], 1439, 1],
  ])('%s', (text, days, opens, lengthMinutes) => {
    expect(parseWeekWindow(text)).toEqual({ days, opens, lengthMinutes });
  });

  test.each([
    '',
    'sat',
    'always',
    '2:00-4:00',
    '02:00-02:00',
    '02:00-24:01',
    '24:00-02:00',
    '02:60-04:00',
    'Sat 02:00-04:00',
    'sat, sun 02:00-04:00',
    'sat,,sun 02:00-04:00',
    'sat-sun-mon 02:00-04:00',
    'sat- 02:00-04:00',
    ' 02:00-04:00',
    '02:00-04:00 ',
  ])('"%s" is none', (text) => {
    expect(parseWeekWindow(text)).toBeUndefined();
  });
});

describe('within', () => {
  const open = (text: string, day: number, hour: number, minute: number): boolean => {
    const window = parseWeekWindow(text);
    return window !== undefined && isWithinWindow([window], weekMinute(day, hour, minute));
  };

  test.each([
    ['sat 02:00-04:00', SAT, 1, 59, false],
    ['sat 02:00-04:00', SAT, 2, 0, true],
    ['sat 02:00-04:00', SAT, 3, 59, true],
    ['sat 02:00-04:00', SAT, 4, 0, false],
    ['sat 02:00-04:00', SUN, 3, 0, false],
    ['fri 22:00-06:00', SAT, 5, 59, true],
    ['fri 22:00-06:00', FRI, 5, 59, false],
    ['sun 22:00-06:00', MON, 5, 59, true],
    ['sun 22:00-06:00', MON, 6, 0, false],
    ['00:00-24:00', SUN, 23, 59, true],
  ])('%s: day %i, %i:%i', (text, day, hour, minute, expected) => {
    expect(open(text, day, hour, minute)).toBe(expected);
  });

  test('any of several counts', () => {
    const windows = ['mon 01:00-02:00', 'tue 01:00-02:00'].flatMap(
      (text) => parseWeekWindow(text) ?? [],
    );
    expect(isWithinWindow(windows, weekMinute(1, 1, 30))).toBe(true);
    expect(isWithinWindow(windows, weekMinute(2, 1, 30))).toBe(false);
    expect(isWithinWindow([], weekMinute(1, 1, 30))).toBe(false);
  });
});
