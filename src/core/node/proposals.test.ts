/** What onlookers are told of votes: everything that can have an effect, before it can have it. */
import { expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { Epoch, GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';
import type { SwapOutcome } from '../../protocol/stored-record.ts';
import { Acceptor } from '../registry/acceptor.ts';
import type { RecordChange } from '../registry/record-change.ts';
import { type Proposal, Proposals, type ProposalsEffect } from './proposals.ts';

const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const G = 'g' as GroupId;
const CREATE: RecordChange = { type: 'create', owner: N1, mirrors: [] };
const STOP: RecordChange = { type: 'want', want: 'offline' };

/** One member alone, whose acceptor answers at once; says in short what comes out, in order. */
class Member {
  readonly said: string[] = [];
  readonly #acceptor = new Acceptor('seat' as SeatId, []);
  readonly #proposals: Proposals<string>;
  #refuseNext: boolean;

  constructor(refusesAccept = false) {
    this.#refuseNext = refusesAccept;
    const { seat } = this.#acceptor;
    const known = (): undefined => undefined;
    const members = [N1];
    const options = { me: N1, seat, group: G, members, rank: 0, outside: false, known };
    this.#proposals = new Proposals(options, () => this.#acceptor.entry(G)?.promised);
  }

  propose(change: RecordChange, now: number): void {
    const proposal: Proposal<string> = { change, purpose: change.type, timeoutMs: 1000 };
    this.#carryOut(this.#proposals.propose(proposal, instant(now)), now);
  }

  tick(now: number): void {
    this.#carryOut(this.#proposals.tick(instant(now)), now);
  }

  #carryOut(effects: readonly ProposalsEffect<string>[], now: number): void {
    for (const effect of effects) {
      this.said.push(short(effect));
      if (effect.type === 'send') this.#ask(effect.message, now);
      if (effect.type === 'settled') this.tick(now);
    }
  }

  #ask(message: RegistryMessage, now: number): void {
    if (message.type !== 'prepare' && message.type !== 'accept') return;
    if (message.type === 'accept' && this.#refuseNext) {
      this.#refuseNext = false;
      const { ballot } = message;
      const rival = { ...message, type: 'prepare', ballot: { ...ballot, node: N2 } } as const;
      this.#acceptor.step(N2, rival);
    }
    for (const effect of this.#acceptor.step(N1, message)) {
      if (effect.type !== 'answer') continue;
      this.#carryOut(this.#proposals.message(N1, effect.message, instant(now)), now);
    }
  }
}

function short(effect: ProposalsEffect<string>): string {
  if (effect.type === 'send') return `send ${effect.message.type}`;
  if (effect.type === 'settled') return `settled ${effect.proposal.purpose}`;
  if (effect.type !== 'note') return effect.type;
  const { note } = effect;
  if (note.type === 'began') return `${note.vote} began ${note.change.type}`;
  if (note.type === 'ended') return `${note.vote} ended ${note.outcome.type}`;
  if (note.type === 'found') return `${note.vote} found ${note.reading.type}`;
  if (note.type === 'answered') return `${note.vote} answered ${note.outcome.type}`;
  return `${note.vote} tried ${show(note.record)} with ${note.ballot.counter}`;
}

function show({ owner, epoch, want }: OwnershipRecord): string {
  return `${owner}@${epoch} ${want}`;
}

test('a vote begins, is tried before it is asked for, and ends before anybody acts on it', () => {
  const member = new Member();
  member.propose(CREATE, 0);
  member.propose(STOP, 10);
  expect(member.said).toEqual([
    '1 began create',
    'send prepare',
    '1 tried n1@1 online with 1',
    'send accept',
    '1 ended chosen',
    'settled create',
    '2 began want',
    'send prepare',
    '2 tried n1@1 offline with 2',
    'send accept',
    '2 ended chosen',
    'settled want',
  ]);
});

test('what waits begins only once the outcome of another was acted on, which may withdraw it', () => {
  const seat = 'seat' as SeatId;
  const options = { me: N1, seat, group: G, members: [N1, N2], rank: 0, outside: false };
  const known = (): undefined => undefined;
  const proposals = new Proposals<string>({ ...options, known }, () => undefined);
  const ask = (change: RecordChange): readonly string[] =>
    proposals.propose({ change, purpose: change.type, timeoutMs: 1000 }, instant(0)).map(short);
  const withdraw = (type: string): readonly string[] =>
    proposals.withdraw(({ purpose }) => purpose === type).map(short);

  expect(ask(CREATE)).toContain('1 began create');
  expect(ask(STOP)).toEqual([]);
  expect(withdraw('create')).toEqual(['1 ended noQuorum', 'settled create']);
  expect(withdraw('want')).toEqual(['settled want']);
  expect(proposals.tick(instant(2))).toEqual([]);
});

test('each ballot that asks for votes is a try of its own, a repeated question is none', () => {
  const member = new Member(true);
  member.propose(CREATE, 0);
  member.tick(500);
  const tries = member.said.filter((said) => said.includes('tried'));
  expect(tries).toEqual(['1 tried n1@1 online with 1', '1 tried n1@1 online with 2']);
  expect(member.said.slice(-2)).toEqual(['1 ended chosen', 'settled create']);
});

test('a change that is rejected was never tried', () => {
  const member = new Member();
  member.propose(STOP, 0);
  expect(member.said).toEqual(['1 began want', 'send prepare', '1 ended rejected', 'settled want']);
});

test('with a store outside each reading and each swap is noted with its answer, late ones not', () => {
  const members = [N1, N2];
  const voters = members.map((node) => ({ node, seat: `${node}-seat` as SeatId }));
  const record: OwnershipRecord = {
    ...{ epoch: 1 as Epoch, owner: N1, inSync: {}, want: 'online', voters },
    registry: 'etcd',
  };
  const [seat, known] = ['n1-seat' as SeatId, (): undefined => undefined];
  const options = { me: N1, seat, group: G, members, rank: 0, outside: true, known };
  const proposals = new Proposals<string>(options, () => undefined);
  const said: string[] = [];
  let [fetch, swap] = [0, 0];
  const take = (effects: readonly ProposalsEffect<string>[]): void => {
    for (const effect of effects) {
      if (effect.type === 'fetch') fetch = effect.id;
      if (effect.type === 'swap') swap = effect.id;
      said.push(short(effect));
    }
  };
  const by = { counter: 1, node: N1, seat };
  const reading = { type: 'found', revision: 4, vote: { record, by } } as const;

  take(proposals.propose({ change: STOP, purpose: 'want', timeoutMs: 1000 }, instant(0)));
  take(proposals.fetched(fetch, reading, instant(1)));
  take(proposals.swapped(swap, { type: 'moved' }, instant(2)));
  take(proposals.tick(instant(500)));
  take(proposals.fetched(fetch, reading, instant(501)));
  take(proposals.tick(instant(1000)));
  take(proposals.swapped(swap, { type: 'swapped', revision: 5 }, instant(1001)));
  expect(said).toEqual([
    '1 began want',
    'fetch',
    '1 found found',
    '1 tried n1@1 offline with 16385',
    'swap',
    '1 answered moved',
    'fetch',
    '1 found found',
    '1 tried n1@1 offline with 16385',
    'swap',
    '1 ended noQuorum',
    'settled want',
  ]);
});

test('what became of a swap without an answer is settled by the next reading, which writes', () => {
  const options = { me: N2, seat: 'seat' as SeatId, group: G, members: [N1, N2], rank: 0 };
  const proposals = new Proposals<string>(
    { ...options, outside: true, known: () => undefined },
    () => undefined,
  );
  const record = { epoch: 1 as Epoch, owner: N1, inSync: {}, want: 'online', voters: [] } as const;
  const by = { counter: 1, node: N1, seat: 'seat-n1' as SeatId };
  /** What a vote that begins now does with the record that it finds. */
  const finds = (change: RecordChange, revision: number): ProposalsEffect<string> => {
    const asked = proposals.propose({ change, purpose: '', timeoutMs: 1000 }, instant(revision));
    const fetch = asked.find((effect) => effect.type === 'fetch');
    const reading = { type: 'found', revision, vote: { record, by } } as const;
    const found = proposals.fetched(fetch?.id ?? NaN, reading, instant(revision));
    const done = found.find(({ type }) => type === 'swap' || type === 'settled');
    if (done === undefined)
      throw new Error(`neither swapped nor settled: ${found.map(short).join()}`);
    return done;
  };
  const answers = (effect: ProposalsEffect<string>, outcome: SwapOutcome): readonly string[] => {
    const id = effect.type === 'swap' ? effect.id : NaN;
    return proposals.swapped(id, outcome, instant(100)).map(short);
  };

  const first = finds({ type: 'read' }, 1);
  expect(first.type).toBe('swap'); // a process before this one may have asked for something
  expect(answers(first, { type: 'swapped', revision: 2 })).toContain('settled ');
  expect(finds({ type: 'read' }, 2).type).toBe('settled');
  expect(answers(finds(STOP, 3), { type: 'unknown', why: 'lost' })).toEqual(['3 answered unknown']);
  expect(proposals.tick(instant(9000)).map(short)).toContain('3 ended noQuorum');
  expect(finds({ type: 'read' }, 3).type).toBe('swap');
});
