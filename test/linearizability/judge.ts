/** The verdict on the histories of all groups of a cluster, in words. */
import { type Operation, check } from './checker.ts';
import { type State, keyOf, operationsOf, ownership } from './registry-model.ts';
import { storeOperationsOf } from './store-model.ts';
import type { Vote } from './vote-lines.ts';
import { smallestWindow } from './window.ts';

export interface Judgement {
  readonly groups: number;
  readonly votes: number;
  /** By the name of the outcome; `none` for votes whose process was killed. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What entered the search: votes with an effect or a reading, and tries of unknown outcome. */
  readonly operations: number;
  readonly unknown: number;
  /** Those of unknown outcome that must have taken effect for the rest to be explained. */
  readonly tookEffect: number;
  /** Records that were in force, over all groups. */
  readonly states: number;
  /** One text per group that no order explains, or that could not be judged. */
  readonly failures: readonly string[];
}

/** Where the records are. */
export type Registry = 'members' | 'etcd';

/** `members`: all of the cluster, the witness among them. */
export function judge(
  votes: readonly Vote[],
  members: readonly string[],
  registry: Registry = 'members',
): Judgement {
  const toOperations = registry === 'etcd' ? storeOperationsOf : operationsOf;
  const groups = new Map<string, Vote[]>();
  for (const vote of votes) {
    const its = groups.get(vote.group);
    if (its === undefined) groups.set(vote.group, [vote]);
    else its.push(vote);
  }
  const outcomes: Record<string, number> = {};
  for (const { end } of votes) {
    const type = end?.outcome.type ?? 'none';
    outcomes[type] = (outcomes[type] ?? 0) + 1;
  }
  const failures: string[] = [];
  const sums = { operations: 0, unknown: 0, tookEffect: 0, states: 0 };
  for (const [group, its] of groups) {
    const operations = toOperations(its, members);
    sums.operations += operations.length;
    sums.unknown += operations.filter(isUnknown).length;
    const verdict = check(operations, ownership);
    if (verdict.type === 'linearizable') {
      sums.tookEffect += verdict.order.filter(isUnknown).length;
      sums.states += statesAlong(verdict.order);
    } else if (verdict.type === 'violated') failures.push(explain(group, its, operations));
    else
      failures.push(`group ${group}: too many ways to be judged (${operations.length} operations)`);
  }
  return { groups: groups.size, votes: votes.length, outcomes, failures, ...sums };
}

/** One line of figures. */
export function summary(judgement: Judgement): string {
  const { groups, votes, outcomes, operations, unknown, tookEffect, states } = judgement;
  const each = Object.entries(outcomes).map(([type, count]) => `${count} ${type}`);
  return (
    `${votes} votes of ${groups} groups (${each.sort().join(', ')}); ${operations} operations, ` +
    `${unknown} of unknown outcome, of which ${tookEffect} took effect; ${states} records in force`
  );
}

function isUnknown({ ended }: Operation<State>): boolean {
  return ended === undefined;
}

function statesAlong(order: readonly Operation<State>[]): number {
  const seen = new Set<string>();
  let state = ownership.initial;
  for (const { apply } of order) {
    // A glimpse changes nothing.
    state = apply(state) ?? state;
    seen.add(keyOf(state));
  }
  return seen.size;
}

function explain(
  group: string,
  votes: readonly Vote[],
  operations: readonly Operation<State>[],
): string {
  const states = new Map<string, State>([[keyOf(ownership.initial), ownership.initial]]);
  for (const { tries } of votes) {
    for (const { record } of tries) states.set(keyOf(record), record);
  }
  const window = smallestWindow(operations, ownership, [...states.values()]);
  const lines = window.operations.map(({ name, began, ended }) => {
    const end = ended === undefined ? 'unknown' : `+${(ended - window.from).toFixed(3)}`;
    return `  +${(began - window.from).toFixed(3)} to ${end} ms: ${name}`;
  });
  return [
    `group ${group}: no order of its ${operations.length} operations explains the outcomes; ` +
      `the smallest window, from ${window.from.toFixed(3)} to ${window.to.toFixed(3)} ms:`,
    ...lines,
  ].join('\n');
}
