/** The onlooker of votes sees a line of records, and every way to leave it. */
import { expect, test } from 'vitest';
import type { Epoch, NodeId, ResourceId } from '../protocol/ids.ts';
import type { Ballot, OwnershipRecord } from '../protocol/record.ts';
import { RecordHistory } from './record-history.ts';

const [A, B, C] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];

function ballot(counter: number, node: NodeId): Ballot {
  return { counter, node };
}

function record(owner: NodeId, epoch: number, copies: readonly NodeId[]): OwnershipRecord {
  const inSync = { ['data' as ResourceId]: copies };
  return { owner, epoch: epoch as Epoch, inSync, want: 'online' };
}

/** `a` owns the group at epoch 1, with a copy on `b`. */
function begun(): RecordHistory {
  const history = new RecordHistory('db', 3);
  history.proposed(ballot(1, A), record(A, 1, [A]));
  history.stored(A, ballot(1, A));
  history.stored(B, ballot(1, A));
  history.told(ballot(2, A), ballot(1, A));
  history.proposed(ballot(2, A), record(A, 1, [A, B]));
  history.stored(A, ballot(2, A));
  history.stored(C, ballot(2, A));
  return history;
}

test('a record is chosen when a majority has stored its vote', () => {
  const history = new RecordHistory('db', 3);
  history.proposed(ballot(1, A), record(A, 1, [A]));
  expect(history.stored(A, ballot(1, A))).toBeUndefined();
  expect(history.stored(A, ballot(1, A))).toBeUndefined();
  expect(history.stored(B, ballot(1, A))).toEqual(record(A, 1, [A]));
  expect(history.ownerAt(1)).toBe(A);
});

test('a vote that was not made of the latest record is found', () => {
  const history = begun();
  history.told(ballot(3, B), ballot(1, A));
  history.proposed(ballot(3, B), record(B, 2, [B]));
  history.stored(B, ballot(3, B));
  expect(() => history.stored(C, ballot(3, B))).toThrow('R6');
});

test('a new owner whose copy is not in sync is found', () => {
  const history = begun();
  history.told(ballot(3, C), ballot(2, A));
  history.proposed(ballot(3, C), record(C, 2, [C]));
  history.stored(B, ballot(3, C));
  expect(() => history.stored(C, ballot(3, C))).toThrow('not in sync');
});

test('an unfinished vote that a later one completes belongs to the line', () => {
  const history = begun();
  history.told(ballot(3, A), ballot(2, A));
  history.proposed(ballot(3, A), record(A, 1, [A]));
  history.stored(A, ballot(3, A));
  history.told(ballot(4, A), ballot(3, A));
  history.proposed(ballot(4, A), { ...record(A, 1, [A]), want: 'offline' });
  history.stored(A, ballot(4, A));
  expect(history.stored(B, ballot(4, A))?.want).toBe('offline');
});

test('a ballot that is used twice is found', () => {
  const history = begun();
  expect(() => history.proposed(ballot(2, A), record(A, 1, [A]))).toThrow('R4');
});
