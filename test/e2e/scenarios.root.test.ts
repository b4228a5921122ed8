/**
 * The scenarios of `npm run demo -- --check`, each once: a real cluster of real processes on test
 * hosts, broken in every way that one can think of, with no acknowledged record lost.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { runScenario } from '../demo/scenario.ts';
import { SCENARIOS } from '../demo/scenarios/all.ts';

let cluster: Cluster;

async function start(): Promise<void> {
  cluster = await Cluster.start({ app: ledgerApp, disks: { n1: 512, n2: 512 } });
}

describe('a mirrored, watched ledger', () => {
  beforeAll(start);
  afterAll(() => cluster.destroy());

  it.each(SCENARIOS.map((scenario) => [scenario.title, scenario] as const))(
    '%s',
    async (_title, scenario) => {
      const { problems } = await runScenario(cluster, scenario, 1);
      if (problems.length === 0) return;
      const logs = cluster.keepLogs();
      // The next scenario must not suffer from what this one left.
      cluster.destroy();
      await start();
      expect({ problems, logs }).toEqual({ problems: [], logs });
    },
  );
});
