/**
 * Writers that compete for one record, and the judgement of what they saw: the swaps and readings
 * must be explained by one order in which they took place (for a register with revisions that is a
 * chain: each revision follows from one other, and nobody reads an older one than was known before).
 */
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import type { StoredVote, SwapOutcome } from '../../src/protocol/stored-record.ts';
import { voteOf } from './votes.ts';

export interface Attempt {
  readonly expected: number;
  readonly vote: StoredVote;
  readonly outcome: SwapOutcome;
  /** What was read before, and the highest revision that anybody knew when that reading began. */
  readonly read: { readonly revision: number; readonly knownBefore: number };
}

export interface RivalOptions {
  readonly store: RecordStore;
  readonly group: GroupId;
  readonly writer: string;
  /** Ends after so many successful ones. */
  readonly writes: number;
  /** Shared by all rivals. */
  readonly attempts: Attempt[];
  readonly ended?: () => boolean;
}

/** More than this many tries for one write, and the store is stuck. */
const TRIES_PER_WRITE_MAX = 200;

export async function rivalsWrite(options: RivalOptions): Promise<void> {
  const { store, group, writer, writes, attempts } = options;
  let tries = 0;
  for (let written = 0; written < writes && options.ended?.() !== true;) {
    tries += 1;
    if (tries > writes * TRIES_PER_WRITE_MAX) throw new Error(`${writer} never gets through`);
    const knownBefore = highest(attempts);
    const reading = await store.read(group);
    if (reading.type === 'foreign') throw new Error(reading.why);
    if (reading.type === 'unreachable') continue;
    const revision = reading.type === 'none' ? 0 : reading.revision;
    const vote = voteOf(writer, tries);
    const outcome = await store.swap(group, revision, vote);
    attempts.push({ expected: revision, vote, outcome, read: { revision, knownBefore } });
    if (outcome.type === 'swapped') written += 1;
  }
}

/** What no single order explains, in words. */
export function brokenChain(attempts: readonly Attempt[]): string | undefined {
  const from = new Set<number>();
  for (const { expected, outcome, read } of attempts) {
    if (read.revision < read.knownBefore) {
      return `revision ${read.revision} was read after ${read.knownBefore} was known`;
    }
    if (outcome.type !== 'swapped') continue;
    if (outcome.revision <= expected) return `revision ${outcome.revision} follows ${expected}`;
    if (from.has(expected)) return `two swaps have changed revision ${expected}`;
    from.add(expected);
  }
  return undefined;
}

function highest(attempts: readonly Attempt[]): number {
  let known = 0;
  for (const { outcome } of attempts) {
    if (outcome.type === 'swapped') known = Math.max(known, outcome.revision);
  }
  return known;
}
