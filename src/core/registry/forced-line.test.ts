import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import { Acceptor, type AcceptorEntry } from './acceptor.ts';
import { type ForceChange, evaluateForce, firstEpochOfLine, lineOf } from './forced-line.ts';
import { Proposer } from './proposer.ts';
import { type RecordChange, evaluate } from './record-change.ts';

const GROUP = 'g' as GroupId;
const DATA = 'data' as ResourceId;
const [A, B, W] = ['a', 'b', 'w'] as [NodeId, NodeId, NodeId];
const MEMBERS = [A, B, W];
const voter = (node: NodeId) => ({ node, seat: `${node}1` as SeatId });

function record(given: Partial<OwnershipRecord> = {}): OwnershipRecord {
  const inSync = { [DATA]: [A] };
  const epoch = 5 as Epoch;
  return { epoch, owner: A, inSync, want: 'online', voters: [voter(A)], ...given };
}

function force(owner: NodeId, given: Partial<ForceChange> = {}): ForceChange {
  const off = MEMBERS.filter((node) => node !== owner && node !== W);
  const rank = MEMBERS.indexOf(owner);
  const change = { type: 'force', owner, epoch: 5 as Epoch, rank, off, nodes: [A, B] } as const;
  return { ...change, acceptLoss: true, ...given };
}

const seats = (...nodes: NodeId[]) => new Map(nodes.map((node) => [node, voter(node).seat]));

describe('a forced record', () => {
  test('begins a line with the copy here alone, and keeps the others aside', () => {
    const made = evaluateForce(force(B), record(), seats(B, W));
    expect(made).toEqual({
      type: 'write',
      record: {
        epoch: 1_010_000,
        owner: B,
        inSync: { data: [B] },
        want: 'online',
        voters: [voter(B), voter(W)],
        byHand: true,
        forced: { at: 1_010_000, owner: A, epoch: 5, off: [A] },
        keptAside: { data: [A] },
      },
    });
    const forced = must(made.record, 'made');
    expect(evaluateForce(force(B), forced, seats(B, W))).toEqual({
      type: 'settled',
      record: forced,
    });
  });

  test.each([
    ['no record', force(B), undefined, seats(B, W), 'the group has no record yet'],
    ['another epoch', force(B), record({ epoch: 6 as Epoch }), seats(B, W), 'moved on to epoch 6'],
    ['who is off answers', force(B), record(), seats(A, B, W), 'a answers, and so is not off'],
    [
      'a better copy answers',
      force(B, { off: [W] }),
      record({ owner: W, inSync: { [DATA]: [A] } }),
      seats(A, B),
      'force it there instead',
    ],
    ['the loss', force(B, { acceptLoss: false }), record(), seats(B, W), 'lacks what a has'],
  ])('is refused: %s', (_what, change, present, answered, why) => {
    const made = evaluateForce(change, present, answered);
    expect(made).toMatchObject({ type: 'rejected', why: expect.stringContaining(why) });
  });

  test('every change of it stays in its line, and a copy voted in is kept no longer', () => {
    const made = evaluateForce(force(B), record(), seats(B, W));
    const forced = must(made.record, 'made');
    const admit = { type: 'admit', owner: B, epoch: forced.epoch, mirror: DATA, peer: A } as const;
    const admitted = evaluate(admit, forced, seats(B, W));
    const expected = { inSync: { data: [A, B] }, keptAside: { data: [] }, forced: forced.forced };
    expect(admitted).toMatchObject({ type: 'write', record: expected });
    const transfer = { type: 'transfer', to: A, epoch: forced.epoch, byHand: false } as const;
    const moved = evaluate(transfer, (admitted as { record: OwnershipRecord }).record, seats(B, W));
    expect(moved).toMatchObject({ record: { epoch: 1_010_001, forced: forced.forced } });
  });

  test('no two members begin a line alike, nor where ordinary changes lead', () => {
    const firsts = [0, 1, 2, 99].map((rank) => firstEpochOfLine(5 as Epoch, rank));
    expect(new Set(firsts).size).toBe(firsts.length);
    const later = firstEpochOfLine((firsts[3] as Epoch) ?? (0 as Epoch), 0);
    expect(later).toBeGreaterThan(Math.max(...firsts));
    expect(firstEpochOfLine(999_999 as Epoch, 0)).toBe(1_000_000);
  });
});

/** Members that hear only their own half, until it is mended; every half may be forced. */
class Halves {
  readonly prng: Prng;
  readonly disks = new Map(MEMBERS.map((id) => [id, new Map<GroupId, AcceptorEntry>()]));
  readonly acceptors = new Map<NodeId, Acceptor>();
  readonly chosen: OwnershipRecord[] = [];
  half: readonly NodeId[] = [];
  now = instant(0);

  constructor(seed: number) {
    this.prng = new Prng(seed);
    const ballot = { counter: 1, ...voter(A) };
    for (const id of MEMBERS) {
      const entry = { group: GROUP, promised: ballot, accepted: { ballot, record: record() } };
      must(this.disks.get(id), 'has a disk').set(GROUP, entry);
      this.acceptors.set(id, new Acceptor(voter(id).seat, [entry]));
    }
  }

  hears(a: NodeId, b: NodeId): boolean {
    return this.half.includes(a) === this.half.includes(b);
  }

  known(id: NodeId): OwnershipRecord {
    return must(this.acceptors.get(id)?.entry(GROUP)?.accepted?.record, 'has accepted one');
  }

  vote(me: NodeId, change: RecordChange): OwnershipRecord | undefined {
    const highest = this.acceptors.get(me)?.entry(GROUP)?.promised;
    const rank = MEMBERS.indexOf(me);
    const options = { me, seat: voter(me).seat, group: GROUP, members: MEMBERS, rank };
    const proposer = new Proposer(options, change, { now: this.now, timeoutMs: 800, highest });
    for (const until = this.now + 1000; this.now < until && !proposer.done;) {
      this.now = instant(this.now + 5);
      // All that were asked hear of it, also behind the answer that decides.
      const [result] = [...this.carry(me, proposer, proposer.tick(this.now))];
      if (result === undefined) continue;
      this.chosen.push(result);
      return result;
    }
    return undefined;
  }

  *carry(
    me: NodeId,
    proposer: Proposer,
    effects: ReturnType<Proposer['tick']>,
  ): Generator<OwnershipRecord> {
    for (const effect of effects) {
      if (effect.type === 'outcome') {
        if (effect.outcome.type === 'chosen') yield effect.outcome.record;
      } else if (this.hears(me, effect.to) && this.prng.chance(0.9)) {
        for (const message of this.ask(me, effect.to, effect.message)) {
          yield* this.carry(me, proposer, proposer.step(effect.to, message, this.now));
        }
      }
    }
  }

  ask(me: NodeId, to: NodeId, message: RegistryMessage): readonly RegistryMessage[] {
    if (message.type !== 'prepare' && message.type !== 'accept') return [];
    const acceptor = must(this.acceptors.get(to), 'a member');
    const disk = must(this.disks.get(to), 'a disk');
    const queue = [...acceptor.step(me, message)];
    const answers: RegistryMessage[] = [];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      if (effect.type === 'answer') answers.push(effect.message);
      if (effect.type === 'revoke') {
        queue.push(...acceptor.revoked(effect.id, { ok: true, remainingMs: 0, why: undefined }));
      }
      if (effect.type !== 'persist') continue;
      // R13: nobody goes back to an earlier line.
      const before = lineOf(disk.get(GROUP)?.accepted?.record);
      expect(lineOf(effect.entry.accepted?.record)).toBeGreaterThanOrEqual(before);
      disk.set(GROUP, effect.entry);
    }
    return answers;
  }

  forceOn(id: NodeId): void {
    const { epoch } = this.known(id);
    const off = MEMBERS.filter((other) => !this.hears(id, other));
    this.vote(id, force(id, { epoch, off }));
  }
}

test('halves that are forced and cut at will: one owner per epoch, and one record in the end', () => {
  let forced = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      const world = new Halves(seed);
      for (let step = 0; step < 12; step += 1) {
        world.half = MEMBERS.filter(() => world.prng.chance(0.5));
        const id = world.prng.pick([A, B]);
        if (world.prng.chance(0.3)) world.forceOn(id);
        else if (world.prng.chance(0.5)) world.vote(id, { type: 'read' });
        else world.vote(id, { type: 'claim', owner: id, epoch: world.known(id).epoch });
      }
      world.half = [];
      const last = MEMBERS.map((id) => world.known(id)).sort((x, y) => lineOf(x) - lineOf(y));
      const newest = must(last.at(-1), 'there are members');
      const reader = newest.owner;
      for (let turn = 0; turn < 8; turn += 1) world.vote(reader, { type: 'read' });
      for (const id of MEMBERS) expect(lineOf(world.known(id))).toBe(lineOf(newest));
      const owners = new Map<number, NodeId>();
      for (const { epoch, owner, forced: line } of world.chosen) {
        if (line !== undefined) forced += 1;
        expect(owners.get(epoch) ?? owner).toBe(owner);
        owners.set(epoch, owner);
      }
    }),
    { numRuns: 60 },
  );
  expect(forced).toBeGreaterThan(50);
});
