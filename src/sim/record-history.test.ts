/** The onlooker of votes sees a line of records, and every way to leave it. */
import { expect, test } from 'vitest';
import type { Epoch, NodeId, ResourceId, SeatId } from '../protocol/ids.ts';
import type { Ballot, Electorate, OwnershipRecord, Voter } from '../protocol/record.ts';
import { firstEpochOfLine } from '../core/registry/forced-line.ts';
import { RecordHistory } from './record-history.ts';

const [A, B, C] = ['a', 'b', 'c'] as [NodeId, NodeId, NodeId];

function voter(node: NodeId, seat = 1): Voter {
  return { node, seat: `${node}-${seat}` as SeatId };
}

const ALL: Electorate = [voter(A), voter(B), voter(C)];

function ballot(counter: number, node: NodeId): Ballot {
  return { counter, node, seat: `${node}-1` as SeatId };
}

function record(owner: NodeId, epoch: number, copies: readonly NodeId[]): OwnershipRecord {
  const inSync = { ['data' as ResourceId]: copies };
  return { owner, epoch: epoch as Epoch, inSync, want: 'online', voters: ALL };
}

/** `a` owns the group at epoch 1, with a copy on `b`. */
function begun(): RecordHistory {
  const history = new RecordHistory('db');
  history.proposed(ballot(1, A), record(A, 1, [A]));
  history.stored(voter(A), ballot(1, A));
  history.stored(voter(B), ballot(1, A));
  history.stored(voter(C), ballot(1, A));
  history.told(ballot(2, A), ballot(1, A));
  history.proposed(ballot(2, A), record(A, 1, [A, B]));
  history.stored(voter(A), ballot(2, A));
  history.stored(voter(C), ballot(2, A));
  return history;
}

/** `a` proposes that at the next ballot, made of the latest, and these store it. */
function next(history: RecordHistory, counter: number, what: OwnershipRecord, by: Electorate) {
  history.told(ballot(counter, A), ballot(counter - 1, A));
  history.proposed(ballot(counter, A), what);
  return by.map((some) => history.stored(some, ballot(counter, A))).at(-1);
}

test('a first record is chosen when all have stored its vote', () => {
  const history = new RecordHistory('db');
  history.proposed(ballot(1, A), record(A, 1, [A]));
  expect(history.stored(voter(A), ballot(1, A))).toBeUndefined();
  expect(history.stored(voter(A), ballot(1, A))).toBeUndefined();
  expect(history.stored(voter(B), ballot(1, A))).toBeUndefined();
  expect(history.stored(voter(C), ballot(1, A))).toEqual(record(A, 1, [A]));
  expect(history.ownerAt(1)).toBe(A);
});

test('a later one is chosen when a majority of its voters has', () => {
  const history = begun();
  const after = record(A, 1, [A]);
  expect(next(history, 3, after, [voter(A)])).toBeUndefined();
  expect(history.stored(voter(C, 2), ballot(3, A))).toBeUndefined();
  expect(history.stored(voter(C), ballot(3, A))).toEqual(after);
});

test('one with former voters needs a majority of those, too', () => {
  const history = begun();
  const joint = { ...record(A, 1, [A, B]), voters: [voter(A)], formerVoters: ALL };
  expect(next(history, 3, joint, [voter(B), voter(C)])).toBeUndefined();
  expect(history.stored(voter(A), ballot(3, A))).toEqual(joint);
  const alone = { ...joint, formerVoters: undefined };
  expect(next(history, 4, alone, [voter(A)])).toEqual(alone);
});

test('former voters that are left out too early are found', () => {
  const history = begun();
  const joint = { ...record(A, 1, [A, B]), voters: [voter(A)], formerVoters: ALL };
  next(history, 3, joint, [voter(A)]);
  const alone = { ...joint, formerVoters: undefined };
  expect(() => next(history, 4, alone, [])).toThrow('R11');
});

test('what an administrator forced need not wait for a change of voters to end', () => {
  const history = begun();
  const joint = { ...record(A, 1, [A, B]), voters: [voter(A)], formerVoters: ALL };
  next(history, 3, joint, [voter(A)]);
  const at = firstEpochOfLine(joint.epoch, 0);
  const forced = { at, owner: A, epoch: joint.epoch, off: [B, C] };
  const line = { ...record(A, at, [A]), voters: [voter(A)], forced };
  expect(next(history, 4, line, [voter(A)])).toEqual(line);
});

test('voters that change in one step are found', () => {
  const alone = { ...record(A, 1, [A, B]), voters: [voter(A)] };
  expect(() => next(begun(), 3, alone, [voter(A)])).toThrow('in one step');
});

test('a vote that was not made of the latest record is found', () => {
  const history = begun();
  history.told(ballot(3, B), ballot(1, A));
  history.proposed(ballot(3, B), record(B, 2, [B]));
  history.stored(voter(B), ballot(3, B));
  expect(() => history.stored(voter(C), ballot(3, B))).toThrow('R6');
});

test('a new owner whose copy is not in sync is found', () => {
  const history = begun();
  history.told(ballot(3, C), ballot(2, A));
  history.proposed(ballot(3, C), record(C, 2, [C]));
  history.stored(voter(B), ballot(3, C));
  expect(() => history.stored(voter(C), ballot(3, C))).toThrow('not in sync');
});

test('an unfinished vote that a later one completes belongs to the line', () => {
  const history = begun();
  history.told(ballot(3, A), ballot(2, A));
  history.proposed(ballot(3, A), record(A, 1, [A]));
  history.stored(voter(A), ballot(3, A));
  history.told(ballot(4, A), ballot(3, A));
  history.proposed(ballot(4, A), { ...record(A, 1, [A]), want: 'offline' });
  history.stored(voter(A), ballot(4, A));
  expect(history.stored(voter(B), ballot(4, A))?.want).toBe('offline');
});

test('a ballot that is used twice is found', () => {
  const history = begun();
  expect(() => history.proposed(ballot(2, A), record(A, 1, [A]))).toThrow('R4');
});
