/**
 * The votes of one group as operations on one register, by the production `evaluate`.
 *
 * A vote may need several ballots, and each that reached its accept phase may come to be chosen by
 * itself, at any later time: in the last one that was told as chosen it surely took effect, before
 * the vote ended. All others are operations of unknown outcome of their own; what they make, when
 * they do, is in the history. So a vote that failed or was never told of takes effect once per try
 * at most, and one without any try never.
 *
 * A rejection tells of a record that was found, not of one that was chosen (SPEC.md of the
 * registry, and learning.ts: such a record is read before anything rests on it). So it may be one
 * that is only being tried; but never one that was overtaken before the vote began.
 *
 * A first record names the seats that answered: those that its try names.
 */
import { assert, must, unreachable } from '../../src/base/assert.ts';
import type { RecordChange } from '../../src/core/registry/record-change.ts';
import { evaluate } from '../../src/core/registry/record-change.ts';
import type { ProposalOutcome } from '../../src/core/registry/proposer.ts';
import type { Electorate, OwnershipRecord } from '../../src/protocol/record.ts';
import type { Operation, Register } from './checker.ts';
import type { Try, Vote } from './vote-lines.ts';

export type State = OwnershipRecord | 'none';

export const ownership: Register<State> = { initial: 'none', keyOf };

/** So many letters of a seat tell it from others, for a reader. */
const SEAT_SHOWN = 4;

const keys = new WeakMap<OwnershipRecord, string>();

/** Equal for equal records, whatever the order of their fields. */
export function keyOf(state: State): string {
  if (state === 'none') return state;
  const known = keys.get(state);
  if (known !== undefined) return known;
  const key = JSON.stringify(state, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  keys.set(state, key);
  return key;
}

/** `members`: all of the cluster, for all of them have to agree on a first record. */
export function operationsOf(
  votes: readonly Vote[],
  members: readonly string[],
): readonly Operation<State>[] {
  return votes.flatMap((vote) => {
    const end = vote.end;
    checkForm(vote);
    const chosen = end?.outcome.type === 'chosen';
    const loose = chosen ? vote.tries.slice(0, -1) : vote.tries;
    // A reading changes nothing, whether or not it was chosen.
    const unknown = vote.change.type === 'read' ? [] : loose.map((each) => tried(vote, each));
    const told = end === undefined ? undefined : ended(vote, end, members);
    return told === undefined ? unknown : [...unknown, told];
  });
}

/** What every vote tells of itself must fit together. */
function checkForm({ name, tries, end }: Vote): void {
  const outcome = end?.outcome;
  if (outcome?.type === 'chosen') {
    const last = must(tries.at(-1), `${name} was chosen, so it was tried`);
    assert(keyOf(last.record) === keyOf(outcome.record), `${name}: what was tried last is chosen`);
  }
  // A vote whose time is over when it may be tried says that it is uncertain, to be safe.
  if (outcome?.type === 'noQuorum' && !outcome.uncertain) {
    assert(tries.length === 0, `${name}: what was tried is uncertain`);
  }
}

function tried(vote: Vote, { at, record }: Try): Operation<State> {
  return {
    name: `${vote.name}: ${showChange(vote.change)}: tried ${showRecord(record)}`,
    began: at,
    ended: undefined,
    apply: (state) => changed(vote.change, state, record),
    makes: keyOf(record),
    alike: `${JSON.stringify(vote.change)} ${keyOf(record)}`,
  };
}

function ended(
  vote: Vote,
  { at, outcome }: Exclude<Vote['end'], undefined>,
  members: readonly string[],
): Operation<State> | undefined {
  const { began, change } = vote;
  const name = `${vote.name}: ${showChange(change)}: ${showOutcome(outcome)}`;
  const told = { name, began, ended: at };
  switch (outcome.type) {
    case 'noQuorum':
      return undefined;
    case 'empty':
      return { ...told, apply: (state) => (state === 'none' ? state : undefined) };
    case 'chosen': {
      const { record } = outcome;
      // There is nobody else who could have had a record.
      const byAll = change.type !== 'create' || isOf(record, members);
      return { ...told, apply: (state) => (byAll ? changed(change, state, record) : undefined) };
    }
    case 'rejected': {
      const { record } = outcome;
      const found = record === undefined ? 'none' : keyOf(record);
      const proper = evaluate(change, record, new Map()).type === 'rejected';
      const apply = (state: State): State | undefined =>
        proper && keyOf(state) === found ? state : undefined;
      return { ...told, apply, glimpsed: proper && record !== undefined ? found : undefined };
    }
  }
}

/** What the change makes of the state, if that is `record`. */
function changed(
  change: RecordChange,
  state: State,
  record: OwnershipRecord,
): OwnershipRecord | undefined {
  const present = state === 'none' ? undefined : state;
  const seats = new Map(record.voters.map(({ node, seat }) => [node, seat]));
  const made = evaluate(change, present, seats);
  if (made.type !== 'write' && made.type !== 'settled') return undefined;
  return keyOf(made.record) === keyOf(record) ? record : undefined;
}

function isOf(record: OwnershipRecord, members: readonly string[]): boolean {
  const voters = record.voters.map(({ node }) => node);
  return (
    voters.length === members.length && members.every((member) => voters.some((v) => v === member))
  );
}

export function showChange(change: RecordChange): string {
  switch (change.type) {
    case 'read':
      return 'read';
    case 'create':
      return `create for ${change.owner}`;
    case 'claim':
      return `claim for ${change.owner} after epoch ${change.epoch}`;
    case 'transfer':
      return `transfer to ${change.to} after epoch ${change.epoch}`;
    case 'expel':
    case 'admit':
      return `${change.type} ${change.peer} at epoch ${change.epoch}`;
    case 'want':
      return `want ${change.want}`;
    case 'force':
      return `force onto ${change.owner} after epoch ${change.epoch}`;
    case 'bar':
      return `${change.kind} of ${change.node} ${change.on ? 'set' : 'lifted'}`;
    case 'maintain':
      return `maintenance of ${change.scope} ${change.entry === undefined ? 'ended' : 'set'}`;
    case 'setVoters':
    case 'joinVoters':
    case 'settleVoters':
      return `${change.type} ${showVoters(change.voters)} at epoch ${change.epoch}`;
    default:
      return unreachable(change);
  }
}

function showOutcome(outcome: ProposalOutcome): string {
  switch (outcome.type) {
    case 'chosen':
      return `chosen ${showRecord(outcome.record)}`;
    case 'rejected':
      return `rejected (${outcome.why}) by ${outcome.record ? showRecord(outcome.record) : 'none'}`;
    case 'empty':
      return 'empty';
    case 'noQuorum':
      return `no quorum (${outcome.why})`;
    default:
      return unreachable(outcome);
  }
}

export function showRecord(record: OwnershipRecord): string {
  const { epoch, owner, want, voters, formerVoters } = record;
  const copies = Object.entries(record.inSync).map(
    ([id, nodes]) => `, ${id} on ${nodes.join('+')}`,
  );
  const former = formerVoters === undefined ? '' : ` formerly ${showVoters(formerVoters)}`;
  return `{${owner}@${epoch}, ${want}${copies.join('')}, votes ${showVoters(voters)}${former}}`;
}

function showVoters(voters: Electorate): string {
  return voters.map(({ node, seat }) => `${node}:${seat.slice(0, SEAT_SHOWN)}`).join('+');
}
