/**
 * Compares two directory trees thoroughly: names, types, content, modes, owners, devices, link
 * targets, extended attributes, which names are one inode, and (if asked) modification times to the
 * nanosecond. Uses Node's own calls where it can, so that it shares little with what it checks.
 */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';

const DIFFERENCES_MAX = 20;

export interface CompareOptions {
  /** `all`: modification times of everything; `none`: of nothing. */
  readonly times: 'all' | 'none';
}

/** One line for each difference, at most 20; empty when the trees are equal. */
export function compareTrees(a: string, b: string, options: CompareOptions): readonly string[] {
  const left = describe(a, options);
  const right = describe(b, options);
  const differences: string[] = [];
  for (const path of new Set([...left.keys(), ...right.keys()])) {
    const [inA, inB] = [left.get(path), right.get(path)];
    const name = JSON.stringify(Buffer.from(path, 'latin1').toString());
    if (inA === undefined) differences.push(`${name} only in the second tree: ${inB}`);
    else if (inB === undefined) differences.push(`${name} only in the first tree: ${inA}`);
    else if (inA !== inB) differences.push(`${name}: ${inA} <> ${inB}`);
    if (differences.length >= DIFFERENCES_MAX) break;
  }
  return differences;
}

/** Every path with a text that says all that is compared. */
function describe(root: string, options: CompareOptions): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const firstNames = new Map<bigint, string>();
  const rootFd = openSync(root, 'r');
  const fs = new LinuxFileSystem();
  const visit = (path: string): void => {
    const full = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
    const stat = lstatSync(full, { bigint: true });
    const parts = [describeInode(full, stat), describeXattrs(fs, rootFd, path)];
    if (options.times === 'all') parts.push(`modified ${stat.mtimeNs}`);
    if (!stat.isDirectory() && stat.nlink > 1n) {
      const first = firstNames.get(stat.ino) ?? path;
      firstNames.set(stat.ino, first);
      parts.push(`one of ${stat.nlink} links, the first is ${JSON.stringify(first)}`);
    }
    found.set(path, parts.filter((part) => part !== '').join(', '));
    if (!stat.isDirectory()) return;
    const names = readdirSync(full, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    for (const name of names.toSorted()) visit(path === '' ? name : `${path}/${name}`);
  };
  try {
    visit('');
  } finally {
    closeSync(rootFd);
  }
  return found;
}

function describeInode(full: Buffer, stat: BigIntStats): string {
  const common = `mode ${stat.mode.toString(8)} owner ${stat.uid}:${stat.gid}`;
  if (stat.isSymbolicLink()) {
    return `${common} to ${readlinkSync(full, { encoding: 'buffer' }).toString('latin1')}`;
  }
  if (stat.isFile()) {
    const digest = createHash('sha256').update(readFileSync(full)).digest('hex').slice(0, 16);
    return `${common} size ${stat.size} content ${digest}`;
  }
  return stat.isDirectory() ? common : `${common} device ${stat.rdev}`;
}

function describeXattrs(fs: LinuxFileSystem, rootFd: number, path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const list = fs.listXattr(rootFd, bytes);
  if (typeof list === 'number') return `xattrs ${list}`;
  const names = Buffer.from(list)
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '');
  return names
    .toSorted()
    .map((name) => {
      const value = fs.getXattr(rootFd, bytes, Buffer.from(name, 'latin1'));
      return `${name}=${typeof value === 'number' ? value : brief(value)}`;
    })
    .join(' ');
}

function brief(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 8);
}
