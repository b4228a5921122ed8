/** Votes that follow the data, on a real cluster: members are lost one after the other, and disks. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
/** Silence that a person would notice; nothing in these stories may cause it. */
const GAP_MS = 2500;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({ app: ledgerApp });
});
afterEach(() => cluster.destroy());

async function voters(expected: readonly string[]): Promise<void> {
  const timeoutMs = TIMEOUT_MS;
  await until(
    `the votes are with ${expected.join(', ')}`,
    async () => (await cluster.group())?.voters.join() === expected.join(),
    { timeoutMs },
  );
}

async function nothingIsLost(): Promise<void> {
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
}

describe('votes follow the data', () => {
  it.each([
    ['the witness, then the other node', ['w1', 'n2']],
    ['the other node, then the witness', ['n2', 'w1']],
  ])('the owner goes on without %s', async (_what, order) => {
    expect((await cluster.settled()).owner).toBe('n1');
    await voters(['n1', 'n2', 'w1']);
    await cluster.client.mark();
    for (const name of order) {
      await cluster.lab.host(name).powerOff({ carrier: 'lost' });
      await voters(['n1']);
    }
    for (const name of order) await cluster.bringBack(name);
    await cluster.settled();
    await voters(['n1', 'n2', 'w1']);
    const { longestGapMs } = await cluster.client.report();
    expect(longestGapMs).toBeLessThan(GAP_MS);
    await nothingIsLost();
  });

  it('a witness that lost its disk is voted in anew, and counts from then on', async () => {
    await cluster.settled();
    await voters(['n1', 'n2', 'w1']);
    const witness = cluster.lab.host('w1');
    await witness.powerOff({ carrier: 'lost' });
    rmSync(join(witness.folder, 'state'), { recursive: true });
    mkdirSync(join(witness.folder, 'state'));
    await cluster.bringBack('w1');
    const changes = async (): Promise<number> =>
      (await cluster.events('n1', 200)).filter(({ kind }) => kind === 'voters-changed').length;
    const voted = async (): Promise<boolean> => (await changes()) > 0;
    await until('the witness is voted in', voted, { timeoutMs: TIMEOUT_MS });
    await voters(['n1', 'n2', 'w1']);
    await cluster.settled();
    await cluster.lab.host('n1').powerOff({ carrier: 'lost' });
    const taken = async (): Promise<boolean> => (await cluster.group())?.owner === 'n2';
    await until('n2 takes over', taken, { timeoutMs: TIMEOUT_MS });
    await cluster.bringBack('n1');
    await cluster.settled();
    await nothingIsLost();
  });
});
