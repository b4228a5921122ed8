/** Hosts that lose power, and hosts that stand still. */
import { pause, until } from '../../hosts/wait.ts';
import type { Cluster } from '../cluster.ts';
import type { Scenario, ScenarioStart } from '../scenario.ts';

const TAKEOVER_MS = 20_000;
const FREEZE_SHORT_MS = 500;
const FREEZE_LONG_MS = 20_000;
/** How long a scenario in which nothing may happen looks on. */
const LOOK_MS = 3000;

async function powerOffOwner(
  cluster: Cluster,
  { owner, instance }: ScenarioStart,
  carrier: 'lost' | 'stays',
): Promise<readonly string[]> {
  await cluster.lab.host(owner).powerOff({ carrier });
  await cluster.servedByOther(instance, TAKEOVER_MS);
  await cluster.bringBack(owner);
  return [];
}

async function freezeOwner(cluster: Cluster, owner: string, ms: number): Promise<void> {
  const host = cluster.lab.host(owner);
  const startedAt = performance.now();
  await host.freeze();
  await pause(Math.max(0, ms - (performance.now() - startedAt)));
  host.thaw();
}

/** A client on the node itself, which no cut link keeps from its server. */
export const POWER_SCENARIOS: readonly Scenario[] = [
  {
    name: 'power-off',
    title: 'power-off of the owner, which comes back',
    times: 10,
    owner: 'other',
    outageMs: 2000,
    run: (cluster, start) => powerOffOwner(cluster, start, 'lost'),
  },
  {
    name: 'power-off-silent',
    title: 'power-off of the owner without any sign but silence',
    times: 10,
    owner: 'other',
    outageMs: 3000,
    run: (cluster, start) => powerOffOwner(cluster, start, 'stays'),
  },
  {
    name: 'freeze-short',
    title: 'owner frozen for 0.5 s',
    owner: 'same',
    outageMs: 1500,
    run: async (cluster, { owner }) => {
      await freezeOwner(cluster, owner, FREEZE_SHORT_MS);
      await pause(LOOK_MS);
      return [];
    },
  },
  {
    name: 'freeze-long',
    title: 'owner frozen for 20 s',
    owner: 'other',
    outageMs: 5000,
    run: async (cluster, { owner, instance }) => {
      await freezeOwner(cluster, owner, FREEZE_LONG_MS);
      const served = cluster.client.stats?.instance;
      return served === instance ? ['nobody took over while the owner was frozen'] : [];
    },
  },
  {
    name: 'witness-gone',
    title: 'power-off of the witness, which comes back',
    owner: 'same',
    outageMs: 500,
    run: async (cluster) => {
      await cluster.lab.host('w1').powerOff();
      await pause(LOOK_MS);
      await cluster.bringBack('w1');
      return [];
    },
  },
  {
    name: 'secondary-power-off',
    title: 'power-off of the secondary, which comes back',
    owner: 'same',
    outageMs: 2500,
    run: async (cluster, { other }) => {
      await cluster.lab.host(other).powerOff({ carrier: 'stays' });
      await until(
        'the owner goes on alone',
        async () => (await cluster.group())?.inSync['data' as never]?.length === 1,
        { timeoutMs: TAKEOVER_MS },
      );
      await pause(LOOK_MS);
      await cluster.bringBack(other);
      return [];
    },
  },
];
