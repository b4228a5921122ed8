/**
 * Random runs of rivals over a store that loses answers, with real acceptors and hearts that keep
 * promises for a lease: at no moment two nodes hold a lease, and no epoch has two owners.
 */
import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { StoreReading, StoredVote, SwapOutcome } from '../../protocol/stored-record.ts';
import { Acceptor } from './acceptor.ts';
import { electoratesOf, majorityOf } from './electorate.ts';
import type { ProposalOutcome } from './proposer.ts';
import type { RecordChange } from './record-change.ts';
import { type SwapEffect, SwapProposer } from './swap-proposer.ts';

const GROUP = 'g' as GroupId;
const LEASE_MS = 300;

/** A small generator of our own: the same seed, the same run. */
function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

class Member {
  readonly acceptor: Acceptor;
  readonly name: NodeId;
  readonly seat: SeatId;
  /** Whom its heart is bound to, and until when. */
  readonly boundTo = new Map<NodeId, number>();
  /** The record by which it takes itself for the owner. */
  owns: OwnershipRecord | undefined;
  proposer: SwapProposer | undefined;
  withdrawn: NodeId | undefined;

  constructor(name: string) {
    this.name = name as NodeId;
    this.seat = `seat-${name}` as SeatId;
    this.acceptor = new Acceptor(this.seat, []);
  }
}

class Run {
  now = 0;
  readonly members: readonly Member[];
  readonly owners = new Map<Epoch, NodeId>();
  readonly chosen: OwnershipRecord[] = [];
  swaps = 0;
  readonly #random: () => number;
  readonly #cut = new Set<NodeId>();
  readonly #later: { at: number; what: () => void }[] = [];
  #revision = 1;
  #stored: { readonly revision: number; readonly vote: StoredVote } | undefined;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    const count = 2 + (seed % 3);
    this.members = Array.from({ length: count }, (_, at) => new Member(`n${at + 1}`));
  }

  run(untilMs: number): void {
    while (this.now < untilMs) {
      this.now += 5;
      const due = this.#later.filter(({ at }) => at <= this.now);
      for (const entry of due) this.#later.splice(this.#later.indexOf(entry), 1);
      for (const { what } of due) what();
      if (this.now % 50 === 0) this.#beat();
      if (this.#random() < 0.01) this.#toggle();
      for (const member of this.members) this.#turn(member);
      this.#check();
    }
  }

  holders(): readonly Member[] {
    return this.members.filter(({ name, owns }) => {
      if (owns === undefined) return false;
      const fresh = (node: NodeId): boolean =>
        (this.#member(node).boundTo.get(name) ?? 0) > this.now;
      return electoratesOf(owns).every(
        (voters) => voters.filter(({ node }) => fresh(node)).length >= majorityOf(voters),
      );
    });
  }

  #check(): void {
    expect(this.holders().map(({ name }) => name).length).toBeLessThanOrEqual(1);
  }

  #turn(member: Member): void {
    if (member.proposer === undefined && this.#random() < 0.02) {
      const start = { now: this.now as Instant, timeoutMs: 1500, highest: this.#promised(member) };
      const members = this.members.map(({ name }) => name);
      const rank = members.indexOf(member.name);
      const known = (): OwnershipRecord | undefined =>
        member.acceptor.entry(GROUP)?.accepted?.record;
      const options = { me: member.name, seat: member.seat, group: GROUP, members, rank, known };
      member.proposer = new SwapProposer(options, this.#change(member), start);
    }
    this.#perform(member, member.proposer?.tick(this.now as Instant) ?? []);
  }

  #promised(member: Member): Ballot | undefined {
    return member.acceptor.entry(GROUP)?.promised;
  }

  #change(member: Member): RecordChange {
    const known = member.acceptor.entry(GROUP)?.accepted?.record;
    if (known === undefined) return { type: 'create', owner: member.name, mirrors: [] };
    const dice = this.#random();
    if (dice < 0.3) return { type: 'read' };
    if (dice < 0.5) return { type: 'want', want: dice < 0.4 ? 'online' : 'offline' };
    return { type: 'claim', owner: member.name, epoch: known.epoch };
  }

  #perform(member: Member, effects: readonly SwapEffect[]): void {
    for (const effect of effects) {
      const proposer = member.proposer;
      if (effect.type === 'send') this.#send(member.name, effect.to, effect.message);
      else if (effect.type === 'fetch') {
        const reading = this.#read();
        this.#after(() =>
          this.#give(member, proposer, (p, now) => p.fetched(effect.id, reading, now)),
        );
      } else if (effect.type === 'swap') {
        const { expected, id, vote } = effect;
        // The answer may be lost, the write may be carried out long after.
        const lost = this.#random() < 0.2;
        const answer = (outcome: SwapOutcome): void =>
          this.#after(() => this.#give(member, proposer, (p, now) => p.swapped(id, outcome, now)));
        this.#after(
          () => {
            const outcome = this.#swap(expected, vote);
            if (!lost) answer(outcome);
          },
          lost ? 400 : 20,
        );
        if (lost) answer({ type: 'unknown', why: 'lost' });
      } else this.#ended(member, effect.outcome);
    }
  }

  #give(
    member: Member,
    proposer: SwapProposer | undefined,
    step: (p: SwapProposer, now: Instant) => readonly SwapEffect[],
  ): void {
    if (proposer === undefined || member.proposer !== proposer) return;
    this.#perform(member, step(proposer, this.now as Instant));
  }

  #ended(member: Member, outcome: ProposalOutcome): void {
    member.proposer = undefined;
    if (outcome.type !== 'chosen') return;
    this.chosen.push(outcome.record);
    if (outcome.record.owner === member.name) member.owns = outcome.record;
    else if (member.owns !== undefined && member.owns.epoch < outcome.record.epoch) {
      member.owns = undefined;
    }
  }

  #read(): StoreReading {
    if (this.#random() < 0.1) return { type: 'unreachable', why: 'lost' };
    return this.#stored === undefined ? { type: 'none' } : { type: 'found', ...this.#stored };
  }

  #swap(expected: number, vote: StoredVote): SwapOutcome {
    if ((this.#stored?.revision ?? 0) !== expected) return { type: 'moved' };
    this.#revision += 1 + Math.floor(this.#random() * 3);
    this.#stored = { revision: this.#revision, vote };
    this.swaps += 1;
    const { epoch, owner } = vote.record;
    expect(this.owners.get(epoch) ?? owner).toBe(owner);
    this.owners.set(epoch, owner);
    return { type: 'swapped', revision: this.#revision };
  }

  #send(from: NodeId, to: NodeId, message: RegistryMessage): void {
    const away = from !== to && (this.#cut.has(from) || this.#cut.has(to));
    if (away || this.#random() < 0.05) return;
    this.#after(() => this.#arrive(from, this.#member(to), message));
  }

  #arrive(from: NodeId, member: Member, message: RegistryMessage): void {
    if (message.type !== 'prepare' && message.type !== 'accept') {
      this.#give(member, member.proposer, (p, now) => p.step(from, message, now));
      return;
    }
    this.#acceptorDid(member, member.acceptor.step(from, message));
  }

  #acceptorDid(member: Member, effects: ReturnType<Acceptor['step']>): void {
    for (const effect of effects) {
      if (effect.type === 'answer') this.#send(member.name, effect.to, effect.message);
      else if (effect.type === 'tableChanged') member.withdrawn = undefined;
      else if (effect.type === 'revoke') {
        const remainingMs = Math.max(0, (member.boundTo.get(effect.owner) ?? 0) - this.now);
        const ok = remainingMs === 0;
        if (ok) member.withdrawn = effect.owner;
        const answer = { ok, remainingMs, why: ok ? undefined : 'promise' };
        this.#acceptorDid(member, member.acceptor.revoked(effect.id, answer));
      }
    }
  }

  /** Each owner asks everybody; who has its record, at its epoch, is bound to it for a lease. */
  #beat(): void {
    for (const { name, owns } of this.members) {
      if (owns === undefined) continue;
      for (const voter of this.members) {
        const record = voter.acceptor.entry(GROUP)?.accepted?.record;
        const away = voter.name !== name && (this.#cut.has(name) || this.#cut.has(voter.name));
        if (away || voter.withdrawn === name) continue;
        if (record?.owner !== name || record.epoch !== owns.epoch) continue;
        voter.boundTo.set(name, this.now + LEASE_MS);
      }
    }
  }

  #toggle(): void {
    const { name } = must(
      this.members[Math.floor(this.#random() * this.members.length)],
      'one of the members',
    );
    if (!this.#cut.delete(name)) this.#cut.add(name);
  }

  #member(name: NodeId): Member {
    return must(
      this.members.find((member) => member.name === name),
      'a member',
    );
  }

  #after(what: () => void, atMostMs = 20): void {
    this.#later.push({ at: this.now + this.#random() * atMostMs, what });
  }
}

test.each([0, 1, 2])('one owner per epoch, one lease at a time (%i of three sizes)', (size) => {
  let swaps = 0;
  let owners = 0;
  let held = 0;
  for (let seed = size; seed < 18; seed += 3) {
    const run = new Run(seed);
    run.run(4500);
    swaps += run.swaps;
    owners += new Set(run.owners.values()).size;
    held += run.holders().length;
  }
  // The runs are of use only if owners change and leases are held in them.
  expect(swaps).toBeGreaterThan(30);
  expect(owners).toBeGreaterThan(6);
  expect(held).toBeGreaterThan(0);
});
