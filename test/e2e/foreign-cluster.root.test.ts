/** A second cluster with another key on the same network: ignored, and no harm to the first. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { pause, until } from '../hosts/wait.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const LOOK_MS = 3000;

it('does not count for the votes, the leases or the service of the first', async () => {
  // x1 sits on the network of the cluster and claims to be its n1, with a key of its own.
  const cluster = await Cluster.start({
    app: ledgerApp,
    nodes: ['n1', 'n2', 'x1'],
    mirrorLink: 'switched',
  });
  try {
    const x1 = cluster.lab.host('x1');
    const own = cluster.lab.host('n1');
    const keyFile = join(cluster.lab.folder, 'foreign.key');
    const file = join(cluster.lab.folder, 'foreign.yaml');
    await x1.run([TAKO, 'key', 'new', keyFile]);
    const text = cluster.configText
      .replaceAll(own.address('lan').ipv4, x1.address('lan').ipv4)
      .replaceAll(own.address('mirror').ipv4, x1.address('mirror').ipv4)
      .replace(/^key-file: .*$/m, `key-file: ${keyFile}`);
    writeFileSync(file, text);
    await x1.run(['mkdir', '-p', '/srv/ledger']);
    const before = await cluster.settled();
    await cluster.client.mark();
    x1.spawn([TAKO, 'run', '--config', file, '--node', 'n1'], {
      logFile: join(x1.folder, 'tako.log'),
    });
    const seenByX1 = await until('the foreign cluster runs', () => cluster.status('x1'), {
      timeoutMs: 20_000,
    });
    await pause(LOOK_MS);
    const after = await cluster.settled();
    expect({ owner: after.owner, epoch: after.epoch }).toEqual({
      owner: before.owner,
      epoch: before.epoch,
    });
    expect(seenByX1.nodes.filter(({ id, state }) => id !== 'n1' && state === 'up')).toEqual([]);
    const foreign = await cluster.groupSeenBy('x1');
    expect(foreign?.state).not.toBe('online');
    expect((await cluster.client.report()).longestGapMs).toBeLessThan(1000);
    expect(await cluster.client.audit()).toMatchObject({ lost: 0, violations: [] });
  } finally {
    cluster.destroy();
  }
});
