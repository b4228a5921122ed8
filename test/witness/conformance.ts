/**
 * What every kind of witness must do, or two nodes may own one group. Each law is stated from the
 * point of view of the nodes, so that it can be asked of any kind (`kind.ts`).
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Epoch, GroupId, NodeId, SeatId } from '../../src/protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../src/protocol/record.ts';
import { MEMBER_SEAT, type Question } from './member.ts';
import type { WitnessKind, WitnessRig, WitnessUser } from './kind.ts';

const [A, B] = ['a', 'b'] as NodeId[] as [NodeId, NodeId];
const G = 'g' as GroupId;
const E1 = 1 as Epoch;
const E2 = 2 as Epoch;
const LEASE_MS = 300;
/** Longer than a witness takes to start, so that only its silence keeps a promise. */
const LONG_LEASE_MS = 5000;
const SHORT_MS = 1500;
const CRASHES = 4;

const ballot = (counter: number, node: NodeId = A): Ballot => ({
  counter,
  node,
  seat: MEMBER_SEAT,
});

function prepare(counter: number, node = A, group = G): Question {
  return { type: 'prepare', group, ballot: ballot(counter, node) };
}

function accept(counter: number, owner: NodeId, epoch: Epoch, by = owner): Question {
  const record: OwnershipRecord = {
    epoch,
    owner,
    inSync: {},
    want: 'online',
    voters: [{ node: A, seat: MEMBER_SEAT }],
  };
  return { type: 'accept', group: G, ballot: ballot(counter, by), record, previous: undefined };
}

function seatIn(answer: RegistryMessage): SeatId {
  if (answer.type === 'accepted' || answer.type === 'prepared') return answer.seat;
  throw new Error(`Refused: ${JSON.stringify(answer)}`);
}

/** Whom it voted for, as it tells a node that prepares. */
function ownerIn(answer: RegistryMessage): string {
  if (answer.type !== 'prepared') throw new Error(`Refused: ${JSON.stringify(answer)}`);
  return answer.accepted?.record?.owner ?? 'nobody';
}

/** Votes for an owner, as for the first time. */
async function vote(user: WitnessUser, owner = A): Promise<SeatId> {
  seatIn(await user.ask(prepare(1, owner)));
  return seatIn(await user.ask(accept(1, owner, E1)));
}

/** B asks to become the owner until the witness agrees; why it did not, each time. */
async function takeOver(b: WitnessUser): Promise<Extract<RegistryMessage, { type: 'refused' }>[]> {
  const refusals: Extract<RegistryMessage, { type: 'refused' }>[] = [];
  await b.ask(prepare(5, B));
  for (;;) {
    const answer = await b.ask(accept(5, B, E2));
    if (answer.type !== 'refused') return refusals;
    refusals.push(answer);
  }
}

export function describeWitnessKind(kind: WitnessKind): void {
  describe(`a witness: ${kind.name}`, () => {
    let rig: WitnessRig;
    let a: WitnessUser;
    let b: WitnessUser;

    const create = async (leaseMs: number): Promise<void> => {
      rig = await kind.create(leaseMs);
      [a, b] = [rig.user('one', 'a'), rig.user('one', 'b')];
    };
    beforeEach(() => create(LEASE_MS));
    afterEach(() => rig.destroy());

    it('never forgets what it answered, whenever it is killed', async () => {
      for (let counter = 1; counter <= CRASHES; counter += 1) {
        seatIn(await a.ask(prepare(2 * counter)));
        const seat = seatIn(await a.ask(accept(2 * counter, A, counter as Epoch)));
        await rig.crash();
        await rig.start('one');
        const lower = await a.ask(prepare(2 * counter - 1));
        expect(lower).toMatchObject({ type: 'refused', why: 'ballot' });
        const known = await a.ask(prepare(2 * counter + 1));
        expect(known).toMatchObject({
          type: 'prepared',
          seat,
          accepted: { ballot: ballot(2 * counter), record: { owner: A, epoch: counter } },
        });
      }
    });

    it('refuses ballots below one that it promised, by whatever node', async () => {
      await b.ask(prepare(7, B));
      expect(await a.ask(prepare(7))).toMatchObject({ type: 'refused', why: 'ballot' });
      expect(await a.ask(accept(6, A, E1))).toMatchObject({
        type: 'refused',
        why: 'ballot',
        highest: ballot(7, B),
      });
      expect(ownerIn(await a.ask(prepare(8)))).toBe('nobody');
    });

    it('upholds the owner that it voted for, and nobody else', async () => {
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      b.claim(G, E1, seat);
      // Its heartbeats carry the claim by the time that the witness answers it something.
      await b.ask(prepare(1, B));
      expect(b.lease(G).held).toBe(false);
    });

    it('is bound by its promise until the owner lets go', async () => {
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      await b.ask(prepare(5, B));
      const refused = await b.ask(accept(5, B, E2));
      expect(refused).toMatchObject({ type: 'refused', why: 'promise' });
      a.release(G);
      await takeOver(b);
      b.claim(G, E2, seat);
      await b.hasLease(G, true);
    });

    it('lets the owner itself name the next one, promise or not', async () => {
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      await a.ask(prepare(5));
      expect(await a.ask(accept(5, B, E2, A))).toMatchObject({ type: 'accepted' });
    });

    it('keeps promises that it cannot remember: quiet for a lease after a start', async () => {
      await rig.destroy();
      await create(LONG_LEASE_MS);
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      await rig.crash();
      // The owner may trust a promise of this moment for a lease, and is not heard any more.
      a.fallSilent();
      const crashedAt = performance.now();
      await rig.start('one');
      const refusals = await takeOver(b);
      const agreedAt = performance.now();
      expect(agreedAt - crashedAt).toBeGreaterThan(LONG_LEASE_MS);
      expect(refusals[0]?.why).toBe('starting');
    });

    it('does not vote with amnesia: lost storage is another seat, which no lease counts', async () => {
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      await rig.crash();
      rig.loseStorage('one');
      await rig.start('one');
      const answer = await a.ask(prepare(9));
      expect(ownerIn(answer)).toBe('nobody');
      expect(seatIn(answer)).not.toBe(seat);
      // Even with the record voted for again, the old electorate gets nothing from the new seat.
      const again = seatIn(await a.ask(accept(9, A, E1)));
      await expect(withinLeases(a.hasLease(G, true))).rejects.toThrow('in vain');
      a.claim(G, E1, again);
      await a.hasLease(G, true);
    });

    it('does not vote from spoilt storage, and serves the other cluster meanwhile', async () => {
      await vote(a);
      await rig.crash();
      rig.spoilStorage('one');
      await rig.start('two');
      await expect(a.ask(prepare(9), SHORT_MS)).rejects.toThrow('in vain');
      await vote(rig.user('two', 'a'));
    });

    it('keeps clusters apart that have the same names', async () => {
      const other = { a: rig.user('two', 'a'), b: rig.user('two', 'b') };
      const seat = await vote(a);
      a.claim(G, E1, seat);
      await a.hasLease(G, true);
      expect(ownerIn(await other.b.ask(prepare(1, B)))).toBe('nobody');
      const seats = await vote(other.b, B);
      expect(seats).not.toBe(seat);
      other.b.claim(G, E1, seats);
      await other.b.hasLease(G, true);
      expect(a.lease(G).held).toBe(true);
      expect(ownerIn(await a.ask(prepare(4)))).toBe(A);
    });

    it('does not answer a stranger, nor count what it says', async () => {
      await vote(a);
      const stranger = rig.stranger('two');
      await expect(stranger.ask(prepare(99, B), SHORT_MS)).rejects.toThrow('in vain');
      const other = rig.user('two', 'b');
      expect(await other.ask(prepare(1, B))).toMatchObject({ type: 'prepared' });
    });
  });
}

/** Long enough for a lease that could be gained to be gained. */
async function withinLeases(gained: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('waited in vain')), 5 * LEASE_MS);
  });
  gained.catch(() => undefined);
  await Promise.race([gained, late]).finally(() => clearTimeout(timer));
}
