/** Histories of votes whose records are in etcd, from the lines to the verdict. */
import { describe, expect, test } from 'vitest';
import type { ProposalOutcome } from '../../src/core/registry/proposer.ts';
import type { RecordChange } from '../../src/core/registry/record-change.ts';
import type { Epoch, NodeId, SeatId } from '../../src/protocol/ids.ts';
import type { OwnershipRecord } from '../../src/protocol/record.ts';
import type { StoreReading, SwapOutcome } from '../../src/protocol/stored-record.ts';
import { judge } from './judge.ts';
import { readVotes } from './vote-lines.ts';

const MEMBERS = ['n1', 'n2'];
const [N1, N2] = MEMBERS as [NodeId, NodeId];
const voters = MEMBERS.map((node) => ({ node: node as NodeId, seat: `${node}-seat` as SeatId }));

const FIRST: OwnershipRecord = {
  ...{ epoch: 1 as Epoch, owner: N1, inSync: {}, want: 'online', voters },
  registry: 'etcd',
};
const OFFLINE: OwnershipRecord = { ...FIRST, want: 'offline' };
const SECOND: OwnershipRecord = { ...FIRST, epoch: 2 as Epoch, owner: N2 };
/** The former owner, of two voters, was not there to vote on. */
const NARROWED: OwnershipRecord = { ...SECOND, voters: voters.slice(1) };
const LONELY: OwnershipRecord = { ...FIRST, voters: voters.slice(1) };

const CREATE: RecordChange = { type: 'create', owner: N1, mirrors: [] };
const READ: RecordChange = { type: 'read' };
const STOP: RecordChange = { type: 'want', want: 'offline' };
const START: RecordChange = { type: 'want', want: 'online' };
const CLAIM: RecordChange = { type: 'claim', owner: N2, epoch: 1 as Epoch };

const chosen = (record: OwnershipRecord): ProposalOutcome => ({ type: 'chosen', record });
const SWAPPED: SwapOutcome = { type: 'swapped', revision: 1 };
const MOVED: SwapOutcome = { type: 'moved' };
const REFUSED: SwapOutcome = { type: 'refused', why: '' };
const UNKNOWN: SwapOutcome = { type: 'unknown', why: '' };
const UNCERTAIN: ProposalOutcome = { type: 'noQuorum', uncertain: true, why: '' };
const HOPELESS: ProposalOutcome = { type: 'noQuorum', uncertain: false, why: '' };

const ballot = (counter: number): object => ({ counter, node: 'n1', seat: 'n1-seat' });

interface Swap {
  readonly to: OwnershipRecord;
  /** Undefined: killed before. */
  readonly answer?: SwapOutcome;
}

/** Lines of one vote after the other, 1 ms apart. */
class Story {
  readonly #lines: object[] = [];
  #vote = 0;

  begin(change: RecordChange): Story {
    this.#vote += 1;
    return this.#line({ type: 'began', change });
  }

  /** As the ballot of the swap with that number, counted over all, left it. */
  found(record: OwnershipRecord | undefined, by = 0): Story {
    const reading =
      record === undefined
        ? { type: 'none' }
        : { type: 'found', revision: 1, vote: { record, by: ballot(by) } };
    return this.#line({ type: 'found', reading });
  }

  cannotRead(type: Exclude<StoreReading['type'], 'none' | 'found'>): Story {
    return this.#line({ type: 'found', reading: { type, why: '' } });
  }

  swap({ to, answer }: Swap, by = 0): Story {
    this.#line({ type: 'tried', ballot: ballot(by), record: to });
    return answer === undefined ? this : this.#line({ type: 'answered', outcome: answer });
  }

  end(outcome: ProposalOutcome): Story {
    return this.#line({ type: 'ended', outcome });
  }

  /** The plain case. */
  does(change: RecordChange, from: OwnershipRecord | undefined, to: OwnershipRecord): Story {
    return this.begin(change).found(from).swap({ to, answer: SWAPPED }).end(chosen(to));
  }

  reads(record: OwnershipRecord): Story {
    return this.begin(READ).found(record).end(chosen(record));
  }

  failures(): readonly string[] {
    const text = this.#lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return judge(readVotes(text), MEMBERS, 'etcd').failures;
  }

  #line(note: object): Story {
    const about = { node: 'n1', run: 'n1/1/0', group: 'g', vote: this.#vote };
    this.#lines.push({ at: this.#lines.length, ...about, ...note });
    return this;
  }
}

const begun = (): Story => new Story().does(CREATE, undefined, FIRST);
const stopping = (answer?: SwapOutcome): Story =>
  begun()
    .begin(STOP)
    .found(FIRST)
    .swap({ to: OFFLINE, ...(answer && { answer }) }, 7);

describe('explained', () => {
  test.each<[string, Story]>([
    ['a plain life', begun().does(STOP, FIRST, OFFLINE).does(START, OFFLINE, FIRST).reads(FIRST)],
    ['nothing at first', new Story().begin(READ).found(undefined).end({ type: 'empty' })],
    ['a reading that is written anew', begun().does(READ, FIRST, FIRST)],
    ['so already', begun().begin(START).found(FIRST).end(chosen(FIRST))],
    ['voters that are left alone', begun().does(CLAIM, FIRST, NARROWED).reads(NARROWED)],
    ['killed, and it counts', stopping().reads(OFFLINE)],
    ['killed, and it counts later', stopping().reads(FIRST).reads(OFFLINE)],
    ['killed, and it does not', stopping().does(CLAIM, FIRST, SECOND)],
    ['unknown, and recognised', stopping(UNKNOWN).found(OFFLINE, 7).end(chosen(OFFLINE))],
    ['unknown to the end', stopping(UNKNOWN).cannotRead('unreachable').end(UNCERTAIN).reads(FIRST)],
    ['refused', stopping(REFUSED).cannotRead('unreachable').end(HOPELESS).reads(FIRST)],
    [
      'rejected',
      begun()
        .does(CLAIM, FIRST, SECOND)
        .begin(CLAIM)
        .found(SECOND)
        .end(chosen(SECOND))
        .begin({ type: 'claim', owner: N1, epoch: 1 as Epoch })
        .found(SECOND)
        .end({ type: 'rejected', record: SECOND, why: '' }),
    ],
  ])('%s', (_what, story) => {
    expect(story.failures()).toEqual([]);
  });
});

describe('not explained', () => {
  test.each<[string, Story]>([
    ['a swap that is lost', begun().does(STOP, FIRST, OFFLINE).reads(FIRST)],
    ['two swaps of one record', begun().does(STOP, FIRST, OFFLINE).does(CLAIM, FIRST, SECOND)],
    ['refused, and it counts', stopping(REFUSED).found(OFFLINE, 7).end(chosen(OFFLINE))],
    ['overtaken, and it counts', stopping(MOVED).found(OFFLINE, 7).end(chosen(OFFLINE))],
    ['unknown, and back and forth', stopping(UNKNOWN).end(UNCERTAIN).reads(OFFLINE).reads(FIRST)],
    ['what the change does not make', begun().does(STOP, FIRST, SECOND)],
    ['a first record of a part of the nodes', new Story().does(CREATE, undefined, LONELY)],
    ['fewer voters for the same owner', begun().does(STOP, FIRST, { ...LONELY, want: 'offline' })],
    [
      'a stale reading that decides nothing',
      begun().does(STOP, FIRST, OFFLINE).begin(STOP).found(FIRST),
    ],
  ])('%s', (_what, story) => {
    const [failure, ...others] = story.failures();
    expect(failure).toContain('no order of its');
    expect(others).toEqual([]);
  });
});

describe('a vote that contradicts itself is refused', () => {
  test.each<[string, Story, string]>([
    ['chosen, not swapped', stopping(MOVED).found(FIRST).end(chosen(OFFLINE)), 'found is chosen'],
    ['chosen, never found', begun().begin(STOP).end(chosen(OFFLINE)), 'swapped or found'],
    ['not its own', begun().begin(STOP).found(FIRST).end(chosen(FIRST)), 'its own'],
    ['another than swapped', stopping(SWAPPED).end(chosen(SECOND)), 'swapped is chosen'],
    ['unknown told as failed', stopping(UNKNOWN).end(HOPELESS), 'is uncertain'],
    ['a stranger in the store', begun().begin(READ).cannotRead('foreign'), 'nobody else'],
    ['empty, but it is not', begun().begin(READ).found(FIRST).end({ type: 'empty' }), 'was found'],
    [
      'rejected without cause',
      begun().begin(CLAIM).found(FIRST).end({ type: 'rejected', record: FIRST, why: '' }),
      'with cause',
    ],
    ['tried blindly', begun().begin(STOP).swap({ to: OFFLINE }), 'rests on a reading'],
  ])('%s', (_what, story, says) => {
    expect(() => story.failures()).toThrow(says);
  });
});
