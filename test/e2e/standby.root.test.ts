/** `tako standby` on a real cluster, under load: nothing is lost, nobody notices, nothing comes back. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
/** Of two planned switchovers, each. */
const GAP_MS = 2500;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({ app: ledgerApp });
});
afterEach(() => cluster.destroy());

async function says(level: string, text: string): Promise<void> {
  const seen = async (): Promise<boolean> => {
    const status = await cluster.status('n2');
    return status?.level === level && status.summary.toLowerCase().includes(text);
  };
  await until(`the status of n2 says ${text}`, seen, { timeoutMs: TIMEOUT_MS });
}

it('a node in standby loses its group, and takes nothing over until it is lifted', async () => {
  const { owner, id } = await cluster.settled();
  expect(owner).toBe('n1');
  await cluster.client.mark();
  // Asked at the other node, as a person may.
  const drained = await cluster.tako('n2', 'standby', 'n1');
  expect(drained.stdout).toContain(`"${id}" is online on n2`);
  expect(drained).toMatchObject({ code: 0 });
  await says('warning', 'node n1 is in standby');
  await says('warning', `nobody can take over group "${id}" from n2`);

  const refused = await cluster.tako('n2', 'move', id, 'n1');
  expect(refused.stderr).toContain('it is in standby');
  expect(refused.code).toBe(1);
  const { longestGapMs } = await cluster.client.report();
  expect(longestGapMs).toBeLessThan(GAP_MS);

  await cluster.lab.host('n2').powerOff({ carrier: 'lost' });
  const told = async (): Promise<boolean> =>
    (await cluster.events('n1', 50)).some(({ kind }) => kind === 'nobody-can-take-over');
  await until('n1 says that it takes nothing over', told, { timeoutMs: TIMEOUT_MS });
  expect((await cluster.tako('n1', 'unstandby', 'n1')).code).toBe(0);
  const taken = async (): Promise<boolean> => {
    const group = await cluster.group();
    return group?.owner === 'n1' && group.state === 'online';
  };
  await until('n1 takes over', taken, { timeoutMs: TIMEOUT_MS });
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
});
