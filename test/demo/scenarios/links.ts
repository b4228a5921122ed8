/** Links that are cut: pulled plugs, and, where it says so, packets that vanish without a sign. */
import { join, basename } from 'node:path';
import { readFileSync } from 'node:fs';
import { pause } from '../../hosts/wait.ts';
import { LedgerDriver } from '../../programs/ledger/driver.ts';
import type { Cluster } from '../cluster.ts';
import { ledgerApp, SERVICE_LOG } from '../ledger-app.ts';
import type { Scenario, ScenarioStart } from '../scenario.ts';

const TAKEOVER_MS = 20_000;
const LOOK_MS = 4000;

async function cutMirrorLink(
  cluster: Cluster,
  { owner }: ScenarioStart,
  how: 'unplug' | 'mute',
): Promise<readonly string[]> {
  const host = cluster.lab.host(owner);
  await host.cut('mirror', how);
  await pause(LOOK_MS);
  await host.mend('mirror');
  return [];
}

async function cutAll(
  cluster: Cluster,
  start: ScenarioStart,
  how: 'unplug' | 'mute',
): Promise<readonly string[]> {
  const host = cluster.lab.host(start.owner);
  const local = await localClient(cluster, start.owner);
  await Promise.all(host.links.map((link) => host.cut(link, how)));
  await cluster.servedByOther(start.instance, TAKEOVER_MS);
  await pause(LOOK_MS);
  await Promise.all(host.links.map((link) => host.mend(link)));
  await cluster.settled();
  const audit = await local?.audit(cluster.address);
  local?.stop();
  if (audit === undefined || audit.lost === 0) return [];
  return [`${audit.lost} records that a client on ${start.owner} was promised are lost`];
}

/**
 * A client beside the server, which no cut link keeps from it: what the old owner promises to it
 * counts as well. `serviceOverlaps` sees when.
 */
async function localClient(cluster: Cluster, node: string): Promise<LedgerDriver | undefined> {
  if (cluster.app !== ledgerApp) return undefined;
  const host = cluster.lab.host(node);
  const name = `at${node}${readFileSync(join(host.folder, 'log', basename(SERVICE_LOG))).length % 1000}`;
  const local = new LedgerDriver({ host, name, address: '127.0.0.1', port: cluster.app.port });
  await local.mark();
  return local;
}

export const LINK_SCENARIOS: readonly Scenario[] = [
  {
    name: 'mirror-link-cut',
    title: 'plug of the mirror link pulled',
    owner: 'same',
    outageMs: 1500,
    run: (cluster, start) => cutMirrorLink(cluster, start, 'unplug'),
  },
  {
    name: 'mirror-link-mute',
    title: 'mirror link loses every packet',
    owner: 'same',
    outageMs: 2500,
    run: (cluster, start) => cutMirrorLink(cluster, start, 'mute'),
  },
  {
    name: 'lan-cut',
    title: "plug of the owner's LAN pulled",
    owner: 'other',
    outageMs: 3000,
    run: async (cluster, { owner, instance }) => {
      await cluster.lab.host(owner).cut('lan', 'unplug');
      await cluster.servedByOther(instance, TAKEOVER_MS);
      await pause(LOOK_MS);
      await cluster.lab.host(owner).mend('lan');
      return [];
    },
  },
  {
    name: 'all-links-cut',
    title: 'all plugs of the owner pulled',
    owner: 'other',
    outageMs: 3000,
    run: (cluster, start) => cutAll(cluster, start, 'unplug'),
  },
  {
    name: 'all-links-mute',
    title: 'all links of the owner lose every packet',
    owner: 'other',
    outageMs: 4000,
    run: (cluster, start) => cutAll(cluster, start, 'mute'),
  },
];
