/**
 * OPENDIR, READDIR, READDIRPLUS, RELEASEDIR.
 *
 * A directory is listed as a whole when it is read from its beginning, and the listing is kept until
 * it is closed or read from the beginning again: a position is an index into it, so that entries
 * neither repeat nor get lost while others come and go.
 */
import type { DirectoryEntry, Fd } from '../../ports/file-system.ts';
import { EBADF, ENOTDIR, ESTALE } from '../wire/errno.ts';
import {
  direntBytes,
  ENTRY_BYTES,
  putDirent,
  putEntry,
  putNoEntry,
  putOpenOut,
} from '../wire/encode.ts';
import { FOPEN_CACHE_DIR, FOPEN_KEEP_CACHE, O_RDONLY } from '../wire/flags.ts';
import { READ_IN, RELEASE_IN } from '../wire/layout.ts';
import type { Request } from '../wire/request.ts';
import { asciiBytes } from './bytes.ts';
import type { Outcome } from '../wire/handler.ts';
import type { Context } from './context.ts';
import type { FileNode } from './file-node.ts';

export interface OpenDirectory {
  readonly node: FileNode;
  readonly fd: Fd;
  /** Undefined until it is read. */
  entries: readonly DirectoryEntry[] | undefined;
}

const DT_DIR = 4;
/** `.` and `..` come first, before those of the store. */
const DOTS = [asciiBytes('.'), asciiBytes('..')] as const;

export function opendir(context: Context, request: Request): Outcome {
  const node = context.nodes.get(request.nodeId);
  if (node === undefined) return ESTALE;
  if (!node.isDirectory) return ENOTDIR;
  const fd = context.fs.open(context.at(node), context.where(node), O_RDONLY, 0);
  if (fd < 0) return fd;
  const handle = context.nextHandle();
  context.directories.set(handle, { node, fd, entries: undefined });
  node.opens += 1;
  return putOpenOut(context.reply, 0, handle, FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR);
}

export function releasedir(context: Context, request: Request): Outcome {
  if (!request.has(RELEASE_IN.bytes)) return 0;
  const handle = request.u64(RELEASE_IN.handle);
  const directory = context.directories.get(handle);
  if (directory === undefined) return 0;
  context.directories.delete(handle);
  context.fs.close(directory.fd);
  directory.node.opens -= 1;
  context.nodes.dropIfUnused(directory.node);
  return 0;
}

export function readdir(context: Context, request: Request): Outcome {
  return readEntries(context, request, false);
}

export function readdirplus(context: Context, request: Request): Outcome {
  return readEntries(context, request, true);
}

function readEntries(context: Context, request: Request, isPlus: boolean): Outcome {
  if (!request.has(READ_IN.bytes)) return EBADF;
  const directory = context.directories.get(request.u64(READ_IN.handle));
  if (directory === undefined) return EBADF;
  const offset = request.u64(READ_IN.offset);
  if (offset === 0 || directory.entries === undefined) {
    const entries = context.fs.list(directory.fd);
    if (typeof entries === 'number') return entries;
    directory.entries = entries;
  }
  const room = Math.min(request.u32(READ_IN.size), context.reply.room);
  const end = DOTS.length + directory.entries.length;
  let used = 0;
  for (let index = offset; index < end; index += 1) {
    const entry = entryAt(directory, directory.entries, index);
    const bytes = direntBytes(entry.name) + (isPlus ? ENTRY_BYTES : 0);
    if (used + bytes > room) break;
    if (isPlus) used += putNode(context, directory, { entry, at: used, isDot: index < 2 });
    const { ino, type, name } = entry;
    used += putDirent(context.reply, used, { ino, next: index + 1, type, name });
  }
  return used;
}

function entryAt(
  directory: OpenDirectory,
  entries: readonly DirectoryEntry[],
  index: number,
): DirectoryEntry {
  const { node } = directory;
  const dot = DOTS[index];
  const ino = index === 0 ? node.ino : (node.names[0]?.parent ?? node).ino;
  const entry = dot === undefined ? entries[index - DOTS.length] : { name: dot, ino, type: DT_DIR };
  return entry ?? { name: DOTS[0], ino, type: DT_DIR };
}

interface Placed {
  readonly entry: DirectoryEntry;
  readonly at: number;
  readonly isDot: boolean;
}

/** With READDIRPLUS each entry is looked up too. One that is gone by now is only named. */
function putNode(context: Context, directory: OpenDirectory, { entry, at, isDot }: Placed): number {
  const { stat, reply } = context;
  if (isDot || context.fs.stat(directory.fd, entry.name, stat) < 0) return putNoEntry(reply, at);
  if (stat.volume !== context.volume || directory.node.isOrphan) return putNoEntry(reply, at);
  const node = context.nodes.enter(directory.node, entry.name, stat);
  node.lookups += 1;
  return putEntry(reply, at, node.id, stat);
}
