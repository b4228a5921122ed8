/** Clusters whose records are in a real etcd, on real hosts: three nodes, and two. */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';
import { ETCD_HOSTS, LabEtcd, registryLines } from '../registry/lab-etcd.ts';

const TIMEOUT_MS = 30_000;
/** Silence that a person would notice; nothing that leaves the owner alone may cause it. */
const GAP_MS = 2500;

let cluster: Cluster;
let etcd: LabEtcd | undefined;

afterEach(() => cluster.destroy());

async function start(names: readonly string[]): Promise<void> {
  const prepare: typeof ledgerApp.prepare = async (lab) => {
    await ledgerApp.prepare(lab);
    etcd = new LabEtcd(lab);
  };
  cluster = await Cluster.start({
    app: { ...ledgerApp, prepare },
    nodes: [...names, ...ETCD_HOSTS],
    clusterNodes: names.length,
    witness: false,
    mirrorLink: 'switched',
    registry: registryLines,
  });
  expect((await cluster.settled()).owner).toBe('n1');
}

/** Without power; who owns the group and serves then. */
async function losing(lost: string): Promise<string> {
  await cluster.lab.host(lost).powerOff();
  const name = await until(
    'a node that has power owns the group',
    async () => {
      const owner = (await cluster.group())?.owner;
      return owner === lost ? undefined : owner;
    },
    { timeoutMs: TIMEOUT_MS },
  );
  await serving();
  return name;
}

async function serving(): Promise<void> {
  const { acknowledged } = await cluster.client.report();
  const more = async (): Promise<boolean> =>
    (await cluster.client.report()).acknowledged > acknowledged;
  await until('the service acknowledges', more, { timeoutMs: TIMEOUT_MS });
}

async function wholeAgain(back: string): Promise<void> {
  await cluster.bringBack(back);
  await cluster.settled();
}

async function nothingIsLost(): Promise<void> {
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
}

async function risk(says: RegExp | undefined): Promise<void> {
  const as = async (): Promise<boolean> => {
    const decidedBy = (await cluster.status('n1'))?.decidedBy;
    if (decidedBy?.by !== 'etcd') return false;
    return says === undefined ? decidedBy.risk === undefined : says.test(decidedBy.risk ?? '');
  };
  await until(`the status says of etcd: ${says ?? 'nothing'}`, as, { timeoutMs: TIMEOUT_MS });
}

describe('three nodes and three members of etcd', () => {
  it('serve without the owner; without a majority of etcd nothing changes; then again', async () => {
    await start(['n1', 'n2', 'n3']);
    const owner = await losing('n1');
    expect(owner).toMatch(/^n[23]$/u);
    await wholeAgain('n1');

    await cluster.client.mark();
    const { epoch } = must(await cluster.group(), 'it runs');
    await etcd?.powerOff('e1', 'e2');
    await risk(/nothing fails over/u);
    await serving();
    expect(await cluster.group()).toMatchObject({ owner, epoch, state: 'online' });
    expect((await cluster.client.report()).longestGapMs).toBeLessThan(GAP_MS);

    await etcd?.bringBack('e1', 'e2');
    await risk(undefined);
    expect(await losing(owner)).not.toBe(owner);
    await wholeAgain(owner);
    await nothingIsLost();
  });
});

describe('two nodes and three members of etcd', () => {
  it('serve without the owner, and without the other one', async () => {
    await start(['n1', 'n2']);
    expect(await losing('n1')).toBe('n2');
    await wholeAgain('n1');
    await cluster.client.mark();
    expect(await losing('n1')).toBe('n2');
    expect((await cluster.client.report()).longestGapMs).toBeLessThan(2 * GAP_MS);
    await wholeAgain('n1');
    await nothingIsLost();
  });
});
