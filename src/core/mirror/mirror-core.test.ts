import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instant, NEVER } from '../../base/time.ts';
import type { Epoch, NodeId } from '../../protocol/ids.ts';
import type { CopyWorth } from '../../protocol/mirror-frames.ts';
import { type CopyHello, decideAdmission, decideStart, equalAtStart } from './session-decision.ts';
import { Silence } from './silence.ts';
import { StablePosition } from './stable-position.ts';

const epoch = (value: number): Epoch => value as Epoch;
const clean = (e: number, seq: number): CopyWorth => ({ state: 'clean', epoch: epoch(e), seq });
const stream = {
  epoch: epoch(7),
  session: 's7',
  startedFrom: clean(6, 40),
  first: 3,
  sendableFrom: 10,
  last: 20,
  knowsSince: (seq: number) => seq >= 7,
  formerRuns: [],
  base: undefined,
};
const hello = { epoch: epoch(7), session: 's7', applied: 15, copy: { state: 'dirty' } as const };

describe('how a stream begins', () => {
  test('the same session goes on where it broke off', () => {
    expect(decideStart(stream, hello, false)).toEqual({ type: 'resume', from: 15 });
    expect(decideStart(stream, { ...hello, applied: 10 }, false)).toEqual({
      type: 'resume',
      from: 10,
    });
  });

  test('a position that is gone needs a resync, one that never was is refused', () => {
    expect(decideStart(stream, { ...hello, applied: 9 }, false).type).toBe('resync');
    expect(decideStart(stream, { ...hello, applied: 21 }, false).type).toBe('refuse');
  });

  test('where it is known what has changed since, only that is looked at', () => {
    const since = (said: Partial<CopyHello>): number | undefined => {
      const decision = decideStart(stream, { ...hello, ...said }, false);
      return decision.type === 'resync' ? decision.since : -1;
    };
    expect(since({ applied: 9 })).toBe(9);
    expect(since({ applied: 6 })).toBeUndefined();
    // Its process is another one now: what counts is what it had stored.
    const again = { session: '', epoch: epoch(0), applied: 0 };
    const stored = { epoch: epoch(7), session: 's7', seq: 12 };
    expect(since({ ...again, checkpoint: stored })).toBe(12);
    expect(since({ ...again, checkpoint: { ...stored, seq: 6 } })).toBeUndefined();
    expect(since({ ...again, checkpoint: { ...stored, seq: 21 } })).toBeUndefined();
    expect(since({ ...again, checkpoint: { ...stored, session: 's6' } })).toBeUndefined();
    expect(since({ ...again, checkpoint: { ...stored, epoch: epoch(6) } })).toBeUndefined();
    expect(since(again)).toBeUndefined();
    // Equal at the start, which the stream has forgotten.
    const knowing = { ...stream, knowsSince: () => true };
    const equal = { epoch: epoch(6), session: 's6', applied: 40, copy: clean(6, 40) };
    expect(decideStart(knowing, equal, false)).toMatchObject({ type: 'resync', since: 3 });
  });

  describe('where only this node, or the copy, changed something as the primary', () => {
    const knowing = {
      ...stream,
      knowsSince: (seq: number) => seq >= 3,
      formerRuns: [
        { epoch: epoch(5), session: 's5', first: 100 },
        { epoch: epoch(6), session: 's6', first: 30 },
      ],
      base: { epoch: epoch(4), session: 's4', seq: 60 },
    };
    const again = { session: '', epoch: epoch(0), applied: 0, copy: { state: 'dirty' } as const };
    const decided = (said: Partial<CopyHello>, by = knowing) =>
      decideStart(by, { ...again, ...said }, false);
    const known = (beside: string) => ({ type: 'resync', since: 3, beside });

    test('a copy of a former run of this primary lacks what was changed in it and since', () => {
      const checkpoint = { epoch: epoch(6), session: 's6', seq: 30 };
      expect(decided({ checkpoint })).toMatchObject(known('former'));
      const others = [
        { ...checkpoint, seq: 29 },
        { ...checkpoint, session: 's5' },
        { ...checkpoint, epoch: epoch(5) },
      ];
      for (const other of others) {
        expect(decided({ checkpoint: other })).not.toHaveProperty('since');
      }
      const forgetful = { ...knowing, knowsSince: () => false };
      expect(decided({ checkpoint }, forgetful)).not.toHaveProperty('since');
    });

    test('a former primary has beside that what it changed behind where this copy was', () => {
      const run = { epoch: epoch(4), session: 's4', first: 60 };
      const earlier = { epoch: epoch(3), session: 's3', first: 7 };
      expect(decided({ activity: [earlier, run] })).toMatchObject(known('own'));
      expect(decided({ activity: [run, { ...earlier, epoch: epoch(5) }] })).toMatchObject(
        known('own'),
      );
      expect(decided({ activity: [{ ...run, first: 61 }] })).not.toHaveProperty('since');
      expect(decided({ activity: [earlier] })).not.toHaveProperty('since');
      expect(decided({})).not.toHaveProperty('since');
      const baseless = { ...knowing, base: undefined };
      expect(decideStart(baseless, { ...again, activity: [run] }, false)).not.toHaveProperty(
        'since',
      );
    });
  });

  test('a resync that was broken off looks at everything again', () => {
    const knowing = { ...stream, knowsSince: () => true };
    expect(decideStart(knowing, hello, true)).not.toHaveProperty('since');
  });

  test('a resync that was broken off begins again', () => {
    expect(decideStart(stream, hello, true).type).toBe('resync');
  });

  test('equal notes follow from the start, as long as the start is there', () => {
    const equal = { epoch: epoch(6), session: 's6', applied: 40, copy: clean(6, 40) };
    expect(decideStart({ ...stream, sendableFrom: 3 }, equal, false)).toEqual({
      type: 'follow',
      from: 3,
    });
    expect(decideStart(stream, equal, false).type).toBe('resync');
  });

  test('any other copy is brought up to date, an unknown directory is not touched', () => {
    const from = { ...stream, sendableFrom: 3 };
    for (const copy of [
      clean(6, 39),
      clean(5, 40),
      { state: 'dirty' },
      { state: 'empty' },
    ] as const) {
      expect(
        decideStart(from, { epoch: epoch(6), session: 'x', applied: 3, copy }, false).type,
      ).toBe('resync');
    }
    const foreign = {
      epoch: epoch(0),
      session: '',
      applied: 0,
      copy: { state: 'foreign' } as const,
    };
    expect(decideStart(from, foreign, false).type).toBe('refuse');
  });

  test('copies are equal only if both say so', () => {
    expect(equalAtStart({ state: 'dirty' }, { state: 'dirty' })).toBe(false);
    expect(equalAtStart(clean(1, 2), clean(1, 2))).toBe(true);
  });
});

describe('who is let in', () => {
  const [n1, n2] = ['n1', 'n2'] as [NodeId, NodeId];
  const following = { epoch: epoch(5), primary: n1 };

  test('the primary of the epoch, and one of a newer epoch', () => {
    const accept = { type: 'accept' };
    expect(decideAdmission(following, undefined, { node: n1, epoch: epoch(5) })).toEqual(accept);
    expect(decideAdmission(following, undefined, { node: n2, epoch: epoch(6) })).toEqual(accept);
    expect(decideAdmission(following, epoch(5), { node: n2, epoch: epoch(6) })).toEqual(accept);
  });

  test('nobody else', () => {
    const why = (result: ReturnType<typeof decideAdmission>): string =>
      result.type === 'refuse' ? result.why : 'accepted';
    expect(why(decideAdmission(following, undefined, { node: n1, epoch: epoch(4) }))).toBe('stale');
    expect(why(decideAdmission(following, undefined, { node: n2, epoch: epoch(5) }))).toBe('stale');
    expect(why(decideAdmission(following, epoch(5), { node: n1, epoch: epoch(5) }))).toBe('sealed');
    expect(why(decideAdmission(undefined, undefined, { node: n1, epoch: epoch(5) }))).toBe(
      'not-following',
    );
  });
});

describe('stable position', () => {
  test('moves over syncs in order, however they end', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 30 }),
        fc.array(fc.nat({ max: 29 }), { maxLength: 60 }),
        (syncs, ends) => {
          const position = new StablePosition(100);
          const open = new Set<number>();
          for (const [at, sync] of syncs.entries()) {
            position.applied(101 + at, sync);
            if (sync) open.add(101 + at);
          }
          const applied = 100 + syncs.length;
          for (const end of [-1, ...ends]) {
            if (open.delete(101 + end)) position.synced(101 + end);
            const stable = open.size === 0 ? applied : Math.min(...open) - 1;
            expect(position.ack).toEqual({ applied, stable });
            expect(position.syncsUnderWay).toBeGreaterThanOrEqual(open.size);
          }
        },
      ),
    );
  });

  test('a sync that ends while it is applied counts', () => {
    const position = new StablePosition(0);
    position.synced(1);
    position.applied(1, true);
    expect(position.ack).toEqual({ applied: 1, stable: 1 });
  });
});

describe('silence', () => {
  test('is reported once per episode, a lost connection at once', () => {
    const silence = new Silence(400, instant(0));
    expect(silence.timePassed(instant(399))).toBeUndefined();
    expect(silence.timePassed(instant(400))).toMatchObject({ type: 'silent', silentMs: 400 });
    expect(silence.timePassed(instant(900))).toBeUndefined();
    expect(silence.nextWakeAt()).toBe(NEVER);
    expect(silence.heard(instant(1000))).toEqual({ type: 'answers' });
    expect(silence.heard(instant(1100))).toBeUndefined();
    expect(silence.disconnected(instant(1101), 'reset')).toMatchObject({ reason: 'reset' });
    expect(silence.disconnected(instant(1102), 'again')).toBeUndefined();
  });
});
