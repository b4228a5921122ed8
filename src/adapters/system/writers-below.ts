/**
 * Who writes into a directory past the file system that is mounted over it: processes that had a
 * file there open for writing before the mount, and keep it. From /proc (proc(5)); a process that
 * ends meanwhile is none.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { parseMountInfo } from './mount-info.ts';

export interface Writer {
  readonly pid: number;
  readonly program: string;
  readonly file: string;
}

/** Writers that are told at most. */
const WRITERS_MAX = 16;
/** O_ACCMODE; O_RDONLY is zero. */
const ACCESS_MODE = 0o3;

/** `isOver`: tells by its type whether a mount is the one that they ought to go through. */
export function writersBelow(path: string, isOver: (type: string) => boolean): readonly Writer[] {
  const writers: Writer[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    for (const file of filesOf(pid, path, isOver)) {
      writers.push({ pid, program: programOf(pid), file });
      if (writers.length >= WRITERS_MAX) return writers;
    }
  }
  return writers;
}

function filesOf(pid: number, path: string, isOver: (type: string) => boolean): readonly string[] {
  const files = new Set<string>();
  for (const fd of attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const file = attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    if (file === undefined || !file.startsWith(`${path}/`)) continue;
    const info = attempt(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
    const flags = Number.parseInt(/^flags:\s*(\d+)/mu.exec(info ?? '')?.[1] ?? '0', 8);
    if ((flags & ACCESS_MODE) === 0) continue;
    const mountId = Number(/^mnt_id:\s*(\d+)/mu.exec(info ?? '')?.[1]);
    if (!isOver(mountType(pid, mountId))) files.add(file);
  }
  return [...files];
}

/** As that process sees its mounts; empty for one that was detached. */
function mountType(pid: number, id: number): string {
  const text = attempt(() => readFileSync(`/proc/${pid}/mountinfo`, 'utf8')) ?? '';
  return parseMountInfo(text).find((entry) => entry.id === id)?.type ?? '';
}

function programOf(pid: number): string {
  return attempt(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()) ?? 'ended';
}

/** Undefined for a process, or a descriptor, that has just gone. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    // Gone meanwhile: it writes nothing any more.
    return undefined;
  }
}
