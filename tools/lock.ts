/**
 * `npm run lock`: makes `package-lock.json` usable everywhere, after `npm install` changed it.
 *
 * - `resolved` goes: it names the registry that this machine happened to use.
 * - `engines` goes: `npm ci` judges it by the Node.js that runs npm, not by the one that Tako pins.
 *   On a system with an old Node.js it would warn about most packages and, worse, silently leave
 *   out the optional ones, among them the native parts of the linter and the test runner.
 * - Native parts for other systems that the registry could not give (a mirror may lack them) get an
 *   entry without a checksum: newer versions of `npm ci` want one for each optional dependency.
 *
 * What each package is stays fixed by its version and its checksum. A test compares the file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './lib/paths.ts';

interface Lock {
  readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

type Entry = Readonly<Record<string, unknown>>;

const DROPPED: readonly string[] = ['resolved', 'engines'];
/** As in the names of native packages: SYSTEM-PROCESSOR, then the C library or the compiler. */
const SYSTEMS: readonly string[] = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'openharmony',
  'win32',
];
const PROCESSORS: readonly string[] = ['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/** The same lock file, without what depends on the machine. */
export function portableLock(text: string): string {
  const lock = JSON.parse(text) as Lock;
  const packages = Object.entries(lock.packages).map(([path, entry]) => [
    path,
    path === '' ? entry : withoutDropped(entry),
  ]);
  const found = Object.fromEntries(packages) as Lock['packages'];
  const all = Object.entries({ ...found, ...foreignParts(found) });
  const sorted = all.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  const portable = { ...lock, packages: Object.fromEntries(sorted) as Lock['packages'] };
  return `${JSON.stringify(portable, undefined, 2)}\n`;
}

/** Entries for the optional dependencies that the lock file does not have. */
function foreignParts(packages: Lock['packages']): Record<string, Entry> {
  const missing: Record<string, Entry> = {};
  for (const entry of Object.values(packages)) {
    for (const [name, version] of Object.entries(entry['optionalDependencies'] ?? {})) {
      const path = `node_modules/${name}`;
      const system = systemOf(name);
      if (packages[path] === undefined && system !== undefined) {
        missing[path] = { version, ...system, optional: true };
      }
    }
  }
  return missing;
}

/** Undefined when the name does not tell for which system the package is. */
export function systemOf(name: string): Entry | undefined {
  const words = name.split(/[-/]/u);
  const at = words.findIndex((word) => SYSTEMS.includes(word));
  const [os, cpu = ''] = words.slice(Math.max(at, 0));
  if (at < 0 || !PROCESSORS.includes(cpu)) return undefined;
  const libc = words.includes('musl') || words.includes('musleabihf') ? ['musl'] : ['glibc'];
  return { cpu: [cpu], ...(os === 'linux' ? { libc } : {}), os: [os] };
}

function withoutDropped(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !DROPPED.includes(key)));
}

function main(): void {
  const file = join(ROOT, 'package-lock.json');
  writeFileSync(file, portableLock(readFileSync(file, 'utf8')));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
