/** `tako maintenance` on a real cluster: nothing is done by itself, and everything when it ends. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({ app: ledgerApp });
});
afterEach(() => cluster.destroy());

async function told(node: string, kind: string): Promise<void> {
  const seen = async (): Promise<boolean> =>
    (await cluster.events(node, 50)).some((event) => event.kind === kind);
  await until(`${node} says ${kind}`, seen, { timeoutMs: TIMEOUT_MS });
}

async function onlineOn(node: string): Promise<void> {
  const seen = async (): Promise<boolean> => {
    const group = await cluster.group();
    return group?.owner === node && group.state === 'online';
  };
  await until(`the group is online on ${node}`, seen, { timeoutMs: TIMEOUT_MS });
}

it('a program killed in maintenance stays down until it ends, a reboot starts nothing', async () => {
  const { owner, id } = await cluster.settled();
  expect(owner).toBe('n1');
  const words = ['maintenance', 'on', '--group', id, '--reason', 'a test', '--yes'];
  const on = await cluster.tako('n2', ...words);
  expect(on).toMatchObject({ code: 0 });
  expect(on.stdout).toContain('nobody takes over');
  await told('n1', 'left-alone');

  await cluster.app.killProgram(cluster.lab, 'n1');
  await told('n1', 'resource-failed');
  const failed = async (): Promise<boolean> => (await cluster.group())?.state === 'failed';
  await until('the status says that it failed', failed, { timeoutMs: TIMEOUT_MS });
  const status = await cluster.status('n2');
  expect(status).toMatchObject({ level: 'error' });
  expect(status?.summary).toContain('is in maintenance since');
  expect((await cluster.events('n1', 50)).map(({ kind }) => kind)).not.toContain('failover');

  const off = await cluster.tako('n2', 'maintenance', 'off', '--group', id, '--yes');
  expect(off.stdout).toContain('is recovered');
  expect(off).toMatchObject({ code: 0 });
  await onlineOn('n1');

  expect((await cluster.tako('n1', 'maintenance', 'on', '--node', 'n1', '--yes')).code).toBe(0);
  await cluster.lab.host('n1').powerOff({ carrier: 'lost' });
  await told('n2', 'left-alone');
  await cluster.bringBack('n1');
  await told('n1', 'left-alone');
  expect((await cluster.group())?.state).not.toBe('online');
  expect((await cluster.tako('n2', 'maintenance', 'off', '--node', 'n1', '--yes')).code).toBe(0);
  await onlineOn('n1');
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
});
