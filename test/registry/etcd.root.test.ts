/** The record store in etcd, with three real members that are killed and frozen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEtcdRecordStore } from '../../src/adapters/registry-etcd/etcd-record-store.ts';
import { decodeStoredVote } from '../../src/core/registry/stored-vote.ts';
import type { RecordStore } from '../../src/ports/record-store.ts';
import type { GroupId } from '../../src/protocol/ids.ts';
import { until } from '../hosts/wait.ts';
import { recordStoreConforms } from './conformance.ts';
import { EtcdCluster } from './etcd-cluster.ts';
import { type Attempt, brokenChain, rivalsWrite } from './rivals.ts';
import { voteOf } from './votes.ts';

const PREFIX = '/tako';
let etcd: EtcdCluster;

beforeAll(async () => {
  etcd = await EtcdCluster.start();
});
afterAll(() => etcd.destroy());

function open(cluster = 'demo', timeoutMs = 500): RecordStore {
  const { endpoints } = etcd;
  const decode = decodeStoredVote;
  return openEtcdRecordStore({ endpoints, prefix: PREFIX, cluster, timeoutMs, decode });
}

async function put(key: string, value: string): Promise<void> {
  const [encodedKey, encodedValue] = [key, value].map((t) => Buffer.from(t).toString('base64'));
  const body = JSON.stringify({ key: encodedKey, value: encodedValue });
  const answer = await fetch(`${etcd.endpoints[0]}/v3/kv/put`, { method: 'POST', body });
  expect(answer.status).toBe(200);
}

recordStoreConforms('etcd', () => open());

describe('etcd', () => {
  const group = 'g' as GroupId;

  it.each([
    ['not JSON', 'hello', 'its value is not JSON'],
    ['another format', '{"format":"x"}', 'does not have the format'],
    ['half a record', '{"format":"tako-record-1","cluster":"strange","group":"g"}', 'not a whole'],
  ])('leaves a key alone that a stranger wrote: %s', async (_what, value, why) => {
    await put(`${PREFIX}/strange/groups/g`, value);
    const store = open('strange');
    expect(await store.read(group)).toMatchObject({
      type: 'foreign',
      why: expect.stringContaining(why) as unknown,
    });
    expect(await store.swap(group, 0, voteOf('n1', 1))).toEqual({ type: 'moved' });
  });

  it('refuses a record that was copied from another cluster or group', async () => {
    await open('origin').swap(group, 0, voteOf('n1', 1));
    const key = Buffer.from(`${PREFIX}/origin/groups/g`).toString('base64');
    const body = JSON.stringify({ key });
    const answer = await fetch(`${etcd.endpoints[0]}/v3/kv/range`, { method: 'POST', body });
    const { kvs } = (await answer.json()) as { kvs: [{ value: string }] };
    const value = Buffer.from(kvs[0].value, 'base64').toString();
    await put(`${PREFIX}/copied/groups/g`, value);
    await put(`${PREFIX}/origin/groups/h`, value);
    expect(await open('copied').read(group)).toMatchObject({ type: 'foreign' });
    expect(await open('origin').read('h' as GroupId)).toMatchObject({ type: 'foreign' });
  });

  it('ends in time and says what it does not know while the majority is gone', async () => {
    const store = open('outage');
    const made = await store.swap(group, 0, voteOf('n1', 1));
    if (made.type !== 'swapped') throw new Error(`not written: ${made.type}`);
    await Promise.all([etcd.kill('e1'), etcd.kill('e2')]);
    const began = performance.now();
    expect(await store.read(group)).toMatchObject({ type: 'unreachable' });
    expect((await store.swap(group, made.revision, voteOf('n2', 2))).type).toBe('unknown');
    expect(performance.now() - began).toBeLessThan(5000);
    etcd.run('e1');
    etcd.run('e2');
    await etcd.works();
    const reading = await store.read(group);
    expect(reading.type).toBe('found');
  });

  it('rivals on members that are killed and frozen leave no contradiction', async () => {
    const attempts: Attempt[] = [];
    let over = false;
    const writers = ['n1', 'n2', 'n3'].map((writer) =>
      rivalsWrite({
        ...{ store: open('rivals'), group, writer, writes: 100_000, attempts },
        ended: () => over,
      }),
    );
    const progress = async (more: number): Promise<void> => {
      const goal = swapped(attempts) + more;
      await until('rivals write', () => swapped(attempts) >= goal, { timeoutMs: 20_000 });
    };
    try {
      for (const member of ['e1', 'e2', 'e3'] as const) {
        await progress(20);
        etcd.freeze(member);
        await progress(20);
        etcd.thaw(member);
        await progress(5);
        await etcd.kill(member);
        await progress(20);
        etcd.run(member);
        await etcd.works();
      }
      await progress(20);
    } finally {
      over = true;
      await Promise.all(writers);
    }
    expect(brokenChain(attempts)).toBeUndefined();
  });
});

function swapped(attempts: readonly Attempt[]): number {
  return attempts.filter(({ outcome }) => outcome.type === 'swapped').length;
}
