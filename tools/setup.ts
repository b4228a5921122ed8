/**
 * The programs of the system that Tako's commands need beside Node.js, and how to get them on
 * Debian. As root, what is missing is installed, saying what and why; otherwise the exact command
 * is printed.
 *
 *     npm run setup                 for everything
 *     npm run setup -- demo         for `npm run demo`
 *     npm run setup -- --list       the table
 *
 * From code: `await ensurePrograms('demo')` returns what is still missing.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand } from './lib/run-command.ts';

export const PURPOSES = ['check', 'test', 'demo', 'bench', 'soak'] as const;
export type Purpose = (typeof PURPOSES)[number];

export interface Program {
  readonly name: string;
  /** Debian's package. */
  readonly package: string;
  readonly why: string;
  readonly for: readonly Purpose[];
  /** Where to look besides PATH. */
  readonly folders?: readonly string[];
}

const LAB: readonly Purpose[] = ['test', 'demo', 'bench', 'soak'];
const POSTGRESQL_FOLDERS = ['/usr/lib/postgresql/15/bin'];

/** One row per program. */
export const PROGRAMS: readonly Program[] = [
  {
    name: 'ip',
    package: 'iproute2',
    why: 'makes the links of the test hosts',
    for: LAB,
  },
  {
    name: 'nft',
    package: 'nftables',
    why: 'cuts links of the test hosts so that neither end notices',
    for: LAB,
  },
  {
    name: 'unshare',
    package: 'util-linux',
    why: 'makes the namespaces that test hosts consist of',
    for: LAB,
  },
  {
    name: 'nsenter',
    package: 'util-linux',
    why: 'runs programs in test hosts',
    for: LAB,
  },
  {
    name: 'mount',
    package: 'mount',
    why: 'gives test hosts file systems of their own',
    for: LAB,
  },
  {
    name: 'losetup',
    package: 'mount',
    why: 'gives test hosts disks of limited size',
    for: LAB,
  },
  {
    name: 'mkfs.ext4',
    package: 'e2fsprogs',
    why: 'makes file systems on the disks of test hosts',
    for: LAB,
  },
  {
    name: 'ps',
    package: 'procps',
    why: 'looks at processes when a test fails',
    for: LAB,
  },
  {
    name: 'openssl',
    package: 'openssl',
    why: 'attacks the TLS of the nodes with foreign certificates',
    for: ['check', 'test'],
  },
  {
    name: 'etcd',
    package: 'etcd-server',
    why: 'holds records in the tests of the registry',
    for: ['test', 'soak'],
  },
  {
    name: 'sqlite3',
    package: 'sqlite3',
    why: 'runs on a mirror in the tests',
    for: ['test'],
  },
  {
    name: 'postgres',
    package: 'postgresql-15',
    why: 'runs on a mirror in the tests and in `npm run demo -- --app postgresql`',
    for: ['test', 'demo'],
    folders: POSTGRESQL_FOLDERS,
  },
  {
    name: 'pgbench',
    package: 'postgresql-15',
    why: 'puts load on PostgreSQL',
    for: ['test', 'demo'],
    folders: POSTGRESQL_FOLDERS,
  },
  {
    name: 'psql',
    package: 'postgresql-client-15',
    why: 'asks PostgreSQL',
    for: ['test', 'demo'],
    folders: POSTGRESQL_FOLDERS,
  },
  {
    name: 'keepalived',
    package: 'keepalived',
    why: 'is measured beside Tako',
    for: ['bench'],
  },
  {
    name: 'fio',
    package: 'fio',
    why: 'writes and reads files, as fast as they can be',
    for: ['bench'],
  },
  {
    name: 'stress-ng',
    package: 'stress-ng',
    why: 'keeps the processors busy during the soak',
    for: ['soak'],
  },
];

/** Debian's own folders come last: a root shell made by `su` may lack the sbin ones. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

export interface SetupOptions {
  /** Where to look; PATH and the system's folders unless told. */
  readonly folders?: readonly string[] | undefined;
  readonly isRoot?: boolean | undefined;
  readonly print?: ((line: string) => void) | undefined;
  /** Installs packages and returns whether it worked. */
  readonly install?: ((packages: readonly string[]) => Promise<boolean>) | undefined;
  /** Only these programs of the purpose, for a command that needs some of them at times. */
  readonly only?: readonly string[] | undefined;
}

/**
 * Makes sure that the programs for a purpose are there: installs what is missing when root, prints
 * the command otherwise. Returns what is missing still; empty means that all is well.
 */
export async function ensurePrograms(
  purpose: Purpose,
  options: SetupOptions = {},
): Promise<readonly Program[]> {
  const print = options.print ?? ((line: string) => console.log(line));
  const wanted = PROGRAMS.filter(
    (each) => each.for.includes(purpose) && (options.only?.includes(each.name) ?? true),
  );
  const missing = wanted.filter((each) => !isPresent(each, options.folders));
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((each) => each.package))];
  print(`Missing for "${purpose === 'test' ? 'npm test' : `npm run ${purpose}`}":`);
  for (const { name, package: from, why } of missing) print(`  ${name} (package ${from}): ${why}`);
  if (!(options.isRoot ?? process.getuid?.() === 0)) {
    print(`Next: install them as root with: apt-get install -y ${packages.join(' ')}`);
    return missing;
  }
  if (!existsSync('/usr/bin/apt-get') && options.install === undefined) {
    print(`Next: install what provides them; this system has no apt-get to do it with`);
    return missing;
  }
  print(`Installing ${packages.join(', ')} with apt-get`);
  const installed = await (options.install ?? aptInstall)(packages);
  const still = wanted.filter((each) => !isPresent(each, options.folders));
  if (!installed || still.length > 0) {
    print(`Cannot install ${packages.join(', ')}: apt-get did not bring them.`);
    print(`Next: find out why with: apt-get update && apt-get install ${packages.join(' ')}`);
  }
  return still;
}

function isPresent(program: Program, folders: readonly string[] | undefined): boolean {
  const path = folders ?? [...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_FOLDERS];
  return [...path, ...(folders === undefined ? (program.folders ?? []) : [])].some(
    (folder) => folder !== '' && existsSync(join(folder, program.name)),
  );
}

const APT_TIMEOUT_MS = 10 * 60_000;
const APT_ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };

/**
 * Debian makes and starts a database cluster when PostgreSQL is installed. Nobody asked for one:
 * this setting says so for as long as the installation runs.
 */
const NO_CLUSTER = '/etc/postgresql-common/createcluster.d/tako-setup.conf';

async function aptInstall(packages: readonly string[]): Promise<boolean> {
  const quiet = packages.some((name) => name.startsWith('postgresql'));
  if (quiet) {
    mkdirSync(dirname(NO_CLUSTER), { recursive: true });
    writeFileSync(NO_CLUSTER, 'create_main_cluster = false\n');
  }
  try {
    return (
      (await apt(['update', '-q'])) &&
      (await apt(['install', '-y', '-q', '--no-install-recommends', ...packages]))
    );
  } finally {
    if (quiet) rmSync(NO_CLUSTER, { force: true });
  }
}

/** Prints apt-get's words only when it failed: they are long, and mean little when all is well. */
async function apt(args: readonly string[]): Promise<boolean> {
  const result = await runCommand(['apt-get', ...args], {
    output: 'keep',
    environment: APT_ENVIRONMENT,
    timeoutMs: APT_TIMEOUT_MS,
  });
  if (result.code !== 0) process.stdout.write(result.output);
  return result.code === 0;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean', default: false } },
  });
  if (values.list) {
    for (const { name, package: from, why, for: purposes } of PROGRAMS) {
      console.log(`${name.padEnd(11)}${from.padEnd(22)}${purposes.join(', ')}: ${why}`);
    }
    return 0;
  }
  const unknown = positionals.filter((each) => !PURPOSES.some((purpose) => purpose === each));
  if (unknown.length > 0) {
    console.error(`Cannot set up "${unknown.join(', ')}": expected some of ${PURPOSES.join(', ')}`);
    return 2;
  }
  const purposes = PURPOSES.filter(
    (each) => positionals.length === 0 || positionals.includes(each),
  );
  let missing = 0;
  for (const purpose of purposes) missing += (await ensurePrograms(purpose)).length;
  if (missing === 0) console.log(`All programs for ${purposes.join(', ')} are there.`);
  return missing === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
