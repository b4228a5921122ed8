/**
 * Changes of voters under loss, duplication, reordering, restarts and lost disks: whoever reads,
 * with whatever it knew before, never misses what was chosen. Unlike availability, this holds for
 * any number of disks that are lost.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import { Acceptor, type AcceptorEntry } from './acceptor.ts';
import { electorate, sameVoters } from './electorate.ts';
import { Proposer } from './proposer.ts';
import type { RecordChange } from './record-change.ts';

const GROUP = 'g' as GroupId;
const MEMBERS = ['a', 'b', 'c', 'd', 'e'] as NodeId[];

interface Flying {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: RegistryMessage;
}

interface Member {
  readonly id: NodeId;
  disk: Map<GroupId, AcceptorEntry>;
  disks: number;
  acceptor: Acceptor;
  proposer: Proposer | undefined;
  /** The last joint record that a vote of this process has chosen. */
  joined: OwnershipRecord | undefined;
}

class Chaos {
  readonly prng: Prng;
  readonly members: readonly Member[];
  /** In the order in which their votes ended. */
  readonly chosen: OwnershipRecord[] = [];
  changes = 0;
  lostDisks = 0;
  flying: Flying[] = [];
  /** By ballot, the record that it was used for. */
  readonly proposed = new Map<string, string>();
  now = instant(0);

  constructor(seed: number) {
    this.prng = new Prng(seed);
    const first: OwnershipRecord = {
      epoch: 1 as Epoch,
      owner: must(MEMBERS[0], 'a'),
      inSync: {},
      want: 'online',
      voters: MEMBERS.slice(0, 3).map((node) => ({ node, seat: seatOf(node, 1) })),
    };
    const ballot = { counter: 1, node: first.owner, seat: seatOf(first.owner, 1) };
    const entry = { group: GROUP, promised: ballot, accepted: { ballot, record: first } };
    this.members = MEMBERS.map((id) => {
      const has = first.voters.some(({ node }) => node === id);
      const disk = new Map(has ? [[GROUP, entry]] : []);
      const acceptor = new Acceptor(seatOf(id, 1), disk.values());
      return { id, disk, disks: 1, acceptor, proposer: undefined, joined: undefined };
    });
    this.chosen.push(first);
  }

  member(id: NodeId): Member {
    return must(
      this.members.find((member) => member.id === id),
      'a member',
    );
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      this.now = instant(this.now + this.prng.below(4));
      const dice = this.prng.below(60);
      const who = this.prng.pick(this.members);
      if (dice === 0) this.restart(who);
      else if (dice === 1 && this.prng.chance(0.2)) this.loseDisk(who);
      else if (dice < 4) this.propose(who);
      else if (dice < 6) this.flying.splice(this.prng.below(this.flying.length + 1), 1);
      else if (dice < 8 && this.flying.length > 0) this.flying.push(this.prng.pick(this.flying));
      else if (dice < 16) for (const member of this.members) this.tick(member);
      else this.deliver();
    }
  }

  tick(member: Member): void {
    const { proposer } = member;
    if (proposer === undefined || proposer.nextWakeAt() > this.now) return;
    this.take(member, proposer.tick(this.now));
  }

  propose(member: Member): void {
    if (member.proposer?.done === false) return;
    const entry = member.acceptor.entry(GROUP);
    const known = entry?.accepted?.record;
    const rank = MEMBERS.indexOf(member.id);
    const { seat } = member.acceptor;
    const options = { me: member.id, seat, group: GROUP, members: MEMBERS, rank };
    const start = { now: this.now, timeoutMs: 500, highest: entry?.promised };
    member.proposer = new Proposer(options, this.change(member, known), start);
    this.take(member, member.proposer.tick(this.now));
  }

  /** Voters are changed as an owner does it: the second half only after the first was chosen. */
  change(member: Member, known: OwnershipRecord | undefined): RecordChange {
    const dice = this.prng.below(10);
    if (known === undefined) return { type: 'read' };
    const { epoch, owner } = known;
    if (dice === 0) return { type: 'read' };
    if (dice < 5) return { type: 'claim', owner: member.id, epoch };
    const { joined } = member;
    if (joined?.formerVoters !== undefined && dice < 9) {
      const { voters, formerVoters } = joined;
      return { type: 'settleVoters', owner, epoch, voters, formerVoters };
    }
    const some = this.members.filter(() => this.prng.chance(0.6));
    const seated = some.length === 0 ? [member] : some;
    const voters = electorate(
      seated.map(({ id, acceptor }) => ({ node: id, seat: acceptor.seat })),
    );
    return { type: 'joinVoters', owner, epoch, voters };
  }

  take(member: Member, effects: ReturnType<Proposer['tick']>): void {
    for (const effect of effects) {
      if (effect.type === 'send') {
        this.checkBallot(effect.message);
        this.flying.push({ from: member.id, to: effect.to, message: effect.message });
      } else if (effect.outcome.type === 'chosen') this.wasChosen(member, effect.outcome.record);
    }
  }

  /** R4: no ballot for two records, not even of a member that forgot its ballots. */
  checkBallot(message: RegistryMessage): void {
    if (message.type !== 'accept') return;
    const ballot = JSON.stringify(message.ballot);
    const record = JSON.stringify(message.record);
    const before = this.proposed.get(ballot) ?? record;
    if (before !== record) throw new Error(`${ballot} was used for ${before} and for ${record}`);
    this.proposed.set(ballot, record);
  }

  wasChosen(member: Member, record: OwnershipRecord): void {
    if (record.formerVoters !== undefined) member.joined = record;
    const last = this.chosen.at(-1);
    if (last !== undefined && !sameVoters(last.voters, record.voters)) this.changes += 1;
    this.chosen.push(record);
  }

  restart(member: Member): void {
    member.acceptor = new Acceptor(seatOf(member.id, member.disks), member.disk.values());
    member.proposer = undefined;
    member.joined = undefined;
  }

  loseDisk(member: Member): void {
    this.lostDisks += 1;
    member.disks += 1;
    member.disk = new Map();
    this.restart(member);
  }

  deliver(): void {
    const [next] = this.flying.splice(this.prng.below(this.flying.length), 1);
    if (next === undefined) return;
    const { from, to, message } = next;
    const member = this.member(to);
    if (message.type !== 'prepare' && message.type !== 'accept') {
      if (member.proposer !== undefined) {
        this.take(member, member.proposer.step(from, message, this.now));
      }
      return;
    }
    const queue = [...member.acceptor.step(from, message)];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      if (effect.type === 'persist') member.disk.set(GROUP, effect.entry);
      else if (effect.type === 'answer') {
        this.flying.push({ from: to, to: effect.to, message: effect.message });
      } else if (effect.type === 'revoke') {
        const ok = this.prng.chance(0.9);
        queue.push(...member.acceptor.revoked(effect.id, { ok, remainingMs: 30, why: 'promise' }));
      }
    }
  }
}

function seatOf(id: NodeId, disk: number): SeatId {
  return `${id}${disk}` as SeatId;
}

/** Each epoch has one owner, and no vote that began after another had ended goes back behind it. */
function checkHistory(chosen: readonly OwnershipRecord[]): void {
  const owners = new Map<Epoch, NodeId>();
  for (const record of chosen) {
    expect(owners.get(record.epoch) ?? record.owner).toBe(record.owner);
    owners.set(record.epoch, record.owner);
  }
}

test('one history, whatever voters are changed and whatever disks are lost', () => {
  const seen = { changes: 0, lostDisks: 0, epochs: 0 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (seed) => {
      const chaos = new Chaos(seed);
      chaos.run(3000);
      checkHistory(chaos.chosen);
      seen.changes += chaos.changes;
      seen.lostDisks += chaos.lostDisks;
      seen.epochs = Math.max(seen.epochs, ...chaos.chosen.map((record) => record.epoch));
    }),
    { numRuns: 300 },
  );
  expect(seen.changes).toBeGreaterThan(50);
  expect(seen.lostDisks).toBeGreaterThan(50);
  expect(seen.epochs).toBeGreaterThan(5);
});
