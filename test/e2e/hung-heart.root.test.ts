/** The heart of the owner hangs and everything else goes on: what it can't tell is looked up. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GroupStatus } from '../../src/protocol/api.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
/** It writes nothing: what waits for a copy can't be killed before it has its answer. */
const IDLE = '/bin/sleep 1000004';

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({
    app: ledgerApp,
    moreGroups: [
      'idle:',
      '  nodes: [n1, n2]',
      `  resources: { program: { agent: process, command: ${JSON.stringify(IDLE.split(' '))} } }`,
    ],
  });
});
afterEach(() => cluster.destroy());

async function idle(node: string): Promise<GroupStatus | undefined> {
  return (await cluster.status(node))?.groups.find(({ id }) => id === 'idle');
}

async function onlineOn(owner: string): Promise<void> {
  const seen = async (): Promise<boolean> => {
    const group = await idle(owner);
    return group?.owner === owner && group.state === 'online';
  };
  await until(`idle is online on ${owner}`, seen, { timeoutMs: TIMEOUT_MS });
}

async function processes(node: string): Promise<readonly string[]> {
  const script = `pgrep -x -f '${IDLE}' || true`;
  const { stdout } = await cluster.lab.host(node).run(['sh', '-c', script]);
  return stdout.split('\n').filter((line) => line !== '');
}

it('a program that dies meanwhile is not started without the lease', async () => {
  expect((await cluster.settled()).owner).toBe('n1');
  await onlineOn('n1');
  await cluster.hangDaemon('n1', 'heart');
  await onlineOn('n2');

  // Control of n1 has heard nothing: by what it knows it is the owner, and starts again what died.
  expect(await idle('n1')).toMatchObject({ owner: 'n1' });
  await cluster.lab.host('n1').run(['sh', '-c', `kill -KILL ${(await processes('n1')).join(' ')}`]);
  const withheld = async (): Promise<boolean> =>
    (await idle('n1'))?.resources.some(({ detail }) => detail.includes('lease has run out')) ===
    true;
  await until('n1 looks at its lease', withheld, { timeoutMs: TIMEOUT_MS });
  expect(await processes('n1')).toEqual([]);

  await cluster.wakeDaemon('n1', 'heart');
  const knows = async (): Promise<boolean> => (await idle('n1'))?.owner === 'n2';
  await until('n1 knows that n2 has it', knows, { timeoutMs: TIMEOUT_MS });
  expect([await processes('n1'), (await processes('n2')).length]).toEqual([[], 1]);
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
});
