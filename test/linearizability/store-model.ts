/**
 * The votes of one group as operations on one register, where its records are in etcd
 * (docs/decisions/0026-etcd.md), by the production `evaluate`.
 *
 * A vote is a row of readings and swaps, each noted by itself with its answer, so that the model is
 * narrower than that of the members' own registry: a reading tells what is in force at an instant;
 * a swap that the store says it made took effect in between, on what the reading before it found;
 * one that the store refused, or found overtaken, never takes effect; one of unknown outcome
 * may, once and at any later time. What a vote ends with follows from its last reading or swap.
 */
import { assert, must, unreachable } from '../../src/base/assert.ts';
import { electoratesOf } from '../../src/core/registry/electorate.ts';
import { type RecordChange, evaluate } from '../../src/core/registry/record-change.ts';
import type { OwnershipRecord } from '../../src/protocol/record.ts';
import type { StoreReading } from '../../src/protocol/stored-record.ts';
import type { Operation } from './checker.ts';
import { type State, keyOf, showChange, showRecord } from './registry-model.ts';
import type { Found, Try, Vote } from './vote-lines.ts';

/** `members`: all nodes, for all of them have to agree on a first record. */
export function storeOperationsOf(
  votes: readonly Vote[],
  members: readonly string[],
): readonly Operation<State>[] {
  return votes.flatMap((vote) => {
    checkForm(vote);
    const readings = vote.found.flatMap((found) => readingOf(vote, found));
    return [...readings, ...vote.tries.flatMap((tried) => swapOf(vote, tried, members))];
  });
}

function readingOf(vote: Vote, { from, at, reading }: Found): readonly Operation<State>[] {
  const state = stateIn(reading);
  if (state === undefined) return [];
  const shown = state === 'none' ? state : showRecord(state);
  const name = `${vote.name}: ${showChange(vote.change)}: found ${shown}`;
  const apply = (now: State): State | undefined => (keyOf(now) === keyOf(state) ? now : undefined);
  return [{ name, began: from, ended: at, apply }];
}

function swapOf(vote: Vote, tried: Try, members: readonly string[]): readonly Operation<State>[] {
  const { at, answer, record } = tried;
  const outcome = answer?.outcome.type;
  if (outcome === 'moved' || outcome === 'refused') return [];
  const reading = must(tried.expected, `${vote.name}: what is tried rests on a reading`);
  const expected = must(stateIn(reading), `${vote.name}: on one that the store answered`);
  const makes = keyOf(record);
  const isMade = isMadeBy(vote.change, { expected, record, members });
  const apply = (state: State): State | undefined =>
    isMade && keyOf(state) === keyOf(expected) ? record : undefined;
  const name = `${vote.name}: ${showChange(vote.change)}: swapped for ${showRecord(record)}`;
  if (outcome === 'swapped') return [{ name, began: at, ended: answer?.at, apply }];
  const alike = `${String(isMade)} ${keyOf(expected)} ${makes}`;
  return [{ name, began: at, ended: undefined, apply, alike }];
}

/**
 * Whether the change makes this record of what was expected. Of the voters only those are left that
 * let the former owner go, where they are no majority; every record says that etcd decided it.
 */
function isMadeBy(
  change: RecordChange,
  swap: {
    readonly expected: State;
    readonly record: OwnershipRecord;
    readonly members: readonly string[];
  },
): boolean {
  const { expected, record, members } = swap;
  const { voters } = record;
  const present = expected === 'none' ? undefined : expected;
  const made = evaluate(change, present, new Map(voters.map(({ node, seat }) => [node, seat])));
  // A record as it was, written anew, gives rivals new ballots.
  if (keyOf(record) === keyOf(expected)) return true;
  if (made.type !== 'write') return false;
  const whole: OwnershipRecord = { ...made.record, registry: 'etcd' };
  if (change.type === 'create') {
    const named = voters.map(({ node }) => node as string).sort();
    return keyOf(record) === keyOf(whole) && named.join() === [...members].sort().join();
  }
  if (keyOf(record) === keyOf(whole)) return true;
  const known = new Set(
    electoratesOf(whole).flatMap((all) => all.map((one) => JSON.stringify(one))),
  );
  const fewer = voters.length > 0 && voters.every((one) => known.has(JSON.stringify(one)));
  const narrowed = { ...whole, voters, formerVoters: undefined };
  return present?.owner !== record.owner && fewer && keyOf(record) === keyOf(narrowed);
}

/** What every vote tells of itself must fit together. */
function checkForm({ name, change, tries, found, end }: Vote): void {
  assert(
    found.every(({ reading }) => reading.type !== 'foreign'),
    `${name}: nobody else writes into the store`,
  );
  if (end === undefined) return;
  const { outcome } = end;
  const lastTry = tries.at(-1);
  const last = found.at(-1);
  const held = last === undefined ? undefined : stateIn(last.reading);
  switch (outcome.type) {
    case 'chosen': {
      if (lastTry?.answer?.outcome.type === 'swapped') {
        assert(
          keyOf(lastTry.record) === keyOf(outcome.record),
          `${name}: what was swapped is chosen`,
        );
        return;
      }
      const state = must(held, `${name}: what is chosen was swapped or found`);
      assert(keyOf(state) === keyOf(outcome.record), `${name}: what was found is chosen`);
      const isSo = evaluate(change, outcome.record, new Map()).type === 'settled';
      assert(isSo || isOwn(last, tries), `${name}: chosen for it is so already, or its own`);
      return;
    }
    case 'rejected': {
      const shown = outcome.record ?? 'none';
      assert(held !== undefined && keyOf(held) === keyOf(shown), `${name}: what was found rejects`);
      const why = evaluate(change, outcome.record, new Map()).type;
      assert(why === 'rejected', `${name}: it is rejected with cause`);
      return;
    }
    case 'empty':
      assert(held === 'none', `${name}: that there is nothing was found`);
      return;
    case 'noQuorum': {
      const open = tries.some(({ answer }) => (answer?.outcome.type ?? 'unknown') === 'unknown');
      assert(outcome.uncertain || !open, `${name}: what may yet be swapped is uncertain`);
      return;
    }
    default:
      unreachable(outcome);
  }
}

/** By the ballot, as its writer knows it; what the store said of that swap is the checker's. */
function isOwn(found: Found | undefined, tries: readonly Try[]): boolean {
  if (found?.reading.type !== 'found') return false;
  const { by, record } = found.reading.vote;
  return tries.some(
    ({ ballot, record: tried }) =>
      ballot.counter === by.counter &&
      ballot.node === by.node &&
      ballot.seat === by.seat &&
      keyOf(tried) === keyOf(record),
  );
}

function stateIn(reading: StoreReading): State | undefined {
  if (reading.type === 'found') return reading.vote.record;
  return reading.type === 'none' ? 'none' : undefined;
}
