/** Programs that are killed: the protected one, and Tako's own. */
import { pause, until } from '../../hosts/wait.ts';
import type { Cluster } from '../cluster.ts';
import type { Scenario } from '../scenario.ts';

const RESTART_MS = 20_000;
const LOOK_MS = 3000;

async function killDaemon(cluster: Cluster, node: string, daemon: string): Promise<void> {
  await cluster.killDaemon(node, daemon);
  await pause(LOOK_MS);
}

export const PROGRAM_SCENARIOS: readonly Scenario[] = [
  {
    name: 'program-kill',
    title: 'program killed, restarted on the same node',
    owner: 'same',
    outageMs: 1500,
    run: async (cluster, { owner, instance }) => {
      await cluster.app.killProgram(cluster.lab, owner);
      await cluster.servedByOther(instance, RESTART_MS);
      return [];
    },
  },
  {
    name: 'control-kill',
    title: 'control of the owner killed',
    owner: 'same',
    outageMs: 500,
    run: async (cluster, { owner, instance }) => {
      await killDaemon(cluster, owner, 'control');
      await until('control answers again', () => cluster.status(owner), { timeoutMs: RESTART_MS });
      const served = cluster.client.stats?.instance;
      return served === instance ? [] : ['the program was restarted'];
    },
  },
  {
    name: 'control-kill-secondary',
    title: 'control of the secondary killed',
    owner: 'same',
    outageMs: 500,
    run: async (cluster, { other }) => {
      await killDaemon(cluster, other, 'control');
      return [];
    },
  },
  {
    name: 'heart-kill',
    title: 'heart of the owner killed',
    owner: 'any',
    outageMs: 4000,
    run: async (cluster, { owner }) => {
      await killDaemon(cluster, owner, 'heart');
      return [];
    },
  },
  {
    name: 'mirror-kill',
    title: 'mirror process of the owner killed',
    owner: 'any',
    outageMs: 5000,
    run: async (cluster, { owner }) => {
      await killDaemon(cluster, owner, `mirror-${cluster.app.name}.data`);
      return [];
    },
  },
  {
    name: 'mirror-kill-secondary',
    title: 'mirror process of the secondary killed',
    owner: 'same',
    outageMs: 2000,
    run: async (cluster, { other }) => {
      await killDaemon(cluster, other, `mirror-${cluster.app.name}.data`);
      return [];
    },
  },
];
