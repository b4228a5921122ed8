/**
 * Proposers and acceptors under loss, duplication, reordering and restarts: whatever happens, at
 * most one owner is chosen per epoch, and what was chosen is never forgotten.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import { Acceptor, type AcceptorEntry } from './acceptor.ts';
import { Proposer } from './proposer.ts';
import type { RecordChange } from './record-change.ts';

const GROUP = 'g' as GroupId;
const SEAT = 'seat' as SeatId;
const VOTERS = ['a', 'b', 'c'] as NodeId[];
const COPIES = { m: VOTERS } as unknown as Record<ResourceId, readonly NodeId[]>;

interface Flying {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: RegistryMessage;
}

class Chaos {
  readonly prng: Prng;
  readonly disks = new Map<NodeId, Map<GroupId, AcceptorEntry>>();
  readonly acceptors = new Map<NodeId, Acceptor>();
  readonly proposers = new Map<NodeId, Proposer>();
  readonly chosen: OwnershipRecord[] = [];
  flying: Flying[] = [];
  now = instant(0);

  constructor(seed: number) {
    this.prng = new Prng(seed);
    for (const voter of VOTERS) {
      const seeded: OwnershipRecord = {
        epoch: 1 as Epoch,
        owner: 'a' as NodeId,
        inSync: COPIES,
        want: 'online',
        voters: VOTERS.map((node) => ({ node, seat: SEAT })),
      };
      const ballot = { counter: 1, node: 'a' as NodeId, seat: SEAT };
      const entry = { group: GROUP, promised: ballot, accepted: { ballot, record: seeded } };
      this.disks.set(voter, new Map([[GROUP, entry]]));
      this.acceptors.set(voter, new Acceptor(SEAT, [entry]));
    }
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      this.now = instant(this.now + this.prng.below(20));
      const dice = this.prng.below(12);
      const who = this.prng.pick(VOTERS);
      if (dice === 0) this.restart(who);
      else if (dice === 1) this.propose(who);
      else if (dice === 2) this.flying.splice(this.prng.below(this.flying.length + 1), 1);
      else if (dice === 3 && this.flying.length > 0) this.flying.push(this.prng.pick(this.flying));
      else if (dice < 6) for (const voter of VOTERS) this.tick(voter);
      else this.deliver();
    }
  }

  tick(who: NodeId): void {
    const proposer = this.proposers.get(who);
    if (proposer === undefined || proposer.nextWakeAt() > this.now) return;
    this.take(who, proposer.tick(this.now));
  }

  propose(who: NodeId): void {
    if (this.proposers.get(who)?.done === false) return;
    const known = this.acceptors.get(who)?.entry(GROUP)?.accepted?.record;
    const epoch = known?.epoch ?? (1 as Epoch);
    const change: RecordChange = this.prng.chance(0.7)
      ? { type: 'claim', owner: who, epoch }
      : { type: 'read' };
    const rank = VOTERS.indexOf(who);
    const options = { me: who, seat: SEAT, group: GROUP, members: VOTERS, rank };
    const highest = this.acceptors.get(who)?.entry(GROUP)?.promised;
    const start = { now: this.now, timeoutMs: 400, highest };
    const proposer = new Proposer(options, change, start);
    this.proposers.set(who, proposer);
    this.take(who, proposer.tick(this.now));
  }

  take(who: NodeId, effects: ReturnType<Proposer['tick']>): void {
    for (const effect of effects) {
      if (effect.type === 'send') {
        this.flying.push({ from: who, to: effect.to, message: effect.message });
      } else if (effect.outcome.type === 'chosen') this.chosen.push(effect.outcome.record);
    }
  }

  /** What was promised is on disk before any answer leaves, so a restart loses nothing of it. */
  restart(who: NodeId): void {
    const disk = must(this.disks.get(who), 'every voter has a disk');
    this.acceptors.set(who, new Acceptor(SEAT, disk.values()));
    this.proposers.delete(who);
  }

  deliver(): void {
    const [next] = this.flying.splice(this.prng.below(this.flying.length), 1);
    if (next === undefined) return;
    const { from, to, message } = next;
    if (message.type !== 'prepare' && message.type !== 'accept') {
      const proposer = this.proposers.get(to);
      if (proposer !== undefined) this.take(to, proposer.step(from, message, this.now));
      return;
    }
    const acceptor = must(this.acceptors.get(to), 'every voter has an acceptor');
    const queue = [...acceptor.step(from, message)];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      if (effect.type === 'persist') this.disks.get(to)?.set(GROUP, effect.entry);
      else if (effect.type === 'answer') {
        this.flying.push({ from: to, to: effect.to, message: effect.message });
      } else if (effect.type === 'revoke') {
        const ok = this.prng.chance(0.8);
        queue.push(...acceptor.revoked(effect.id, { ok, remainingMs: 30, why: 'promise' }));
      }
    }
  }
}

/** Claims set `inSync` to the claimant alone: only it can go on from there, by a later claim. */
describe('the embedded registry', () => {
  test('chooses one owner per epoch, whatever is lost, repeated or restarted', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
        const chaos = new Chaos(seed);
        chaos.run(600);
        const owners = new Map<Epoch, NodeId>();
        for (const record of chaos.chosen) {
          const owner = owners.get(record.epoch);
          if (owner !== undefined) expect(record.owner).toBe(owner);
          owners.set(record.epoch, record.owner);
        }
        const last = Math.max(1, ...chaos.chosen.map((record) => record.epoch));
        const holders = VOTERS.filter((voter) => {
          const entry = chaos.acceptors.get(voter)?.entry(GROUP);
          return (entry?.accepted?.record?.epoch ?? 0) >= last;
        });
        expect(holders.length, 'a majority has what was chosen last').toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 150 },
    );
  });

  test('makes progress once messages arrive', () => {
    const chaos = new Chaos(7);
    chaos.propose('b' as NodeId);
    for (let step = 0; step < 3000 && chaos.chosen.length === 0; step += 1) {
      chaos.now = instant(chaos.now + 1);
      chaos.tick('b' as NodeId);
      if (chaos.flying.length > 0) chaos.deliver();
    }
    expect(chaos.chosen.map((record) => [record.epoch, record.owner])).toEqual([[2, 'b']]);
  });
});
