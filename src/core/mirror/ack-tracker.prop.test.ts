import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../protocol/ids.ts';
import { AckTracker, type HeldKind, type MirrorMode } from './ack-tracker.ts';

const PEERS = ['n2', 'n3'] as NodeId[];

type Step =
  | { type: 'hold'; kind: HeldKind }
  | { type: 'local'; which: number }
  | { type: 'giveUp'; which: number }
  | { type: 'ack'; peer: NodeId; applied: number; stable: number }
  | { type: 'join'; peer: NodeId }
  | { type: 'leave'; peer: NodeId }
  | { type: 'open' }
  | { type: 'close' };

const peer = fc.constantFrom(...PEERS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('hold' as const),
      kind: fc.constantFrom('change' as const, 'sync' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('local' as const), which: fc.nat({ max: 30 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('giveUp' as const), which: fc.nat({ max: 30 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('ack' as const),
      peer,
      applied: fc.nat({ max: 40 }),
      stable: fc.nat({ max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('join' as const), peer }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), peer }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('open' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('close' as const) }) },
);

interface Reply {
  seq: number;
  kind: HeldKind;
  local: boolean;
  failed: boolean;
  sent: boolean;
}

/** The rules of the specification, written down once more in the plainest way. */
class Model {
  readonly replies = new Map<number, Reply>();
  readonly copies = new Map<NodeId, { from: number; applied: number; stable: number }>();
  open = false;
  readonly mode: MirrorMode;

  constructor(mode: MirrorMode) {
    this.mode = mode;
  }

  mayGo(reply: Reply): boolean {
    if (!this.open || reply.sent) return false;
    if (reply.failed) return true;
    if (reply.kind === 'change' && this.mode === 'durable') return true;
    if (reply.kind === 'sync' && !reply.local) return false;
    return [...this.copies.values()].every((copy) => {
      const has = reply.kind === 'sync' ? copy.stable : copy.applied;
      return reply.seq < copy.from || has >= reply.seq;
    });
  }
}

function perform(tracker: AckTracker, model: Model, next: Step, seq: number): readonly number[] {
  switch (next.type) {
    case 'hold':
      model.replies.set(seq, { seq, kind: next.kind, local: false, failed: false, sent: false });
      return tracker.hold({ token: seq, seq, kind: next.kind });
    case 'local':
    case 'giveUp': {
      const reply = model.replies.get(next.which);
      if (reply === undefined || reply.kind === 'change') return [];
      if (next.type === 'local') reply.local = true;
      else if (!reply.local) reply.failed = true;
      else return [];
      return next.type === 'local' ? tracker.localDone(next.which) : tracker.giveUp(next.which);
    }
    case 'ack': {
      const copy = model.copies.get(next.peer);
      if (copy !== undefined) {
        copy.applied = Math.max(copy.applied, next.applied);
        copy.stable = Math.max(copy.stable, next.stable);
      }
      return tracker.acknowledged(next.peer, next.applied, next.stable);
    }
    case 'join':
      if (!model.copies.has(next.peer)) {
        model.copies.set(next.peer, { from: seq, applied: 0, stable: 0 });
      }
      tracker.join(next.peer, seq);
      return [];
    case 'leave':
      model.copies.delete(next.peer);
      return tracker.leave(next.peer);
    case 'open':
      model.open = true;
      return tracker.openGate();
    case 'close':
      model.open = false;
      tracker.closeGate();
      return [];
  }
}

describe('acknowledgement', () => {
  test.each(['durable', 'every-write'] as const)(
    'in mode %s exactly those replies go that may, as soon as they may',
    (mode) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          const tracker = new AckTracker(mode);
          const model = new Model(mode);
          let seq = 0;
          for (const next of steps) {
            if (next.type === 'hold') seq += 1;
            const gone = perform(tracker, model, next, seq);
            const allowed = [...model.replies].filter(([, reply]) => model.mayGo(reply));
            expect([...gone].toSorted((a, b) => a - b)).toEqual(allowed.map(([token]) => token));
            for (const [, reply] of allowed) reply.sent = true;
          }
          const kept = [...model.replies.values()].filter((reply) => !reply.sent);
          expect(tracker.heldCount).toBe(kept.length);
        }),
        { numRuns: 2000 },
      );
    },
  );

  test('nothing goes through a closed gate', () => {
    const tracker = new AckTracker('durable');
    expect(tracker.hold({ token: 1, seq: 1, kind: 'change' })).toEqual([]);
    expect(tracker.openGate()).toEqual([1]);
  });

  test('a copy that joined waits only from its position on', () => {
    const tracker = new AckTracker('durable');
    tracker.openGate();
    tracker.join(PEERS[0] as NodeId, 5);
    tracker.hold({ token: 1, seq: 4, kind: 'sync' });
    expect(tracker.localDone(1)).toEqual([1]);
    tracker.hold({ token: 2, seq: 5, kind: 'sync' });
    expect(tracker.localDone(2)).toEqual([]);
    expect(tracker.holders()).toEqual([PEERS[0]]);
    expect(tracker.stableEverywhere(5)).toBe(false);
    expect(tracker.acknowledged(PEERS[0] as NodeId, 5, 5)).toEqual([2]);
  });
});
