/** Clusters whose nodes decide among themselves, on real hosts: three of them, and five. */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
/** Silence that a person would notice; nothing that leaves the owner alone may cause it. */
const GAP_MS = 2500;

let cluster: Cluster;

afterEach(() => cluster.destroy());

async function start(names: readonly string[]): Promise<void> {
  cluster = await Cluster.start({
    app: ledgerApp,
    nodes: names,
    clusterNodes: names.length,
    witness: false,
    mirrorLink: 'switched',
  });
  expect((await cluster.settled()).owner).toBe('n1');
}

/** Without power; who owns the group then. */
async function losing(lost: readonly string[]): Promise<string> {
  await Promise.all(lost.map((name) => cluster.lab.host(name).powerOff()));
  const name = await until(
    'a node that has power owns the group',
    async () => {
      const owner = (await cluster.group())?.owner;
      return owner === undefined || lost.includes(owner) ? undefined : owner;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  const { acknowledged } = await cluster.client.report();
  const serving = async (): Promise<boolean> =>
    (await cluster.client.report()).acknowledged > acknowledged;
  await until('the service acknowledges', serving, { timeoutMs: TIMEOUT_MS });
  return name;
}

async function wholeAgain(back: readonly string[]): Promise<void> {
  for (const name of back) await cluster.bringBack(name);
  await cluster.settled();
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
}

describe('three nodes without a witness', () => {
  it('serve without the owner, and without another one', async () => {
    await start(['n1', 'n2', 'n3']);
    const owner = await losing(['n1']);
    await wholeAgain(['n1']);
    const other = cluster.nodes.find(({ name }) => name !== owner && name !== 'n1');
    await cluster.client.mark();
    const name = must(other, 'there are three nodes').name;
    expect(await losing([name])).toBe(owner);
    expect((await cluster.client.report()).longestGapMs).toBeLessThan(GAP_MS);
    await wholeAgain([name]);
  });
});

describe('five nodes', () => {
  it('serve without two of them, the owner among these', async () => {
    await start(['n1', 'n2', 'n3', 'n4', 'n5']);
    expect(await losing(['n1', 'n4'])).toMatch(/^n[23]$/u);
    await wholeAgain(['n1', 'n4']);
  });
});
