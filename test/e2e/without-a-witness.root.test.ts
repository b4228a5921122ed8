/**
 * Two real nodes without a witness: a person goes on by what `tako status` says, and fences turn the
 * other node off. Nothing that was acknowledged is lost by either.
 */
import { afterEach, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { PowerSwitch } from '../hosts/power-switch.ts';
import { until } from '../hosts/wait.ts';

const options = { timeoutMs: 40_000 };

let cluster: Cluster | undefined;
let power: PowerSwitch | undefined;

afterEach(async () => {
  await power?.close();
  power = undefined;
  cluster?.destroy();
  cluster = undefined;
});

async function servedBy(all: Cluster, node: string): Promise<void> {
  const online = async (): Promise<boolean> => {
    const group = await all.groupSeenBy(node);
    return group?.owner === node && group.state === 'online';
  };
  await until(`${node} serves`, online, options);
}

it('by hand: the status says what to do, and that does it', async () => {
  const all = await Cluster.start({ app: ledgerApp, witness: false });
  cluster = all;
  expect((await all.status('n2'))?.decidedBy).toMatchObject({ by: 'both-nodes' });
  await all.lab.host('n1').powerOff({ carrier: 'lost' });
  const told = async (): Promise<readonly string[] | undefined> =>
    (await all.groupSeenBy('n2'))?.byHand;
  const lines = await until('n2 says what to do', told, options);
  expect(lines[0]).toContain('waits for n1');
  expect((await all.tako('n2', 'status')).stdout).toContain(lines[2]?.trim());
  const [tako, ...words] = (lines[2] ?? '').trim().split(' ');
  expect(tako).toBe('tako');
  expect((await all.tako('n2', ...words, '--yes')).stderr).toBe('');
  await servedBy(all, 'n2');
  expect((await all.client.audit()).lost).toBe(0);
});

it('fence: whoever is left turns the other one off, and who boots cut off turns off nobody', async () => {
  const all = await Cluster.start({
    ...{ app: ledgerApp, witness: false },
    top: (lab) => [
      'without-witness: fence',
      'fence-delay: 3s',
      'fences:',
      ...['n1', 'n2'].map(
        (node) => `  ${node}: { command: [${PowerSwitch.command(lab, node).join(', ')}] }`,
      ),
    ],
  });
  cluster = all;
  const fences = new PowerSwitch(all.lab);
  power = fences;
  expect((await all.status('n1'))?.decidedBy).toMatchObject({ by: 'fence' });
  expect((await all.tako('n1', 'fence', 'test', 'n2')).stdout).toContain('n2 is on');

  // The owner dies. A fence that gives no clear answer is not taken for off.
  fences.broken = true;
  await all.lab.host('n1').powerOff({ carrier: 'lost' });
  const failed = async (): Promise<boolean> =>
    (await all.events('n2', 50)).some(({ kind }) => kind === 'fence-failed');
  await until('the fence has failed', failed, options);
  expect((await all.groupSeenBy('n2'))?.state).not.toBe('online');
  fences.broken = false;
  await servedBy(all, 'n2');
  expect(await all.groupSeenBy('n2')).toMatchObject({ epoch: 1_010_000, voters: ['n2'] });
  await all.bringBack('n1');
  await all.settled();
  const shared = async (): Promise<boolean> => (await all.groupSeenBy('n2'))?.voters?.length === 2;
  await until('both vote again', shared, options);

  // Both live and no link is left: the owner goes first.
  fences.asked.length = 0;
  for (const link of ['lan', 'mirror']) await all.lab.host('n1').cut(link, 'mute');
  await until('n1 is off', () => !all.lab.host('n1').powered, options);
  await servedBy(all, 'n2');
  await all.bringBack('n1');
  const waits = async (): Promise<boolean> =>
    (await all.events('n1', 50)).some(({ kind }) => kind === 'owner-unknown');
  await until('n1 waits for n2', waits, options);
  expect(fences.asked.filter((asked) => asked.endsWith('n2'))).toEqual([]);
  for (const link of ['lan', 'mirror']) await all.lab.host('n1').mend(link);
  await all.settled();
  expect((await all.client.audit()).lost).toBe(0);
});
