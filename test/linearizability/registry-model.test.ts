/** Histories of votes as controls write them, from the lines to the verdict. */
import { describe, expect, test } from 'vitest';
import type { RecordChange } from '../../src/core/registry/record-change.ts';
import type { ProposalOutcome } from '../../src/core/registry/proposer.ts';
import type { Epoch, NodeId, SeatId } from '../../src/protocol/ids.ts';
import type { OwnershipRecord } from '../../src/protocol/record.ts';
import { judge } from './judge.ts';
import { readVotes } from './vote-lines.ts';

const MEMBERS = ['n1', 'n2', 'w1'];
const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const voters = MEMBERS.map((node) => ({ node: node as NodeId, seat: `${node}-seat` as SeatId }));

const FIRST: OwnershipRecord = {
  ...{ epoch: 1 as Epoch, owner: N1, inSync: {}, want: 'online' },
  voters,
};
const OFFLINE: OwnershipRecord = { ...FIRST, want: 'offline' };
const SECOND: OwnershipRecord = { ...FIRST, epoch: 2 as Epoch, owner: N2 };
const LONELY: OwnershipRecord = { ...FIRST, voters: voters.slice(0, 2) };
/** Made by a rival of `OWN`, and seen by the one who tried `OWN`. */
const OWN: OwnershipRecord = { ...FIRST, epoch: 2 as Epoch };
const AFTER: OwnershipRecord = { ...SECOND, epoch: 3 as Epoch };

const CREATE: RecordChange = { type: 'create', owner: N1, mirrors: [] };
const NEXT: RecordChange = { type: 'claim', owner: N2, epoch: 2 as Epoch };
const READ: RecordChange = { type: 'read' };
const START: RecordChange = { type: 'want', want: 'online' };
const STOP: RecordChange = { type: 'want', want: 'offline' };
const RIVAL: RecordChange = { type: 'claim', owner: N1, epoch: 1 as Epoch };
const CLAIM: RecordChange = { type: 'claim', owner: N2, epoch: 1 as Epoch };

const chosen = (record: OwnershipRecord): ProposalOutcome => ({ type: 'chosen', record });
const UNCERTAIN: ProposalOutcome = { type: 'noQuorum', uncertain: true, why: '' };
const HOPELESS: ProposalOutcome = { type: 'noQuorum', uncertain: false, why: '' };
const rejected = (record: OwnershipRecord | undefined): ProposalOutcome => ({
  ...{ type: 'rejected', record, why: 'so' },
});

/** Lines of one vote after the other: each takes 10 ms, 5 ms after its beginning it is tried. */
class Story {
  readonly #lines: object[] = [];
  #at = 0;
  #vote = 0;

  /** `outcome` undefined: killed. */
  vote(change: RecordChange, tries: readonly OwnershipRecord[], outcome?: ProposalOutcome): Story {
    this.#vote += 1;
    this.#line(0, { type: 'began', change });
    for (const [at, record] of tries.entries()) {
      this.#line(at === 0 ? 5 : 1, { type: 'tried', ballot: { counter: at, node: N1 }, record });
    }
    if (outcome !== undefined) this.#line(5, { type: 'ended', outcome });
    this.#at += 10;
    return this;
  }

  chosen(change: RecordChange, record: OwnershipRecord): Story {
    return this.vote(change, [record], chosen(record));
  }

  get text(): string {
    return this.#lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }

  failures(): readonly string[] {
    return judge(readVotes(this.text), MEMBERS).failures;
  }

  #line(later: number, note: object): void {
    this.#at += later;
    this.#lines.push({
      ...{ at: this.#at, node: 'n1', run: 'n1/1/0', group: 'g', vote: this.#vote },
      ...note,
    });
  }
}

const begun = (): Story => new Story().vote(READ, [], { type: 'empty' }).chosen(CREATE, FIRST);

describe('explained', () => {
  test.each<[string, Story]>([
    ['a plain life', begun().chosen(STOP, OFFLINE).chosen(READ, OFFLINE).chosen(STOP, OFFLINE)],
    ['no quorum, and no effect', begun().vote(STOP, [OFFLINE], UNCERTAIN).chosen(READ, FIRST)],
    [
      'no quorum, and an effect in the end',
      begun().vote(STOP, [OFFLINE], UNCERTAIN).chosen(READ, FIRST).chosen(READ, OFFLINE),
    ],
    ['no quorum, never tried', begun().vote(STOP, [], HOPELESS).chosen(READ, FIRST)],
    ['killed, and it counts', begun().vote(CLAIM, [SECOND]).chosen(READ, SECOND)],
    ['killed, and it does not', begun().vote(CLAIM, [SECOND]).chosen(STOP, OFFLINE)],
    ['two ballots', begun().vote(STOP, [OFFLINE, OFFLINE], chosen(OFFLINE))],
    ['rejected by what is', begun().chosen(CLAIM, SECOND).vote(RIVAL, [], rejected(SECOND))],
    [
      'rejected by what was only tried',
      begun().vote(CLAIM, [SECOND]).vote(RIVAL, [], rejected(SECOND)).chosen(READ, FIRST),
    ],
    [
      'rejected for what came after an own try that counts',
      begun().vote(NEXT, [AFTER]).vote(RIVAL, [OWN], rejected(AFTER)).chosen(READ, AFTER),
    ],
  ])('%s', (_what, story) => {
    expect(story.failures()).toEqual([]);
  });
});

describe('not explained', () => {
  test.each<[string, Story]>([
    ['a vote that was told as chosen is lost', begun().chosen(STOP, OFFLINE).chosen(READ, FIRST)],
    ['two records of one epoch', begun().chosen(CLAIM, SECOND).chosen(RIVAL, OWN)],
    ['a record that nobody voted for', begun().chosen(READ, SECOND)],
    ['what the change does not make', begun().chosen(STOP, SECOND)],
    ['empty again', begun().vote(READ, [], { type: 'empty' })],
    ['a first record of a part of the members', new Story().chosen(CREATE, LONELY)],
    ['rejected by what is over', begun().chosen(STOP, OFFLINE).vote(NEXT, [], rejected(FIRST))],
    ['rejected by what nobody tried', begun().vote(RIVAL, [], rejected(SECOND))],
    ['rejected without cause', begun().vote(CLAIM, [], rejected(FIRST))],
    ['rejected for want of a record', begun().vote(STOP, [], rejected(undefined))],
    ['killed before it was tried, and yet it counts', begun().vote(CLAIM, []).chosen(READ, SECOND)],
    [
      'one try that counts twice',
      begun()
        .vote(STOP, [OFFLINE])
        .chosen(READ, OFFLINE)
        .chosen(START, FIRST)
        .chosen(READ, OFFLINE),
    ],
  ])('%s', (_what, story) => {
    const [failure, ...others] = story.failures();
    expect(failure).toContain('no order of its');
    expect(others).toEqual([]);
  });

  test('the window shows where, and no more', () => {
    const story = begun();
    for (let round = 0; round < 20; round += 1) story.chosen(STOP, OFFLINE).chosen(START, FIRST);
    story.chosen(STOP, OFFLINE).chosen(READ, FIRST);
    for (let round = 0; round < 20; round += 1) story.chosen(START, FIRST).chosen(STOP, OFFLINE);
    const [failure] = story.failures();
    expect(failure?.split('\n').slice(1)).toEqual([
      expect.stringContaining('n1 vote 43: want offline: chosen {n1@1, offline'),
      expect.stringContaining('n1 vote 44: read: chosen {n1@1, online'),
    ]);
  });
});

describe('a history with holes is refused', () => {
  const text = begun().text;

  test.each([
    ['a torn line', text.slice(0, -3)],
    ['a line that is none', `${text}{"at":\n`],
    ['no beginning', text.split('\n').slice(1).join('\n')],
    ['an end twice', `${text}${text.split('\n').at(-2)}\n`],
  ])('%s', (_what, holey) => {
    expect(() => readVotes(holey)).toThrow();
  });

  test('chosen without a try', () => {
    expect(() => begun().vote(READ, [], chosen(FIRST)).failures()).toThrow('so it was tried');
  });

  test('tried, and told as without effect', () => {
    expect(() => begun().vote(STOP, [OFFLINE], HOPELESS).failures()).toThrow('uncertain');
  });
});

test('the figures', () => {
  const story = begun().vote(CLAIM, [SECOND]).chosen(READ, SECOND).vote(STOP, [], HOPELESS);
  expect(judge(readVotes(story.text), MEMBERS)).toEqual({
    groups: 1,
    votes: 5,
    outcomes: { empty: 1, chosen: 2, none: 1, noQuorum: 1 },
    operations: 4,
    unknown: 1,
    tookEffect: 1,
    states: 3,
    failures: [],
  });
});
