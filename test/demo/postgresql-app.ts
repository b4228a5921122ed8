/** A real PostgreSQL 15 as a protected service: its data directory is on the mirror. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../src/base/assert.ts';
import type { Host } from '../hosts/host.ts';
import type { Lab } from '../hosts/lab.ts';
import { LedgerDriver } from '../programs/ledger/driver.ts';
import { LEDGER_SQL } from '../programs/postgresql/sql-service.ts';
import type { App } from './app.ts';

const PORT = 5432;
export const PROGRAMS = '/usr/lib/postgresql/15/bin';
const MIRROR = '/srv/postgresql';
export const DATA = `${MIRROR}/data`;
export const DATA_USER = 'postgres';
const AS_POSTGRES = [
  'setpriv',
  `--reuid=${DATA_USER}`,
  `--regid=${DATA_USER}`,
  '--init-groups',
  '--',
];
const INITDB_TIMEOUT_MS = 120_000;
/** Commits are durable, as by default; the rest keeps a test machine small. */
const SETTINGS = [
  "listen_addresses = '*'",
  `port = ${PORT}`,
  "unix_socket_directories = ''",
  'max_connections = 40',
  "shared_buffers = '32MB'",
  "max_wal_size = '128MB'",
  "checkpoint_timeout = '30s'",
];
const ACCESS = ['host all all all trust'];

/** Runs a program as the database's user in a host. */
export function runAsPostgres(host: Host, argv: readonly string[]): ReturnType<Host['run']> {
  return host.run([...AS_POSTGRES, ...argv], { timeoutMs: INITDB_TIMEOUT_MS });
}

export const postgresqlApp: App = {
  name: 'postgresql',
  records: 'transactions',
  port: PORT,
  startMs: 3000,
  service: () => [
    'agent: process',
    `command: [${PROGRAMS}/postgres, -D, ${DATA}]`,
    'user: postgres',
    `directory: ${MIRROR}`,
    // Ends at once with a checkpoint; clients are cut off.
    'stop-signal: SIGINT',
    `ready-port: ${PORT}`,
  ],
  prepare,
  killProgram: async (lab, node) => {
    // The first line of this file is the number of the postmaster.
    const pid = (await lab.host(node).run(['head', '-n1', `${DATA}/postmaster.pid`])).stdout.trim();
    await lab.host(node).run(['kill', '-KILL', pid]);
  },
  connect: (lab, address) =>
    new LedgerDriver({
      host: lab.host('client'),
      name: 'client',
      address,
      port: PORT,
      kind: 'sql',
    }),
};

/** Makes the database on the first node, before there is any mirror; the other gets a copy. */
async function prepare(lab: Lab): Promise<void> {
  const nodes = lab.hosts.filter(({ links }) => links.includes('mirror'));
  for (const host of nodes) {
    await host.run(['install', '-d', '-o', 'postgres', '-g', 'postgres', '-m', '700', MIRROR]);
  }
  const first = must(nodes[0], 'a lab has two nodes');
  const options = ['--data-checksums', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8'];
  await runAsPostgres(first, [`${PROGRAMS}/initdb`, '-D', DATA, '-U', 'postgres', ...options]);
  writeFileSync(first.pathOf(`${DATA}/postgresql.auto.conf`), `${SETTINGS.join('\n')}\n`);
  writeFileSync(first.pathOf(`${DATA}/pg_hba.conf`), `${ACCESS.join('\n')}\n`);
  const script = join(first.folder, 'tmp', 'ledger.sql');
  // In single-user mode a statement ends at an empty line.
  writeFileSync(script, `${LEDGER_SQL.replaceAll('\n', '\n\n')}\n\n`);
  const single = `${PROGRAMS}/postgres --single -j -D ${DATA} postgres < /tmp/ledger.sql`;
  await runAsPostgres(first, ['sh', '-c', single]);
}
