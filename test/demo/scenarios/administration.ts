/** What an administrator does, and what runs full. */
import { pause, until } from '../../hosts/wait.ts';
import type { Cluster } from '../cluster.ts';
import type { Scenario } from '../scenario.ts';

const EFFECT_MS = 30_000;
const LOOK_MS = 3000;
/** Time for the one left over to get records that the other lacks. */
const ALONE_MS = 1000;

async function move(cluster: Cluster, to: string): Promise<string[]> {
  const said = await cluster.tako(to, 'move', cluster.app.name, to);
  return said.code === 0 ? [] : [`"tako move" failed: ${said.stderr.trim()}`];
}

function inSyncCount(cluster: Cluster): Promise<number | undefined> {
  return cluster.group().then((group) => Object.values(group?.inSync ?? {})[0]?.length);
}

/** The secondary loses power, misses records, comes back while the owner is off. */
async function staleTakeover(
  cluster: Cluster,
  start: { readonly owner: string; readonly other: string },
): Promise<readonly string[]> {
  const problems: string[] = [];
  await cluster.lab.host(start.other).powerOff();
  await until('the owner goes on alone', async () => (await inSyncCount(cluster)) === 1, {
    timeoutMs: EFFECT_MS,
  });
  await pause(ALONE_MS);
  await cluster.lab.host(start.owner).powerOff();
  await cluster.bringBack(start.other);
  await until('the stale node answers', () => cluster.status(start.other), {
    timeoutMs: EFFECT_MS,
  });
  await pause(LOOK_MS);
  const said = await cluster.tako(start.other, 'move', cluster.app.name, start.other);
  if (said.code === 0) problems.push('a stale copy took over');
  else if (!/behind|not in sync/u.test(said.stderr)) {
    problems.push(`the refusal does not say how far behind the copy is: ${said.stderr.trim()}`);
  }
  const seen = await cluster.groupSeenBy(start.other);
  if (seen?.state === 'online') problems.push('a stale copy is online');
  await cluster.bringBack(start.owner);
  return problems;
}

export const ADMINISTRATION_SCENARIOS: readonly Scenario[] = [
  {
    name: 'move',
    title: 'move to the other node',
    times: 2,
    owner: 'other',
    outageMs: 1500,
    run: (cluster, { other }) => move(cluster, other),
  },
  {
    name: 'disk-full',
    title: 'disk of the secondary full, then not',
    owner: 'same',
    outageMs: 2500,
    run: async (cluster, { other }) => {
      const host = cluster.lab.host(other);
      await host.fillDisk();
      await until('the full copy leaves', async () => (await inSyncCount(cluster)) === 1, {
        timeoutMs: EFFECT_MS,
      });
      await pause(LOOK_MS);
      await host.freeDisk();
      return [];
    },
  },
  {
    name: 'stale-copy',
    title: 'stale copy asked to take over, refused',
    owner: 'any',
    outageMs: 60_000,
    run: staleTakeover,
  },
];
