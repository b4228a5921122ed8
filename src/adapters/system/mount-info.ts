/** /proc/self/mountinfo as a list (format: proc_pid_mountinfo(5)). */
import { readFileSync } from 'node:fs';

export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** The directory of the file system that is mounted; `/` for all of it. */
  readonly root: string;
  readonly path: string;
  /** Options of this mount, such as `ro` and `nosuid`. */
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** In the order in which they were mounted: of several on one path, the last one is on top. */
export function readMountInfo(): readonly MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** The mount that is on top at exactly this path. */
export function mountAt(path: string, mounts = readMountInfo()): MountEntry | undefined {
  return mounts.findLast((entry) => entry.path === path);
}

/** The mount on top at exactly this path, if it shows a directory of the file system below it. */
export function selfBindAt(path: string, mounts = readMountInfo()): MountEntry | undefined {
  const top = mountAt(path, mounts);
  const below = mounts.find(({ id }) => id === top?.parent);
  const same = top?.deviceMajor === below?.deviceMajor && top?.deviceMinor === below?.deviceMinor;
  return same ? top : undefined;
}

/** The mount that a path is on. */
export function mountOf(path: string, mounts = readMountInfo()): MountEntry | undefined {
  let best: MountEntry | undefined;
  for (const entry of mounts) {
    const isAbove = entry.path === '/' || entry.path === path || path.startsWith(`${entry.path}/`);
    if (isAbove && entry.path.length >= (best?.path.length ?? 0)) best = entry;
  }
  return best;
}

export function parseMountInfo(text: string): readonly MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const entry = parseLine(line);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

function parseLine(line: string): MountEntry | undefined {
  const words = line.split(' ');
  const [id, parent, device, root, path, options] = words;
  // A variable number of optional fields, then a hyphen, then three more.
  const [type, source, superOptions] = words.slice(words.indexOf('-', 6) + 1);
  if (root === undefined || path === undefined || superOptions === undefined) return undefined;
  const [major = '', minor = ''] = (device ?? '').split(':');
  return {
    id: Number(id),
    parent: Number(parent),
    deviceMajor: Number(major),
    deviceMinor: Number(minor),
    root: unescape(root),
    path: unescape(path),
    options: (options ?? '').split(','),
    type: type ?? '',
    source: unescape(source ?? ''),
    superOptions: superOptions.split(','),
  };
}

/** Blanks, tabs, line ends and backslashes are written as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
