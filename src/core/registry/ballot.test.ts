import { expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { instant } from '../../base/time.ts';
import type { GroupId, NodeId, SeatId } from '../../protocol/ids.ts';
import type { RegistryMessage } from '../../protocol/record.ts';
import { compareBallots, isBelow } from './ballot.ts';
import { Proposer } from './proposer.ts';

const A = 'a' as NodeId;

/** The first question of a proposer that knows of no ballot. */
function firstQuestion(seat: string): Extract<RegistryMessage, { type: 'prepare' }> {
  const options = { me: A, seat: seat as SeatId, group: 'g' as GroupId, members: [A], rank: 0 };
  const start = { now: instant(0), timeoutMs: 100, highest: undefined };
  const [effect] = new Proposer(options, { type: 'read' }, start).tick(instant(0));
  const sent = must(effect, 'it asks');
  if (sent.type !== 'send' || sent.message.type !== 'prepare') throw new Error('it asks otherwise');
  return sent.message;
}

test('a proposer that lost its storage uses no ballot again, and takes no old answer for a new one', () => {
  const before = firstQuestion('1');
  const after = firstQuestion('2');
  expect(after.ballot.counter).toBe(before.ballot.counter);
  expect(compareBallots(before.ballot, after.ballot)).not.toBe(0);
  expect(isBelow(before.ballot, after.ballot)).not.toBe(isBelow(after.ballot, before.ballot));
  expect(after.id).not.toBe(before.id);
});

test('ballots are ordered by counter, then name, then seat', () => {
  const ballot = (counter: number, node: string, seat: string) => ({
    counter,
    node: node as NodeId,
    seat: seat as SeatId,
  });
  const ordered = [
    ballot(1, 'a', 'x'),
    ballot(1, 'a', 'y'),
    ballot(1, 'b', 'a'),
    ballot(2, 'a', 'a'),
  ];
  expect(ordered.toReversed().sort(compareBallots)).toEqual(ordered);
});
