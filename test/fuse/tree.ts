/** A directory tree as data, to compare two of them: everything that a copy has to have. */
import { createHash } from 'node:crypto';
import { constants, closeSync, lstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { readlinkSync } from 'node:fs';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';

const fileSystem = new LinuxFileSystem();

/** One line per entry, sorted by path. Paths and names are shown byte by byte (latin1). */
export function describeTree(root: string): readonly string[] {
  const rootFd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  const lines: string[] = [];
  const firstNames = new Map<number, string>();
  const visit = (path: Buffer): void => {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const stat = lstatSync(full);
    const name = path.toString('latin1');
    const linked = firstNames.get(stat.ino) ?? name;
    firstNames.set(stat.ino, linked);
    const words = [
      JSON.stringify(name),
      stat.mode.toString(8),
      `${stat.uid}:${stat.gid}`,
      stat.isDirectory() ? '' : `links=${stat.nlink}`,
      linked === name ? '' : `same as ${JSON.stringify(linked)}`,
      stat.isFile() ? `${stat.size} ${digest(readFileSync(full))}` : '',
      stat.isSymbolicLink() ? readlinkSync(full, 'latin1') : '',
      stat.isCharacterDevice() || stat.isBlockDevice() ? `device=${stat.rdev}` : '',
      describeXattrs(rootFd, path),
    ];
    lines.push(words.filter((word) => word !== '').join(' '));
    if (!stat.isDirectory()) return;
    const names = readdirSync(full, { encoding: 'buffer' }).toSorted(Buffer.compare);
    for (const child of names) {
      visit(path.length === 0 ? child : Buffer.concat([path, Buffer.from('/'), child]));
    }
  };
  visit(Buffer.alloc(0));
  closeSync(rootFd);
  return lines;
}

function describeXattrs(rootFd: number, path: Uint8Array): string {
  const names = fileSystem.listXattr(rootFd, path);
  if (typeof names === 'number') return '';
  return Buffer.from(names)
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '')
    .toSorted()
    .map((name) => {
      const value = fileSystem.getXattr(rootFd, path, Buffer.from(name, 'latin1'));
      return `${name}=${typeof value === 'number' ? value : Buffer.from(value).toString('hex')}`;
    })
    .join(' ');
}

function digest(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 16);
}
