/** A record store in memory, with the answers that a real one may give: late, lost, or none. */
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import type { StoredVote, SwapOutcome } from '../../src/protocol/stored-record.ts';

export type Fault = 'unreachable' | 'lostBefore' | 'lostAfter' | 'none';

interface Entry {
  readonly revision: number;
  readonly vote: StoredVote;
}

export class FakeStore implements RecordStore {
  readonly #entries = new Map<GroupId, Entry>();
  readonly #fault: () => Fault;
  #revision = 1;

  constructor(fault: () => Fault = () => 'none') {
    this.#fault = fault;
  }

  read(group: GroupId): ReturnType<RecordStore['read']> {
    if (this.#fault() !== 'none') {
      return Promise.resolve({ type: 'unreachable', why: 'no answer' });
    }
    const entry = this.#entries.get(group);
    return Promise.resolve(entry === undefined ? { type: 'none' } : { type: 'found', ...entry });
  }

  swap(group: GroupId, expected: number, vote: StoredVote): Promise<SwapOutcome> {
    const fault = this.#fault();
    if (fault === 'unreachable') return Promise.resolve({ type: 'refused', why: 'nobody there' });
    const outcome = fault === 'lostBefore' ? undefined : this.#swap(group, expected, vote);
    if (fault === 'none' && outcome !== undefined) return Promise.resolve(outcome);
    return Promise.resolve({ type: 'unknown', why: 'the answer was lost' });
  }

  check(): Promise<string | undefined> {
    return Promise.resolve(this.#fault() === 'none' ? undefined : 'no answer');
  }

  close(): void {
    this.#entries.clear();
  }

  #swap(group: GroupId, expected: number, vote: StoredVote): SwapOutcome {
    if ((this.#entries.get(group)?.revision ?? 0) !== expected) return { type: 'moved' };
    this.#revision += 1;
    this.#entries.set(group, { revision: this.#revision, vote });
    return { type: 'swapped', revision: this.#revision };
  }
}
