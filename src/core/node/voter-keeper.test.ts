import { beforeEach, describe, expect, test } from 'vitest';
import { instant } from '../../base/time.ts';
import type { Epoch, NodeId, ResourceId, SeatId } from '../../protocol/ids.ts';
import type { Electorate, OwnershipRecord } from '../../protocol/record.ts';
import { VoterKeeper } from './voter-keeper.ts';

const [N1, N2, W1] = ['n1', 'n2', 'w1'] as [NodeId, NodeId, NodeId];
const DATA = 'data' as ResourceId;
const TERM_MS = 303;

const of = (...nodes: readonly NodeId[]): Electorate =>
  nodes.map((node) => ({ node, seat: `${node}-1` as SeatId }));
const ALL = of(N1, N2, W1);

function record(given: Partial<OwnershipRecord> = {}): OwnershipRecord {
  const inSync = { [DATA]: [N1, N2] };
  return { epoch: 4 as Epoch, owner: N1, inSync, want: 'online', voters: ALL, ...given };
}

let keeper: VoterKeeper;
/** What the heart was told to count, each time. */
let told: string[];

beforeEach(() => {
  keeper = new VoterKeeper({
    me: N1,
    members: [N1, N2, W1],
    nodes: [N1, N2],
    leaseTermMs: TERM_MS,
    outside: false,
  });
  told = [];
  keeper.begin(instant(0));
  keeper.supported(ALL, instant(0));
});

/** What an owner does at each step; the vote that is due, in short. */
function at(now: number, present: OwnershipRecord): string {
  keeper.aim(present, instant(now));
  const count = keeper.toCount(present, instant(now));
  if (count !== undefined) told.push(count.map(names).join(' and '));
  const due = keeper.due(present, instant(now));
  if (due?.type !== 'joinVoters' && due?.type !== 'settleVoters') return 'nothing';
  return `${due.type} ${names(due.voters)}`;
}

function names(voters: Electorate): string {
  return voters.map(({ node, seat }) => (seat === `${node}-1` ? node : seat)).join('+');
}

describe('whose votes should count', () => {
  test('everybody upholds the lease: nothing to do', () => {
    expect(at(5000, record())).toBe('nothing');
    expect(told).toEqual(['n1+n2+w1']);
  });

  test.each([
    ['the witness is gone', of(N1, N2), [N1, N2], 'n1'],
    ['the other node is gone, and its copy voted out', of(N1, W1), [N1], 'n1'],
    ['the other node is gone, its copy still counts', of(N1, W1), [N1, N2], undefined],
    ['both are gone', of(N1), [N1], undefined],
  ])('%s', (_, support, copies, aim) => {
    at(0, record());
    keeper.supported(support, instant(3000));
    const present = record({ inSync: { [DATA]: copies } });
    expect(at(4999, present)).toBe('nothing');
    expect(told).toHaveLength(1);
    at(5000, present);
    expect(told.at(1)).toBe(aim === undefined ? undefined : `n1+n2+w1 and ${aim}`);
  });

  test('without mirrors a node that is gone keeps its vote', () => {
    keeper.supported(of(N1, W1), instant(0));
    at(9000, record({ inSync: {} }));
    expect(told).toEqual(['n1+n2+w1']);
  });

  test('of four that are left the one with the stale copy gives up its vote', () => {
    const nodes = ['a', 'b', 'c', 'd', 'e'] as NodeId[];
    const options = { members: nodes, nodes, leaseTermMs: TERM_MS, outside: false };
    keeper = new VoterKeeper({ me: 'b' as NodeId, ...options });
    keeper.begin(instant(0));
    keeper.supported(of(...nodes.slice(0, 4)), instant(0));
    const inSync = { [DATA]: ['a', 'b', 'd'] as NodeId[] };
    at(2000, record({ owner: 'b' as NodeId, voters: of(...nodes), inSync }));
    expect(told).toEqual(['a+b+c+d+e and a+b+d']);
  });

  test('a voter with a new memory is voted in anew', () => {
    const renewed = [...of(N1, N2), { node: W1, seat: 'w1-2' as SeatId }];
    keeper.supported(renewed, instant(1000));
    at(1000, record());
    expect(told).toEqual(['n1+n2+w1 and n1+n2+w1-2']);
  });

  test('who flickers changes nothing', () => {
    for (let now = 0; now < 20_000; now += 1500) {
      keeper.supported(now % 1000 === 0 ? ALL : of(N1, N2), instant(now));
      expect(at(now + 1499, record())).toBe('nothing');
    }
    expect(told).toEqual(['n1+n2+w1']);
  });
});

describe('a copy', () => {
  test('counts as in sync only when its node could take over', () => {
    const alone = record({ voters: of(N1), inSync: { [DATA]: [N1] } });
    keeper.supported(of(N1), instant(0));
    at(5000, alone);
    expect(keeper.mayAdmit(N2, alone, instant(5000))).toBe(false);
    keeper.supported(ALL, instant(6000));
    expect(keeper.mayAdmit(N2, alone, instant(6000))).toBe(false);
    at(6000, alone);
    expect(at(6000 + TERM_MS, alone)).toBe('joinVoters n1+n2+w1');
    const back = record({ inSync: { [DATA]: [N1] } });
    keeper.chosen(back);
    expect(keeper.mayAdmit(N2, back, instant(7000))).toBe(true);
  });

  test('counts where the witness is gone, for a planned move', () => {
    const alone = record({ voters: of(N1), inSync: { [DATA]: [N1] } });
    keeper.supported(of(N1, N2), instant(0));
    expect(keeper.mayAdmit(N2, alone, instant(5000))).toBe(true);
  });
});

describe('a change', () => {
  const joint = record({ voters: of(N1), formerVoters: ALL });

  beforeEach(() => {
    at(0, record());
    keeper.supported(of(N1, N2), instant(1000));
    expect(at(3000, record())).toBe('nothing');
  });

  test('is voted when marks that were given under the old count have ended', () => {
    expect(at(3000 + TERM_MS - 1, record())).toBe('nothing');
    expect(at(3000 + TERM_MS, record())).toBe('joinVoters n1');
    keeper.chosen(joint);
    expect(at(4000, joint)).toBe('settleVoters n1');
    keeper.chosen(record({ voters: of(N1) }));
    expect(at(5000, record({ voters: of(N1) }))).toBe('nothing');
    expect(told).toEqual(['n1+n2+w1', 'n1+n2+w1 and n1', 'n1']);
  });

  test('that was seen, but is not known to be chosen, is voted again before it is settled', () => {
    expect(at(4000, joint)).toBe('joinVoters n1');
    keeper.chosen(joint);
    expect(at(5000, joint)).toBe('settleVoters n1');
  });

  test('is off when another vote shows that it was not chosen', () => {
    expect(at(4000, record())).toBe('joinVoters n1');
    keeper.chosen(record());
    at(4001, record());
    // It begins anew, with the time that it takes.
    expect(told).toEqual(['n1+n2+w1', 'n1+n2+w1 and n1']);
    expect(at(4001 + TERM_MS, record())).not.toBe('settleVoters n1');
  });

  test('a vote without a majority is tried again after a while', () => {
    expect(at(4000, record())).toBe('joinVoters n1');
    keeper.refused(true, instant(4100));
    expect(at(4300, record())).toBe('nothing');
    expect(at(4600, record())).toBe('joinVoters n1');
  });

  test('is off when the lease is lost before it was voted on, and begins anew a little later', () => {
    keeper.leaseLost(instant(3000 + TERM_MS - 1));
    keeper.supported(of(N1, N2), instant(3000 + TERM_MS));
    at(3000 + TERM_MS, record());
    expect(told.at(-1)).toBe('n1+n2+w1');
    at(4000 + TERM_MS, record());
    expect(told.at(-1)).toBe('n1+n2+w1 and n1');
  });

  test.each([
    ['was surely not chosen', false, 'n1+n2+w1'],
    ['may be chosen yet', true, 'n1+n2+w1 and n1'],
  ])('voted on before the lease was lost that %s', (_, uncertain, counted) => {
    expect(at(4000, record())).toBe('joinVoters n1');
    keeper.refused(uncertain, instant(4100));
    // A later vote for the same says nothing of the former.
    expect(at(4700, record())).toBe('joinVoters n1');
    keeper.refused(false, instant(4800));
    keeper.leaseLost(instant(4800));
    at(4800, record());
    expect(told.at(-1)).toBe(counted);
  });

  test('begun by the owner before is brought to its end', () => {
    keeper.begin(instant(9000));
    const mine = record({ epoch: 5 as Epoch, voters: of(N1), formerVoters: of(N1, N2, W1) });
    at(9000, mine);
    expect(told.at(-1)).toBe('n1 and n1+n2+w1');
    keeper.chosen(mine);
    expect(at(9000 + TERM_MS, mine)).toBe('settleVoters n1');
  });
});

describe('where a store outside decides', () => {
  const BOTH = of(N1, N2);
  const alone = record({ voters: BOTH, inSync: { [DATA]: [N1] } });

  beforeEach(() => {
    const options = { members: [N1, N2], nodes: [N1, N2], leaseTermMs: TERM_MS };
    keeper = new VoterKeeper({ me: N1, ...options, outside: true });
    keeper.begin(instant(0));
    keeper.supported(BOTH, instant(0));
    keeper.toCount(alone, instant(0));
  });

  test('an owner that lost its lease sets the voters that are left, in one vote', () => {
    keeper.supported(of(N1), instant(1000));
    expect(keeper.aim(alone, instant(1000), 'suspended')).toBe(true);
    expect(keeper.toCount(alone, instant(1000))).toEqual([BOTH, of(N1)]);
    expect(keeper.due(alone, instant(1000 + TERM_MS - 1))).toBeUndefined();
    const change = { type: 'setVoters', owner: N1, epoch: 4, voters: of(N1) };
    expect(keeper.due(alone, instant(1000 + TERM_MS))).toEqual(change);
  });

  test('but not the votes of a node whose copy may take over', () => {
    const inSync = record({ voters: BOTH });
    keeper.supported(of(N1), instant(1000));
    expect(keeper.aim(inSync, instant(9000), 'suspended')).toBe(false);
  });

  test('nor without its own vote', () => {
    keeper.supported(of(N2), instant(1000));
    expect(keeper.aim(alone, instant(9000), 'suspended')).toBe(false);
  });

  test('of two the second keeps its vote: it can take over with the store', () => {
    expect(keeper.aim(alone, instant(9000))).toBe(false);
  });
});
