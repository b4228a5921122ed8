/**
 * A real PostgreSQL 15 on a mirror, under load, through three power-offs of its machine: every
 * transaction whose commit the client saw is there, no page is damaged, both copies are the same.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePrograms } from '../../tools/setup.ts';
import { Cluster } from '../demo/cluster.ts';
import { DATA, PROGRAMS, postgresqlApp, runAsPostgres } from '../demo/postgresql-app.ts';
import { run } from '../hosts/exec.ts';
import { pause, until } from '../hosts/wait.ts';

const POWER_OFFS = 3;
const EFFECT_MS = 60_000;
/** Load between two power-offs, once both copies are equal. */
const LOAD_MS = 3000;
const GROUP = postgresqlApp.name;

const SUMS = `SELECT (SELECT sum(delta) FROM pgbench_history),
  (SELECT sum(abalance) FROM pgbench_accounts),
  (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches)`;

let cluster: Cluster;

beforeAll(async () => {
  await ensurePrograms('test', { only: ['postgres', 'pgbench', 'psql'] });
  if (!existsSync(`${PROGRAMS}/postgres`)) throw new Error('PostgreSQL 15 is not installed');
  cluster = await Cluster.start({ app: postgresqlApp });
});
afterAll(() => cluster.destroy());

/** A program of PostgreSQL, run as a client of the service. */
function asClient(program: string, ...words: readonly string[]): ReturnType<typeof run> {
  const argv = [`${PROGRAMS}/${program}`, '-h', cluster.address, '-U', 'postgres', ...words];
  return cluster.lab.host('client').run(argv, { timeoutMs: EFFECT_MS, allowFailure: true });
}

async function startLoad(): Promise<void> {
  const made = await asClient('pgbench', '--initialize', '--scale=2', '--quiet', 'postgres');
  expect(made.stderr).toContain('done in');
  const words = `-h ${cluster.address} -U postgres --client=2 --time=600 --no-vacuum postgres`;
  // pgbench ends when its connections do; the next one begins where the service is then.
  const forEver = `while :; do ${PROGRAMS}/pgbench ${words}; sleep 0.2; done`;
  cluster.lab.host('client').spawn(['sh', '-c', forEver], {
    logFile: join(cluster.lab.folder, 'pgbench.log'),
  });
}

async function powerOffOwner(): Promise<void> {
  const { owner } = await cluster.settled(EFFECT_MS);
  await pause(LOAD_MS);
  const instance = cluster.client.stats?.instance;
  await cluster.lab.host(owner ?? '').powerOff();
  await cluster.servedByOther(instance, EFFECT_MS);
  const audit = await cluster.client.audit();
  expect(audit).toMatchObject({ lost: 0, duplicates: 0, violations: [] });
  await cluster.bringBack(owner ?? '');
}

it('keeps every transaction that a client saw committed', async () => {
  await startLoad();
  for (let i = 0; i < POWER_OFFS; i += 1) await powerOffOwner();
  const { owner = '' } = await cluster.settled(EFFECT_MS);
  const audit = await cluster.client.audit();
  expect(audit).toMatchObject({ lost: 0, duplicates: 0, violations: [] });
  expect(audit.acknowledged).toBeGreaterThan(100);

  const check = await asClient('pg_amcheck', '--all', '--install-missing', '--heapallindexed');
  expect({ code: check.code, said: check.stdout + check.stderr }).toEqual({ code: 0, said: '' });
  // Each of pgbench's transactions changes three balances alike and notes it: half ones show.
  const sums = await asClient('psql', '-At', '-c', SUMS, 'postgres');
  const [history, ...balances] = sums.stdout.trim().split('|');
  expect(balances).toEqual([history, history, history]);
  await compareStopped(owner);
});

async function compareStopped(owner: string): Promise<void> {
  const stopped = await cluster.tako(owner, 'group', 'stop', GROUP);
  expect({ code: stopped.code, said: stopped.stderr }).toEqual({ code: 0, said: '' });
  await until(
    'nothing is mounted any more',
    async () =>
      !(await cluster.lab.host(owner).run(['cat', '/proc/mounts'])).stdout.includes('fuse.tako'),
    { timeoutMs: EFFECT_MS },
  );
  const [one, two] = cluster.nodes.map(({ folder }) => join(folder, 'srv'));
  const difference = await run(['diff', '-r', '--no-dereference', one ?? '', two ?? ''], {
    allowFailure: true,
    timeoutMs: EFFECT_MS,
  });
  expect({ code: difference.code, said: difference.stdout + difference.stderr }).toEqual({
    code: 0,
    said: '',
  });
  for (const host of cluster.nodes) {
    const sums = await runAsPostgres(host, [`${PROGRAMS}/pg_checksums`, '--check', '-D', DATA]);
    expect(sums.stdout).toMatch(/Bad checksums:\s+0\n/);
  }
}
