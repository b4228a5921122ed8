/**
 * Programs that ask much of a file system, run on the mount, with the capture proved by replay.
 * What is not installed is skipped, and said so.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { type Mounted, mountPassthrough } from './mounted.ts';
import { replay } from './replay.ts';
import { describeTree } from './tree.ts';

const POSTGRESQL = '/usr/lib/postgresql/15/bin';
/** They sync a lot, on a disk that others may use too. */
const LIMIT_MS = 240_000;

let mounted: Mounted | undefined;
/** Ends what a test has started on the mount. */
let end: (() => void) | undefined;

afterEach(async () => {
  end?.();
  end = undefined;
  await mounted?.remove();
  mounted = undefined;
});

async function mount(): Promise<Mounted> {
  mounted = await mountPassthrough({ record: true });
  return mounted;
}

async function unmountAndReplay(on: Mounted): Promise<void> {
  const tree = describeTree(on.mount);
  await on.unmount();
  expect(describeTree(on.mount)).toEqual(tree);
  expect(replay(on.record, on.start)).toEqual([]);
  expect(describeTree(on.start)).toEqual(tree);
}

const isMissing = (program: string): boolean => spawnSync(program, ['--version']).status !== 0;

const WRITER = `
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(process.argv[1]);
  database.exec('PRAGMA busy_timeout = 20000; PRAGMA synchronous = FULL');
  const insert = database.prepare('INSERT INTO ledger (who, number) VALUES (?, ?)');
  for (let i = 0; i < 100; i += 1) insert.run(process.argv[2], i);
  database.close();`;

test('SQLite in WAL mode, three processes at once', async () => {
  const on = await mount();
  const file = join(on.mount, 'ledger.db');
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 20000');
  database.exec('CREATE TABLE ledger (id INTEGER PRIMARY KEY, who TEXT, number INTEGER)');
  const writers = ['a', 'b', 'c'].map(
    (who) =>
      new Promise((resolve) => {
        const args = ['--no-warnings', '-e', WRITER, file, who];
        spawn(process.execPath, args, { stdio: 'inherit' }).on('close', resolve);
      }),
  );
  expect(await Promise.all(writers)).toEqual([0, 0, 0]);
  const count = database.prepare('SELECT count(*) AS n, sum(number) AS s FROM ledger').get();
  expect(count).toEqual({ n: 300, s: 3 * 4950 });
  expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  database.close();
  await unmountAndReplay(on);
  const copy = new DatabaseSync(join(on.start, 'ledger.db'));
  expect(copy.prepare('SELECT count(*) AS n FROM ledger').get()).toEqual({ n: 300 });
  expect(copy.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  copy.close();
});

test.skipIf(isMissing('git') || isMissing('tar'))(
  'git and tar',
  { timeout: LIMIT_MS },
  async () => {
    const on = await mount();
    const git = (...args: string[]): string =>
      execFileSync(
        'git',
        ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-C', on.mount, ...args],
        { encoding: 'utf8' },
      );
    git('init', '-q', '.');
    for (let i = 0; i < 200; i += 1) {
      fs.mkdirSync(join(on.mount, `d${i % 10}`), { recursive: true });
      fs.writeFileSync(join(on.mount, `d${i % 10}/f${i}`), `text ${i}\n`.repeat(i));
    }
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    git('mv', 'd1', 'moved');
    git('commit', '-q', '-m', 'second');
    git('gc', '-q');
    git('checkout', '-q', 'HEAD~1');
    expect(git('fsck', '--strict')).toBe('');
    expect(git('status', '--porcelain')).toBe('');
    const archive = join(on.mount, 'archive.tar');
    execFileSync('tar', ['-C', on.mount, '-cf', archive, 'd2', '.git']);
    fs.mkdirSync(join(on.mount, 'out'));
    execFileSync('tar', ['-C', join(on.mount, 'out'), '-xpf', archive]);
    execFileSync('diff', ['-r', join(on.mount, 'd2'), join(on.mount, 'out/d2')]);
    await unmountAndReplay(on);
  },
);

test.skipIf(isMissing(`${POSTGRESQL}/postgres`))(
  'PostgreSQL under pgbench',
  { timeout: LIMIT_MS },
  async () => {
    const on = await mount();
    const data = join(on.mount, 'data');
    fs.mkdirSync(data, { mode: 0o700 });
    execFileSync('chown', ['postgres', data]);
    const asPostgres = (program: string, ...args: string[]): string =>
      execFileSync(
        'setpriv',
        [
          '--reuid=postgres',
          '--regid=postgres',
          '--init-groups',
          join(POSTGRESQL, program),
          ...args,
        ],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', env: { LC_ALL: 'C' } },
      );
    asPostgres('initdb', '-D', data, '--no-sync', '--data-checksums', '-A', 'trust', '-E', 'UTF8');
    fs.appendFileSync(
      join(data, 'postgresql.conf'),
      `listen_addresses = ''\nunix_socket_directories = '${data}'\nshared_buffers = 16MB\n`,
    );
    const control = (...args: string[]): string =>
      asPostgres('pg_ctl', '-D', data, '-s', '-w', '-t', '60', ...args);
    control('-l', join(data, 'log'), 'start');
    const [postmaster] = fs.readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    end = () => void process.kill(Number(postmaster), 'SIGQUIT');
    asPostgres('pgbench', '-h', data, '-i', '-q', '-s', '2', 'postgres');
    const bench = asPostgres('pgbench', '-h', data, '-c', '4', '-j', '2', '-T', '5', 'postgres');
    expect(bench).toMatch(/number of failed transactions: 0 /);
    const sums = asPostgres(
      'psql',
      ...['-h', data, '-At', '-d', 'postgres', '-c'],
      'SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)',
    );
    expect(sums.trim()).toBe('t');
    control('-m', 'fast', 'stop');
    end = undefined;
    asPostgres('pg_checksums', '--check', '-D', data);
    await unmountAndReplay(on);
    asPostgres('pg_checksums', '--check', '-D', data);
  },
);
