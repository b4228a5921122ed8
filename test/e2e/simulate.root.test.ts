/**
 * `tako simulate` on a real cluster, then what it spoke of, for real, and then `tako why --replay`: the
 * takeover decided once more from what the node recorded of it.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { must } from '../../src/base/assert.ts';
import type { Prediction } from '../../src/sim/what-if/what-if.ts';
import type { Replay } from '../../src/sim/why/replay.ts';
import { Cluster } from '../demo/cluster.ts';
import { SERVICE_LOG, ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

const TIMEOUT_MS = 180_000;
const TAKEOVER_MS = 30_000;

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

async function replayTakeover(node: string, lost: string): Promise<void> {
  const saved = join(cluster.lab.folder, 'case.ndjson.gz');
  const options = ['--replay', '--save', saved, '--json'];
  // What was decided last reaches the file a moment later.
  const again = await until(
    'the takeover is in the recording',
    async () => {
      rmSync(saved, { force: true });
      const { stdout } = await cluster.tako(node, 'why', 'ledger', ...options);
      const found = JSON.parse(stdout) as Replay;
      return JSON.stringify(found.steps).includes(`"online on ${node}`) ? found : undefined;
    },
    { timeoutMs: TAKEOVER_MS },
  );
  expect(again).toMatchObject({ node, differences: [], stepsRun: expect.any(Number) });
  expect(again.notRun).toBeUndefined();
  expect(again.effectsCompared).toBeGreaterThan(50);
  const told = again.steps.flatMap((step) => step.told).join('\n');
  expect(told).toContain(`${lost} is lost: silent on`);

  const text = gunzipSync(readFileSync(saved)).toString();
  for (const secret of [SERVICE_LOG, process.execPath, 'cluster.key'])
    expect(text).not.toContain(secret);
  const { stdout, code } = await cluster.tako('w1', 'why', 'ledger', '--from', saved);
  expect(code).toBe(0);
  expect(stdout).toContain('effects are those that were recorded');
}

it(
  'foretells who takes over, who cannot, and touches nothing; decides it once more',
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

    await replayTakeover(other, owner);

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
