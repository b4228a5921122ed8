/** `tako simulate` on a real cluster, and then what it spoke of, for real. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { must } from '../../src/base/assert.ts';
import type { Prediction } from '../../src/sim/what-if/what-if.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 60_000;
const TAKEOVER_MS = 10_000;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ app: ledgerApp });
}, TIMEOUT_MS);
afterAll(() => cluster.destroy());

async function simulate(node: string, ...words: readonly string[]): Promise<Prediction> {
  const options = ['--json', '--config', cluster.configFile];
  const answer = await cluster.tako(node, 'simulate', ...options, ...words);
  expect(answer.code, answer.stderr).toBe(0);
  return JSON.parse(answer.stdout) as Prediction;
}

it(
  'foretells who takes over, who cannot, and touches nothing',
  async () => {
    const before = await cluster.settled();
    const owner = must(before.owner, 'a settled group has an owner');
    const other = cluster.other(owner).name;
    const lost = await simulate(other, 'lose', owner, 'then', 'wait', '5s');
    expect(lost.differences).toEqual([]);
    expect(lost.steps[0]?.outcomes).toMatchObject([{ before: owner, after: other }]);
    expect(await cluster.settled()).toMatchObject({ owner, epoch: before.epoch });

    await cluster.lab.host(owner).powerOff();
    await until(
      'the other node serves',
      async () => {
        const group = (await cluster.status(other))?.groups[0];
        return group?.owner === other && group.state === 'online' ? group : undefined;
      },
      { timeoutMs: TAKEOVER_MS },
    );

    const away = await simulate(other, 'fail', 'ledger/service', '100', 'then', 'wait', '5s');
    expect(away.steps[0]?.outcomes[0]).toMatchObject({ before: other });

    // The votes have followed the data: without the owner nobody knows what is true.
    const saved = join(cluster.lab.folder, 'state.json');
    const { stdout } = await cluster.tako(other, 'status', '--json');
    writeFileSync(saved, stdout);
    const alone = await simulate('w1', '--state', saved, 'lose', other, 'then', 'return', owner);
    expect(alone.steps.map(({ outcomes }) => outcomes[0]?.after)).toEqual([undefined, undefined]);
    expect(alone.steps[1]?.outcomes[0]?.why).toContain(`votes of ${other}`);
  },
  TIMEOUT_MS,
);
