/**
 * A rolling upgrade as docs/operating/upgrade.md tells it, on real processes under load: members of
 * two releases side by side at each step. And a release that nobody here can speak with.
 */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { CLUSTER_PROTOCOL } from '../../src/protocol/versions.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import type { Lab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';
import { FAR_FUTURE, FIRST, makeRelease, type ReleaseVersions, upgradeRelease } from './release.ts';

const TIMEOUT_MS = 30_000;
/** An upgrade moves the group once; that may be noticed, but not more. */
const GAP_MS = 2500;

let cluster: Cluster | undefined;

afterEach(() => {
  cluster?.destroy();
  cluster = undefined;
});

function folderOf(lab: Lab, name: string): string {
  return join(lab.folder, `release-${name}`);
}

async function startWith(
  versions: Readonly<Record<string, ReleaseVersions>>,
  timing?: readonly string[],
): Promise<Cluster> {
  const releases = (lab: Lab): ReadonlyMap<string, string> =>
    new Map(
      Object.entries(versions).map(([name, ranges]) => [
        name,
        makeRelease(folderOf(lab, name), ranges),
      ]),
    );
  cluster = await Cluster.start({ app: ledgerApp, releases, timing });
  return cluster;
}

const LAUNCHER = `for dir in /proc/[0-9]*; do
  if tr '\\0' ' ' < "$dir/cmdline" | grep -q 'src/cli/main[.]ts run '; then echo "\${dir#/proc/}"; fi
done`;

/** Ends Tako in order, as `systemctl stop tako` does. */
async function endTako(on: Cluster, name: string): Promise<void> {
  const host = on.lab.host(name);
  const find = name === 'w1' ? 'cut -d " " -f 1 /run/tako/witness.pid' : LAUNCHER;
  const pid = (await host.run(['sh', '-c', find])).stdout.trim();
  expect(pid).toMatch(/^[1-9][0-9]*$/u);
  await host.run(['sh', '-c', `kill -TERM ${pid}`]);
  const gone = async (): Promise<boolean> =>
    (await host.run(['sh', '-c', `! kill -0 ${pid}`], { allowFailure: true })).code === 0;
  await until(`Tako has ended on ${name}`, gone, { timeoutMs: TIMEOUT_MS });
}

async function upgrade(on: Cluster, name: string): Promise<void> {
  await endTako(on, name);
  upgradeRelease(folderOf(on.lab, name));
  on.startTako(name);
  await on.settled();
}

async function nothingIsLost(on: Cluster): Promise<void> {
  const { lost, duplicates, violations } = await on.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
}

describe('a rolling upgrade', () => {
  it('goes node by node, and the service is moved once', async () => {
    const all = await startWith({ n1: FIRST, n2: FIRST, w1: FIRST });
    await all.client.mark();
    await upgrade(all, 'n2');
    await upgrade(all, 'w1');
    expect((await all.tako('n1', 'move', ledgerApp.name, 'n2')).code).toBe(0);
    await all.settled();
    await upgrade(all, 'n1');
    expect((await all.settled()).owner).toBe('n2');
    const { longestGapMs } = await all.client.report();
    expect(longestGapMs).toBeLessThan(GAP_MS);
    await nothingIsLost(all);
  });

  it('restarts heart and control of the owner in place, and nothing moves', async () => {
    // So that a machine under load does not decide what is asked here.
    const all = await startWith({ n1: FIRST }, ['node-lost: 5s']);
    await all.client.mark();
    const { epoch, owner } = await all.settled();
    upgradeRelease(folderOf(all.lab, 'n1'));
    for (const daemon of ['control', 'heart']) {
      await all.killDaemon('n1', daemon);
      await all.settled();
    }
    expect(await all.settled()).toMatchObject({ epoch, owner });
    await nothingIsLost(all);
  });

  it('is refused where there is no version in common: the service goes on, and it says why', async () => {
    const all = await startWith({});
    const before = await all.settled();
    await endTako(all, 'n2');
    const future = makeRelease(folderOf(all.lab, 'n2'), FAR_FUTURE);
    const host = all.lab.host('n2');
    host
      .spawn(
        [
          future,
          'run',
          '--config',
          all.configFile,
          '--node',
          'n2',
          '--run-dir',
          '/run/tako',
        ].concat(['--state-dir', '/var/lib/tako']),
        { logFile: join(host.folder, 'future.log') },
      )
      .unref();
    const told = async (name: string): Promise<string | undefined> => {
      const events = await all.events(name, 200);
      return events.find((event) => event.kind === 'version-unsupported')?.text;
    };
    const options = { timeoutMs: TIMEOUT_MS };
    const here = await until('n1 says why', () => told('n1'), options);
    const mine = `1 to ${CLUSTER_PROTOCOL.newest}`;
    expect(must(here, 'told')).toContain(`n2 speaks 8 to 9, n1 speaks ${mine}; n1 is too old`);
    const there = await until('n2 says why', () => told('n2'), options);
    expect(must(there, 'told')).toContain('Upgrade Tako on n1');
    expect(await all.groupSeenBy('n1')).toMatchObject({ owner: before.owner, state: 'online' });
    await nothingIsLost(all);
  });
});
