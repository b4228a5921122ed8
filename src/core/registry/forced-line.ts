/**
 * Records that an administrator forced: made without the majority of the voters that the last known
 * record names, by everybody whom the administrator did not say is off. Or, in place of a person, a
 * fence has confirmed that somebody is off: then the record is made only where everything that was
 * ever chosen is known to those who are left, and nothing is given up by it (R16).
 *
 * Such a record begins a *line*. Within a line all is as ever; of two lines the one with the higher
 * first epoch counts, whatever the ballots say. A voter of another line that comes back takes the
 * record over as soon as it is told, and never goes back (SPEC.md, R13 to R15).
 *
 * First epochs are so far apart that no two members ever make the same, nor one that ordinary
 * changes of an owner reach: so each epoch has one owner, also when both halves of a cluster
 * were forced.
 */
import { assert } from '../../base/assert.ts';
import type { Epoch, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { OwnershipRecord, VotedRecord } from '../../protocol/record.ts';
import { compareBallots } from './ballot.ts';
import { barOf } from './bars.ts';
import { type Seats, electorate, electoratesOf, majorityOf } from './electorate.ts';

export interface ForceChange {
  readonly type: 'force';
  readonly owner: NodeId;
  /** Of the record that the administrator was shown. */
  readonly epoch: Epoch;
  /** Position of the owner among all members. */
  readonly rank: number;
  /** Members that the administrator said are off; sorted. */
  readonly off: readonly NodeId[];
  /** Those that have copies of the group. */
  readonly nodes: readonly NodeId[];
  /** The administrator accepts that what other copies have and this one lacks is given up. */
  readonly acceptLoss: boolean;
  /** Fences confirmed it, and no administrator is asked. */
  readonly by?: 'fence' | undefined;
}

export type ForceEvaluation =
  | { readonly type: 'write' | 'settled'; readonly record: OwnershipRecord }
  | {
      readonly type: 'rejected';
      readonly record: OwnershipRecord | undefined;
      readonly why: string;
    };

/** Changes of the owner that a line has room for. */
export const LINE_EPOCHS = 10_000;
/** Members that may each begin a line from the same record. */
const LINES_MAX = 100;

/** 0 for records that nobody forced. */
export function lineOf(record: OwnershipRecord | undefined): number {
  return record?.forced?.at ?? 0;
}

/** The same of a record of which only the epoch is known. */
export function lineOfEpoch(epoch: Epoch): number {
  return epoch < LINE_EPOCHS * LINES_MAX ? 0 : epoch - (epoch % LINE_EPOCHS);
}

/** Positive when `a` counts and `b` does not. */
export function compareVotes(a: VotedRecord, b: VotedRecord): number {
  return lineOf(a.record) - lineOf(b.record) || compareBallots(a.ballot, b.ballot);
}

export function firstEpochOfLine(after: Epoch, rank: number): Epoch {
  assert(rank >= 0 && rank < LINES_MAX, 'a cluster has fewer members');
  const span = LINE_EPOCHS * LINES_MAX;
  return ((Math.floor(after / span) + 1) * span + rank * LINE_EPOCHS) as Epoch;
}

/** What it makes of the latest record that those who are not said to be off know. */
export function evaluateForce(
  change: ForceChange,
  present: OwnershipRecord | undefined,
  seats: Seats,
): ForceEvaluation {
  const { owner: me, off, rank } = change;
  if (present === undefined) {
    return { type: 'rejected', record: present, why: 'the group has no record yet' };
  }
  const reject = (why: string): ForceEvaluation => ({ type: 'rejected', record: present, why });
  const begun = present.forced;
  if (begun !== undefined && present.owner === me && begun.epoch >= change.epoch) {
    return { type: 'settled', record: present };
  }
  if (present.epoch !== change.epoch)
    return reject(`the record moved on to epoch ${present.epoch}`);
  const alive = off.filter((node) => seats.has(node));
  if (alive.length > 0) return reject(`${alive.join(', ')} answers, and so is not off`);
  const better = betterCopy(change, present, seats);
  if (better !== undefined) return reject(better);
  const at = firstEpochOfLine(present.epoch, rank);
  if (change.by === 'fence') {
    const unsafe = unknownDecision(present, seats) ?? barredFrom(present, me);
    if (unsafe !== undefined) return reject(unsafe);
    return { type: 'write', record: fenced({ ...change, at }, present, seats) };
  }
  return {
    type: 'write',
    record: {
      epoch: at,
      owner: me,
      inSync: mapCopies(present, () => [me]),
      want: 'online',
      voters: electorate([...seats].map(([node, seat]) => ({ node, seat }))),
      byHand: true,
      forced: { at, owner: present.owner, epoch: present.epoch, off },
      keptAside: keptAside(change, present),
    },
  };
}

/** As a claim would make it, with the votes of those who are left. */
function fenced(
  { at, off, owner: me }: ForceChange & { readonly at: Epoch },
  present: OwnershipRecord,
  seats: Seats,
): OwnershipRecord {
  return {
    ...present,
    epoch: at,
    owner: me,
    inSync: mapCopies(present, () => [me]),
    voters: electorate([...seats].map(([node, seat]) => ({ node, seat }))),
    formerVoters: undefined,
    byHand: present.owner === me ? present.byHand : undefined,
    forced: { at, owner: present.owner, epoch: present.epoch, off, by: 'fence' },
  };
}

/**
 * Why something may have been chosen that nobody among those who answered has accepted; undefined
 * where every majority, of each electorate, has one of them.
 */
export function unknownDecision(
  present: Pick<OwnershipRecord, 'voters' | 'formerVoters'>,
  seats: Seats,
): string | undefined {
  for (const voters of electoratesOf(present)) {
    const silent = voters.filter(({ node, seat }) => seats.get(node) !== seat);
    if (silent.length < majorityOf(voters)) continue;
    const names = silent.map(({ node }) => node).join(', ');
    return `${names} may have decided something that nobody else knows of`;
  }
  return undefined;
}

/**
 * The first epoch of the line of `record`, if by it records are given up that the voter with that seat
 * alone had made, and on which `record` does not rest.
 */
export function givenUpFor(
  record: OwnershipRecord,
  before: OwnershipRecord | undefined,
  seat: SeatId,
): Epoch | undefined {
  if (before === undefined || lineOf(record) <= lineOf(before)) return undefined;
  const alone = before.voters.length === 1 && before.voters[0]?.seat === seat;
  const { forced } = record;
  return alone && forced !== undefined && forced.epoch < before.epoch ? forced.at : undefined;
}

function barredFrom(present: OwnershipRecord, me: NodeId): string | undefined {
  const barred = present.owner === me ? undefined : barOf(present, me);
  return barred === undefined ? undefined : `${me} ${barred}`;
}

/** Why the copies here are not the ones to go on with, if that can be known. */
function betterCopy(
  { acceptLoss, owner: me }: ForceChange,
  { inSync }: OwnershipRecord,
  seats: Seats,
): string | undefined {
  for (const [mirror, nodes] of Object.entries(inSync)) {
    if (nodes.includes(me)) continue;
    const there = nodes.find((node) => seats.has(node));
    if (there !== undefined) {
      return `${there} answers, and its copy of "${mirror}" has everything: force it there instead`;
    }
    if (!acceptLoss) return `the copy of "${mirror}" on ${me} lacks what ${nodes.join(', ')} has`;
  }
  return undefined;
}

/** Whoever is off may have more than the last known record tells, and so may those in sync. */
function keptAside(
  { nodes, off, owner: me }: ForceChange,
  present: OwnershipRecord,
): OwnershipRecord['keptAside'] {
  const silent = off.filter((node) => nodes.includes(node));
  return mapCopies(present, (mirror, inSync) => {
    const before = present.keptAside?.[mirror] ?? [];
    const all = new Set([...before, ...inSync, ...silent]);
    all.delete(me);
    return [...all].sort();
  });
}

/** Copies that are voted in were brought up to date from the owner's: nothing is left to keep. */
export function withoutKept(
  record: OwnershipRecord,
  mirror: ResourceId,
  node: NodeId,
): OwnershipRecord['keptAside'] {
  const { keptAside: kept } = record;
  if (kept === undefined) return undefined;
  return { ...kept, [mirror]: (kept[mirror] ?? []).filter((other) => other !== node) };
}

function mapCopies(
  { inSync }: OwnershipRecord,
  map: (mirror: ResourceId, nodes: readonly NodeId[]) => readonly NodeId[],
): Record<ResourceId, readonly NodeId[]> {
  const mapped: Record<ResourceId, readonly NodeId[]> = {};
  for (const [mirror, nodes] of Object.entries(inSync)) {
    mapped[mirror as ResourceId] = map(mirror as ResourceId, nodes);
  }
  return mapped;
}
