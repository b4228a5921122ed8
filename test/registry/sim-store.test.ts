/**
 * The simulator's etcd conforms like a real one, whatever befalls it; and the judgement of rivals
 * can tell right from wrong.
 */
import { expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { drawEtcdFaults } from '../../src/sim/etcd-faults.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import { recordStoreConforms } from './conformance.ts';
import { type Attempt, brokenChain, rivalsWrite } from './rivals.ts';
import { SimStores } from './sim-store.ts';
import { voteOf } from './votes.ts';

const NODES = ['n1', 'n2', 'n3'];
const SEED = 5;
const LIVES = 12;
const STORM_MS = 2000;

recordStoreConforms('the etcd of the simulator', () => {
  const stores = new SimStores(SEED);
  stores.etcd.answerLost = 0;
  return stores.store('n1');
});

async function rivalsOn(
  store: (writer: string) => RecordStore,
  writes: number,
): Promise<readonly Attempt[]> {
  const attempts: Attempt[] = [];
  const group = 'g' as GroupId;
  await Promise.all(
    NODES.map((writer) => rivalsWrite({ store: store(writer), group, writer, writes, attempts })),
  );
  return attempts;
}

test('what befalls it in lives leaves a history without contradiction', async () => {
  const config = simConfig({ nodes: NODES, registry: 'etcd', groups: [] });
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const stores = new SimStores(seed);
    const swarm = { registry: 'etcd', stormMs: STORM_MS } as const;
    stores.inflict(drawEtcdFaults(swarm, config, new Prng(seed)));
    const attempts = await rivalsOn((writer) => stores.store(writer), 30);
    for (const { outcome } of attempts) outcomes.add(outcome.type);
    expect(brokenChain(attempts)).toBeUndefined();
  }
  expect([...outcomes].sort()).toEqual(['moved', 'swapped', 'unknown']);
});

test('a change without a majority is carried out when that is back, and only once', async () => {
  const group = 'g' as GroupId;
  const seen = new Set<string>();
  for (let seed = 1; seed <= LIVES; seed += 1) {
    const stores = new SimStores(seed);
    stores.etcd.answerLost = 0;
    const [one, other] = [stores.store('n1'), stores.store('n2')];
    const vote = voteOf('n1', 1);
    stores.etcd.setMajority(false);
    expect((await one.swap(group, 0, vote)).type).toBe('unknown');
    expect(await other.read(group)).toMatchObject({ type: 'unreachable' });
    expect(await other.check()).toBeDefined();
    stores.etcd.setMajority(true);
    const reading = await other.read(group);
    const made = await other.swap(group, 0, vote);
    expect(made.type).toBe(reading.type === 'found' ? 'moved' : 'swapped');
    seen.add(reading.type);
  }
  expect([...seen].sort()).toEqual(['found', 'none']);
});

test('a store that does not compare is found out', async () => {
  const stores = new SimStores(SEED);
  let revision = 1;
  const careless: RecordStore = {
    ...stores.store('n1'),
    swap: () => Promise.resolve({ type: 'swapped', revision: (revision += 1) }),
  };
  expect(brokenChain(await rivalsOn(() => careless, 9))).toMatch(/was read after|have changed/u);
});
