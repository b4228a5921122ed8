/**
 * Finds a name for a file whose only known name was removed while other hard links remain that
 * nobody has looked up. Only when such a file is then changed through an open descriptor, which is
 * rare: it walks the whole tree.
 */
import { must } from '../../base/assert.ts';
import type { Path } from '../../protocol/change.ts';
import type { DirectoryEntry } from '../../ports/file-system.ts';
import { O_RDONLY, S_IFDIR, S_IFMT } from '../wire/flags.ts';
import { EMPTY, joinPath, splitPath } from './bytes.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';
import { newStat } from './stat.ts';

const DT_UNKNOWN = 0;
const DT_DIR = 4;

/** Undefined when there is none in the mirror; the node knows the name afterwards. */
export function findName(context: Context, node: FileNode): Path | undefined {
  if (node.isOrphan || node.isOutside || node.isDirectory) return undefined;
  const stat = newStat();
  if (context.fs.statFd(context.at(node), stat) < 0 || stat.nlink === 0) return undefined;
  context.log.debug('looking for another name of an open file', { ino: node.ino });
  const path = search(context, node.ino);
  node.isOutside = path === undefined;
  if (path === undefined) return undefined;
  return adopt(context, node, path) ? context.nodes.path(node) : undefined;
}

function search(context: Context, ino: number): Path | undefined {
  const directories: Path[] = [EMPTY];
  for (let at = directories.pop(); at !== undefined; at = directories.pop()) {
    for (const entry of entriesOf(context, at)) {
      const path = joinPath(at, entry.name);
      if (isDirectory(context, path, entry)) directories.push(path);
      if (entry.ino === ino && entry.type !== DT_DIR) return path;
    }
  }
  return undefined;
}

function isDirectory(context: Context, path: Path, entry: DirectoryEntry): boolean {
  if (entry.type !== DT_UNKNOWN) return entry.type === DT_DIR;
  const stat = newStat();
  return context.fs.stat(context.root, path, stat) === 0 && (stat.mode & S_IFMT) === S_IFDIR;
}

/** None where it cannot be read: then there is no name to be found there. */
function entriesOf(context: Context, path: Path): readonly DirectoryEntry[] {
  const fd = context.fs.open(context.root, path, O_RDONLY, 0);
  if (fd < 0) return [];
  const entries = context.fs.list(fd);
  context.fs.close(fd);
  return typeof entries === 'number' ? [] : entries;
}

/** Enters the name, and nodes for the directories on the way. */
function adopt(context: Context, node: FileNode, path: Path): boolean {
  const names = splitPath(path);
  const last = must(names.at(-1), 'a file that was found has a name');
  const stat = newStat();
  let parent = context.nodes.root;
  let at: Path = EMPTY;
  for (const name of names.slice(0, -1)) {
    at = joinPath(at, name);
    if (context.fs.stat(context.root, at, stat) < 0) {
      context.nodes.dropIfUnused(parent);
      return false;
    }
    parent = context.nodes.enter(parent, name, stat);
  }
  context.nodes.addName(node, parent, last);
  return true;
}
