/** PostgreSQL in a directory that is measured, at the settings of Debian's package, under pgbench. */
import type { Host } from '../../test/hosts/host.ts';
import { DATA_USER, PROGRAMS, runAsPostgres } from '../../test/demo/postgresql-app.ts';
import { until } from '../../test/hosts/wait.ts';

const SCALE = 10;
const SECONDS = 5;
const CLIENTS = 4;
const START_MS = 30_000;
const PORT = 5433;
const ADDRESS = ['-h', '127.0.0.1', '-p', String(PORT)];

/** Undefined where files do not belong to whoever makes them, which PostgreSQL insists on. */
export async function transactionsPerSecond(
  host: Host,
  directory: string,
): Promise<number | undefined> {
  const data = `${directory}/pg`;
  await host.run(['install', '-d', '-o', DATA_USER, '-g', DATA_USER, '-m', '700', data]);
  if (!(await ownsWhatItMakes(host, data))) return undefined;
  const how = ['--auth=trust', '--no-sync', '--locale=C.UTF-8'];
  await runAsPostgres(host, [`${PROGRAMS}/initdb`, '-D', data, '-U', 'postgres', ...how]);
  const options = `-h 127.0.0.1 -p ${PORT} -c unix_socket_directories=`;
  const control = [`${PROGRAMS}/pg_ctl`, '-D', data, '--silent', '--wait'];
  await runAsPostgres(host, [...control, '-o', options, '-l', `${data}/log`, 'start']);
  try {
    await until('PostgreSQL answers', () => answers(host), { timeoutMs: START_MS });
    const client = [`${PROGRAMS}/pgbench`, ...ADDRESS, '-U', 'postgres'];
    await runAsPostgres(host, [...client, '--initialize', '--quiet', `--scale=${SCALE}`]);
    const load = [`--client=${CLIENTS}`, '--jobs=2', `--time=${SECONDS}`, '--no-vacuum'];
    const { stdout } = await runAsPostgres(host, [...client, ...load]);
    const told = /^tps = ([\d.]+)/mu.exec(stdout)?.[1];
    if (told === undefined) throw new Error(`pgbench told of no rate: ${stdout}`);
    return Number(told);
  } finally {
    await runAsPostgres(host, [...control, '--mode=fast', 'stop']);
  }
}

async function ownsWhatItMakes(host: Host, data: string): Promise<boolean> {
  const probe = `${data}/probe`;
  const made = await host.run(
    ['setpriv', `--reuid=${DATA_USER}`, `--regid=${DATA_USER}`, '--clear-groups', 'touch', probe],
    { allowFailure: true },
  );
  if (made.code !== 0) return false;
  const { stdout } = await host.run(['stat', '--format=%U', probe]);
  await host.run(['rm', probe]);
  return stdout.trim() === DATA_USER;
}

async function answers(host: Host): Promise<true | undefined> {
  const words = [`${PROGRAMS}/pg_isready`, ...ADDRESS];
  return (await host.run(words, { allowFailure: true })).code === 0 || undefined;
}
