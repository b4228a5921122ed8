/**
 * Lives of one node that end at any moment, with writes that are carried out at any later one, up to
 * `LATE_MS` after the end: what was acknowledged last is what the next life finds.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SeatId } from '../../protocol/ids.ts';
import type { NotedLife } from '../../protocol/share-life.ts';
import { LATE_MS, nextLife } from './life.ts';

const SEAT = 'seat' as SeatId;
const REGIONS = 3;

interface Written {
  readonly life: number;
  readonly sequence: number;
}

/** The share's file as a whole: the newest of each region counts there, the newest of all is read. */
class Share {
  readonly #regions: Written[] = Array.from({ length: REGIONS }, () => ({ life: 0, sequence: 0 }));
  #pending: { readonly region: number; readonly written: Written; readonly endsAt: number }[] = [];

  last(): Written & { readonly region: number } {
    const all = this.#regions.map((written, region) => ({ ...written, region }));
    return all.reduce((newest, other) => (isAfter(other, newest) ? other : newest));
  }

  /** One write at a time and slot: a late one overwrites whatever is there. */
  put(region: number, written: Written): void {
    this.#regions[region] = written;
  }

  later(region: number, written: Written, endsAt: number): void {
    this.#pending.push({ region, written, endsAt });
  }

  /** Those may be carried out now that have not become impossible. */
  land(which: number, now: number): void {
    this.#pending = this.#pending.filter(({ endsAt }) => now < endsAt);
    const [landed] = this.#pending.splice(which % Math.max(1, this.#pending.length), 1);
    if (landed !== undefined) this.put(landed.region, landed.written);
  }
}

const step = fc.record({
  writes: fc.integer({ min: 0, max: 3 }),
  lasts: fc.constantFrom(10, 500, LATE_MS / 2, 2 * LATE_MS),
  hangs: fc.boolean(),
  lands: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
});

test('whatever lands late, what was acknowledged last is found', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 12 }), (lives) => {
      const share = new Share();
      let noted: NotedLife | undefined;
      let acknowledged: Written = { life: 0, sequence: 0 };
      let now = 0;
      for (const { writes, lasts, hangs, lands } of lives) {
        const last = share.last();
        expect(isAfter(acknowledged, last)).toBe(false);
        const next = nextLife({ seat: SEAT, noted, last, regions: REGIONS, take: () => true });
        if (next === undefined) throw new Error('none is taken');
        expect(next.note.life).toBeGreaterThan(noted?.life ?? 0);
        noted = next.note;
        now += next.waitMs;
        const { life } = next.note;
        for (let sequence = 1; sequence <= writes; sequence += 1) {
          acknowledged = { life, sequence };
          share.put(next.region, acknowledged);
          for (const which of lands) share.land(which, now);
          expect(share.last()).toMatchObject(acknowledged);
        }
        now += lasts;
        if (lasts >= next.then.afterMs) noted = next.then.note;
        // It lands, or not; nobody was told of it.
        if (hangs) share.later(next.region, { life, sequence: writes + 1 }, now + LATE_MS);
        for (const which of lands) share.land(which, now);
      }
    }),
  );
});

test('a new seat begins anew, a note that is gone waits, and what is taken is left alone', () => {
  const noted: NotedLife = { seat: 'other' as SeatId, life: 9, open: [0, 1, 2] };
  const fresh = { life: 0, region: 0 };
  const take = (): boolean => true;
  const first = nextLife({ seat: SEAT, noted, last: fresh, regions: REGIONS, take });
  expect(first).toMatchObject({ region: 1, waitMs: 0, note: { seat: SEAT, life: 1, open: [1] } });
  const used = { life: 4, region: 2 };
  const unknown = nextLife({ seat: SEAT, noted: undefined, last: used, regions: REGIONS, take });
  expect(unknown).toMatchObject({ region: 0, waitMs: LATE_MS, note: { life: 5 } });
  const only = (wanted: number) => (region: number) => region === wanted;
  const choice = { seat: SEAT, noted: undefined, last: used, regions: REGIONS };
  expect(nextLife({ ...choice, take: only(1) })?.region).toBe(1);
  expect(nextLife({ ...choice, take: only(2) })).toBeUndefined();
});

function isAfter(a: Written, b: Written): boolean {
  return a.life > b.life || (a.life === b.life && a.sequence > b.sequence);
}
