/**
 * A group is forced onto an outdated copy on real nodes: the loss is spelled out, and what was given
 * up stays on the former owner's disk until somebody moves it away.
 */
import { afterEach, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 30_000;
const DIGEST = 'cd /srv/ledger && find . -type f | sort | xargs sha256sum';

let cluster: Cluster | undefined;

afterEach(() => {
  cluster?.destroy();
  cluster = undefined;
});

async function digest(on: Cluster, name: string): Promise<string> {
  return (await on.lab.host(name).run(['sh', '-c', DIGEST])).stdout;
}

it('goes on with the outdated copy, and overwrites nothing', async () => {
  const all = await Cluster.start({ app: ledgerApp });
  cluster = all;
  const options = { timeoutMs: TIMEOUT_MS };
  const voters = async (): Promise<boolean> => (await all.group())?.voters.join() === 'n1';
  await all.lab.host('n2').powerOff({ carrier: 'lost' });
  await until('n1 alone decides', voters, options);
  await all.lab.host('n1').powerOff({ carrier: 'lost' });
  await all.bringBack('n2');
  const told = async (): Promise<boolean> =>
    (await all.events('n2', 100)).some(({ kind }) => kind === 'owner-unknown');
  await until('n2 says for whom it waits', told, options);

  const words = ['force', 'takeover', ledgerApp.name, '--off', 'n1'];
  const unasked = await all.tako('n2', ...words, '--accept-data-loss');
  expect(unasked).toMatchObject({ code: 1, stderr: expect.stringContaining('was not typed') });
  const careful = await all.tako('n2', 'force', 'voters', ledgerApp.name, '--off', 'n1', '--yes');
  expect(careful.stderr).toContain('--accept-data-loss');
  const forced = await all.tako('n2', ...words, '--accept-data-loss', '--yes');
  expect(forced.stderr).toBe('');
  expect(forced.stdout).toContain('Last known owner: n1, at epoch 1');
  expect(forced.stdout).toContain('n1 was not heard since Tako started here');
  const served = async (): Promise<boolean> => (await all.groupSeenBy('n2'))?.state === 'online';
  await until('n2 serves', served, options);

  await all.lab.host('n1').powerOn();
  const before = await digest(all, 'n1');
  all.startTako('n1');
  const kept = async (): Promise<string | undefined> => {
    const group = await all.groupSeenBy('n2');
    const mirror = group?.resources.find(({ id }) => id === 'data')?.mirror;
    const peer = mirror?.peers.find(({ node }) => node === 'n1');
    return peer?.state === 'failed' ? peer.detail : undefined;
  };
  expect(await until('the copy of n1 is kept', kept, options)).toContain('nobody else may have');
  expect(await digest(all, 'n1')).toBe(before);
  expect(await digest(all, 'n2')).not.toBe(before);
  // Its mirror is there before its control answers people.
  const known = async () => await all.groupSeenBy('n1');
  const seen = await until('control of n1 answers', known, options);
  expect(seen).toMatchObject({ owner: 'n2', epoch: 1_010_000 });
  const { lost } = await all.client.audit();
  expect(lost).toBeGreaterThan(0);
});
