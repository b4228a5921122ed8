/**
 * Everything that was ever voted on for one group, as only an onlooker can know it: which votes are
 * on stable storage where, which of them were chosen, and from which one each was derived.
 *
 * A vote is chosen when a majority of each electorate that its record names has stored it; a first
 * record when all have, for it is made only by all.
 *
 * Checked: the chosen records form one line, each a single permitted change away from the one it
 * was derived from; epochs and ballots only grow; one owner per epoch; former voters are left out only
 * once the record that joined them with the new ones is chosen.
 *
 * An administrator may force a new line of records: it need not descend from what was chosen last, for
 * those who knew it were vouched for to be off. Within each line all of the above holds.
 */
import { assert } from '../base/assert.ts';
import { isBelow } from '../core/registry/ballot.ts';
import {
  compareVotes,
  firstEpochOfLine,
  LINE_EPOCHS,
  lineOf,
} from '../core/registry/forced-line.ts';
import { barOf, sameBars } from '../core/registry/bars.ts';
import { leftAlone } from '../core/registry/maintenance.ts';
import { sameVoters } from '../core/registry/electorate.ts';
import type { NodeId, ResourceId, SeatId } from '../protocol/ids.ts';
import type { Ballot, OwnershipRecord, Voter } from '../protocol/record.ts';
import { beginsLine } from './vouched.ts';
import { decide, electoratesNamed } from './votes.ts';

interface Vote {
  readonly ballot: Ballot;
  readonly record: OwnershipRecord;
  /** The vote that this one was evaluated on; undefined for the very first. */
  readonly parent: Vote | undefined;
  /** Who has stored it, each with the memory that it stored it in last. */
  readonly stored: Map<NodeId, SeatId>;
  chosen: boolean;
}

/** A line of ancestors that is longer than this has a loop. */
const ANCESTORS_MAX = 100_000;

export class RecordHistory {
  readonly #group: string;
  readonly #votes = new Map<string, Vote>();
  /** Per ballot, the highest vote that its proposer was told of. */
  readonly #told = new Map<string, Vote>();
  readonly #ownerAt = new Map<number, NodeId>();
  #latest: Vote | undefined;
  chosenCount = 0;

  constructor(group: string) {
    this.#group = group;
  }

  /** The newest chosen record. */
  get latest(): OwnershipRecord | undefined {
    return this.#latest?.record;
  }

  ownerAt(epoch: number): NodeId | undefined {
    return this.#ownerAt.get(epoch);
  }

  /** A proposer hears what a voter accepted last. */
  told(ballot: Ballot, accepted: Ballot | undefined): void {
    if (accepted === undefined) return;
    const vote = this.#votes.get(nameOf(accepted));
    assert(vote !== undefined, `${this.#group}: a voter names a vote that nobody proposed`);
    const before = this.#told.get(nameOf(ballot));
    if (before === undefined || compareVotes(vote, before) > 0) {
      this.#told.set(nameOf(ballot), vote);
    }
  }

  /** A proposer asks for votes for a record; tells the one that it makes it of, the first time. */
  proposed(ballot: Ballot, record: OwnershipRecord): OwnershipRecord | undefined {
    const name = nameOf(ballot);
    const known = this.#votes.get(name);
    if (known !== undefined) {
      const same =
        known.record === record || JSON.stringify(known.record) === JSON.stringify(record);
      assert(same, `R4: ${this.#group}: ballot ${name} is used for two records`);
      return undefined;
    }
    const parent = this.#told.get(name);
    this.#told.delete(name);
    this.#checkSettled(record, parent);
    this.#votes.set(name, { ballot, record, parent, stored: new Map(), chosen: false });
    return parent?.record;
  }

  /** A vote is on a voter's stable storage; the record when it was chosen by that. */
  stored({ node, seat }: Voter, ballot: Ballot): OwnershipRecord | undefined {
    const vote = this.#votes.get(nameOf(ballot));
    if (vote === undefined || vote.chosen) return undefined;
    vote.stored.set(node, seat);
    if (!isChosen(vote)) return undefined;
    vote.chosen = true;
    this.#chosen(vote);
    return vote === this.#latest ? vote.record : undefined;
  }

  /** Whether that ballot is above that of the newest chosen record, or its own. */
  mayCome(ballot: Ballot): boolean {
    const latest = this.#latest;
    return latest === undefined || this.#isOfLaterLine(ballot) || !isBelow(ballot, latest.ballot);
  }

  #isOfLaterLine(ballot: Ballot): boolean {
    const record = this.#votes.get(nameOf(ballot))?.record;
    return lineOf(record) > lineOf(this.#latest?.record);
  }

  /** The newest chosen record, and all that were proposed since and may yet be chosen. */
  get open(): readonly OwnershipRecord[] {
    const votes = [...this.#votes.values()];
    return votes.filter(({ ballot }) => this.mayCome(ballot)).map(({ record }) => record);
  }

  /** Who missed the joint record could else still decide by the former voters alone. */
  #checkSettled(record: OwnershipRecord, parent: Vote | undefined): void {
    if (record.formerVoters !== undefined || parent?.record.formerVoters === undefined) return;
    if (lineOf(record) !== lineOf(parent.record)) return;
    let joint: Vote | undefined = parent;
    while (joint !== undefined && !joint.chosen && sameElectorates(joint, parent)) {
      joint = joint.parent;
    }
    const known = joint !== undefined && joint.chosen && sameElectorates(joint, parent);
    const what = `${show(parent.record)} to ${show(record)}`;
    assert(known, `R11: ${this.#group}: former voters are left out too early: ${what}`);
  }

  #chosen(vote: Vote): void {
    const before = this.#latest;
    this.chosenCount += 1;
    if (before !== undefined && compareVotes(vote, before) <= 0) {
      this.#checkLine(before, vote);
      if (lineOf(vote.record) < lineOf(before.record)) this.#note(vote, before);
      return;
    }
    this.#checkLine(vote, before);
    this.#latest = vote;
    this.#note(vote, before);
  }

  /** The owners of all epochs on the way. */
  #note(vote: Vote, before: Vote | undefined): void {
    for (let step: Vote | undefined = vote; step !== undefined && step !== before;) {
      const { epoch, owner } = step.record;
      const known = this.#ownerAt.get(epoch) ?? owner;
      const text = `R5: ${this.#group}: epoch ${epoch} belongs to ${known} and to ${owner}`;
      assert(known === owner, text);
      this.#ownerAt.set(epoch, owner);
      step = step.parent;
    }
  }

  /** `older` is an ancestor of `vote`, and every step between them is a permitted change. */
  #checkLine(vote: Vote, older: Vote | undefined): void {
    let step: Vote | undefined = vote;
    let forced = false;
    for (let count = 0; step !== undefined && step !== older; count += 1) {
      assert(count < ANCESTORS_MAX, 'the line of records has no loop');
      const parent: Vote | undefined = step.parent;
      const wrong = wrongStep(parent?.record, step.record);
      const what = `${nameOf(step.ballot)}, ${show(parent?.record)} to ${show(step.record)}`;
      assert(wrong === undefined, `R6: ${this.#group}: ${wrong}: ${what}`);
      forced ||= lineOf(step.record) !== lineOf(parent?.record);
      step = parent;
    }
    const text =
      `R6: ${this.#group}: ${show(vote.record)} (${nameOf(vote.ballot)}) was chosen, but does ` +
      `not descend from ${show(older?.record)} (${older === undefined ? '' : nameOf(older.ballot)})`;
    assert(step === older || forced, text);
  }
}

/** What is wrong with making `after` of `before`; undefined when it is one permitted change. */
export function wrongStep(
  before: OwnershipRecord | undefined,
  after: OwnershipRecord,
): string | undefined {
  if (beginsLine(after) && lineOf(before) !== lineOf(after)) return wrongBeginning(before, after);
  if (before !== undefined && lineOf(before) !== lineOf(after)) return 'another line';
  if (before === undefined) return after.epoch === 1 ? undefined : 'a first record with epoch > 1';
  if (after.epoch === before.epoch) {
    if (after.owner !== before.owner) return 'another owner in the same epoch';
    const changes = copiesDiffer(before, after) + (votersDiffer(before, after) ? 1 : 0);
    if (changes > 1) return 'more than one change at once';
    return wrongVoters(before, after);
  }
  if (after.epoch !== before.epoch + 1) return 'an epoch was left out or went back';
  if (votersDiffer(before, after)) return 'other voters with a new owner';
  if (!sameBars(before, after)) return 'other bars with a new owner';
  const barred = after.owner === before.owner ? undefined : barOf(before, after.owner);
  if (barred !== undefined) return `the new owner ${barred}`;
  if (leftAlone(before) !== undefined && isTakenOver(before, after)) {
    return 'taken over while in maintenance';
  }
  for (const [mirror, nodes] of Object.entries(before.inSync)) {
    if (!nodes.includes(after.owner))
      return `the copy of ${mirror} of the new owner is not in sync`;
    const left = after.inSync[mirror as ResourceId] ?? [];
    if (left.some((node) => !nodes.includes(node))) return 'a copy came in with a new owner';
  }
  return undefined;
}

/** By a claim, which counts on one copy alone; a hand-over keeps those that are in sync. */
function isTakenOver(before: OwnershipRecord, after: OwnershipRecord): boolean {
  if (before.owner === after.owner) return false;
  return Object.entries(before.inSync).some(
    ([mirror, nodes]) => nodes.length > (after.inSync[mirror as ResourceId] ?? []).length,
  );
}

/** What is forced has a first epoch that nobody else makes, and counts on one copy alone. */
function wrongBeginning(
  before: OwnershipRecord | undefined,
  after: OwnershipRecord,
): string | undefined {
  if (before === undefined) return 'a line that begins with nothing';
  if (before.epoch !== after.forced?.epoch) return 'a line that forgets what was before';
  const rank = (after.epoch - firstEpochOfLine(before.epoch, 0)) / LINE_EPOCHS;
  if (!Number.isInteger(rank) || rank < 0) return 'a line with the first epoch of another';
  const copies = Object.values(after.inSync).flat();
  if (copies.some((node) => node !== after.owner)) return 'a line that counts on other copies';
  return undefined;
}

/** Voters change in two steps, the first of which names those before. */
function wrongVoters(before: OwnershipRecord, after: OwnershipRecord): string | undefined {
  if (!votersDiffer(before, after)) return undefined;
  if (before.formerVoters === undefined) {
    const joined = sameVoters(after.formerVoters, before.voters);
    return joined ? undefined : 'the voters were changed in one step';
  }
  const settled = after.formerVoters === undefined && sameVoters(after.voters, before.voters);
  return settled ? undefined : 'the voters were changed while they were being changed';
}

function votersDiffer(a: OwnershipRecord, b: OwnershipRecord): boolean {
  return !sameVoters(a.voters, b.voters) || !sameVoters(a.formerVoters, b.formerVoters);
}

function sameElectorates({ record: a }: Vote, { record: b }: Vote): boolean {
  return !votersDiffer(a, b);
}

function isChosen({ record, parent, stored }: Vote): boolean {
  if (parent !== undefined) return decide(record, stored);
  return record.voters.every(({ node, seat }) => stored.get(node) === seat);
}

function copiesDiffer(a: OwnershipRecord, b: OwnershipRecord): number {
  let changes = (a.want === b.want ? 0 : 1) + (sameBars(a, b) ? 0 : 1);
  for (const [mirror, nodes] of Object.entries(a.inSync)) {
    const others = b.inSync[mirror as ResourceId] ?? [];
    changes += nodes.filter((node) => !others.includes(node)).length;
    changes += others.filter((node) => !nodes.includes(node)).length;
  }
  return changes;
}

function nameOf(ballot: Ballot): string {
  return `${ballot.counter}.${ballot.node}.${ballot.seat}`;
}

function show(record: OwnershipRecord | undefined): string {
  if (record === undefined) return 'nothing';
  const copies = Object.values(record.inSync).flat().join('+');
  const voters = electoratesNamed(record).map((some) => some.map(({ seat }) => seat).join('+'));
  const votes = `votes ${voters.join(' formerly ')}`;
  return `{${record.owner}@${record.epoch}, in sync ${copies}, ${record.want}, ${votes}}`;
}
