/** `tako mirror verify` on a real cluster under load: an equal copy, a spoilt one, and its way back. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TakoEvent } from '../../src/protocol/event.ts';
import type { ResourceId } from '../../src/protocol/ids.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
const DATA = 'data' as ResourceId;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({ app: ledgerApp });
});
afterEach(() => cluster.destroy());

async function eventsOf(kind: string): Promise<readonly TakoEvent[]> {
  return (await cluster.events('n1', 100)).filter((event) => event.kind === kind);
}

async function copiesInSync(): Promise<number> {
  return (await cluster.group())?.inSync[DATA]?.length ?? 0;
}

it('an equal copy is found equal, a spoilt one is named, taken out and mended', async () => {
  const { owner, id } = await cluster.settled();
  expect(owner).toBe('n1');
  // Asked at the other node, as a person may.
  const begun = await cluster.tako('n2', 'mirror', 'verify', id, '--rate', '200');
  expect(begun).toMatchObject({ code: 0 });
  expect(begun.stdout).toContain('the copies of "data" on n2 with that of n1');
  await until('n1 tells the end', async () => (await eventsOf('verified')).length === 1, {
    timeoutMs: TIMEOUT_MS,
  });
  expect((await cluster.tako('n1', 'group', 'show', id)).stdout).toContain('last verification: ');

  // Below the guard, which a bind mount of the directory above does not bring along.
  const spoil =
    'mkdir /mnt/below && mount --bind /srv /mnt/below && ' +
    'printf X | dd of=/mnt/below/ledger/ledger bs=1 seek=3 conv=notrunc status=none; ' +
    'umount /mnt/below && rmdir /mnt/below';
  await cluster.lab.host('n2').run(['sh', '-c', spoil]);
  expect((await cluster.tako('n1', 'mirror', 'verify', id, '--rate', '200')).code).toBe(0);
  const told = async (): Promise<boolean> =>
    (await eventsOf('copy-lost')).some(({ text }) => text.includes('content of "ledger"'));
  await until('n1 tells what differs', told, { timeoutMs: TIMEOUT_MS });
  await until('the copy is back', async () => (await copiesInSync()) === 2, {
    timeoutMs: TIMEOUT_MS,
  });
  expect((await cluster.tako('n1', 'mirror', 'verify', id, '--rate', '200')).code).toBe(0);
  await until('it is equal again', async () => (await eventsOf('verified')).length === 2, {
    timeoutMs: TIMEOUT_MS,
  });
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
});
