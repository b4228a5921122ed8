/**
 * Reads what controls wrote about their votes (src/adapters/vote-history.ts), and puts the lines of
 * each vote together. A vote whose process was killed has no outcome. Anything that does not fit is
 * an error: a history with holes would be judged wrongly.
 */
import { assert, must, unreachable } from '../../src/base/assert.ts';
import type { VoteNote } from '../../src/core/node/proposals.ts';
import type { ProposalOutcome } from '../../src/core/registry/proposer.ts';
import type { RecordChange } from '../../src/core/registry/record-change.ts';
import type { Ballot, OwnershipRecord } from '../../src/protocol/record.ts';
import type { StoreReading, SwapOutcome } from '../../src/protocol/stored-record.ts';

/**
 * The accept phase of one ballot, or a swap in a store: from `at` on its record may come to be
 * chosen.
 */
export interface Try {
  readonly at: number;
  readonly ballot: Ballot;
  readonly record: OwnershipRecord;
  /** What the store was last found to hold, which the swap expects to be there still. */
  readonly expected: StoreReading | undefined;
  /** What the store said of it; never where the members decide. */
  readonly answer: { readonly at: number; readonly outcome: SwapOutcome } | undefined;
}

/** What a store was found to hold, at an instant in between. */
export interface Found {
  readonly from: number;
  readonly at: number;
  readonly reading: StoreReading;
}

export interface Vote {
  readonly name: string;
  readonly group: string;
  readonly began: number;
  readonly change: RecordChange;
  readonly tries: readonly Try[];
  readonly found: readonly Found[];
  /** Undefined: the process ended before the vote did, or the history was read before. */
  readonly end: { readonly at: number; readonly outcome: ProposalOutcome } | undefined;
}

type Line = VoteNote & {
  readonly at: number;
  readonly node: string;
  readonly run: string;
  readonly group: string;
};

interface OpenVote extends Vote {
  readonly tries: Try[];
  readonly found: Found[];
  /** When something was noted last. */
  last: number;
  end: Vote['end'];
}

/** The votes of one file, in the order of their beginnings. */
export function readVotes(text: string): readonly Vote[] {
  const votes = new Map<string, OpenVote>();
  const lines = text.split('\n');
  assert(lines.pop() === '', 'a history of votes ends with a whole line');
  for (const [at, line] of lines.entries()) {
    try {
      take(JSON.parse(line) as Line, votes);
    } catch (error) {
      throw new Error(`Cannot read line ${at + 1} of a history of votes: ${line}`, {
        cause: error,
      });
    }
  }
  return [...votes.values()];
}

function take(line: Line, votes: Map<string, OpenVote>): void {
  const { at, group, node, run, vote } = line;
  const key = JSON.stringify([run, group, vote]);
  if (line.type === 'began') {
    assert(!votes.has(key), 'a vote begins once');
    const name = `${node} vote ${vote}`;
    votes.set(key, {
      name,
      group,
      began: at,
      change: line.change,
      tries: [],
      found: [],
      last: at,
      end: undefined,
    });
    return;
  }
  const open = must(votes.get(key), 'a vote begins before anything else');
  assert(open.end === undefined, 'a vote ends once, and after its end nothing more is tried');
  go(open, line);
  open.last = at;
}

function go(open: OpenVote, line: Exclude<Line, { readonly type: 'began' }>): void {
  const { at } = line;
  switch (line.type) {
    case 'tried': {
      const { ballot, record } = line;
      const expected = open.found.at(-1)?.reading;
      open.tries.push({ at, ballot, record, expected, answer: undefined });
      return;
    }
    case 'found':
      open.found.push({ from: open.last, at, reading: line.reading });
      return;
    case 'answered': {
      const tried = must(open.tries.pop(), 'what was never tried has no answer');
      assert(tried.answer === undefined, 'a try is answered once');
      open.tries.push({ ...tried, answer: { at, outcome: line.outcome } });
      return;
    }
    case 'ended':
      open.end = { at, outcome: line.outcome };
      return;
    default:
      unreachable(line);
  }
}
