/**
 * The directory of a mirror and what lies over it. The directory is opened beneath everything that
 * Tako puts there (guard, FUSE mount), and everything that Tako does goes through that descriptor.
 */
import { closeSync, fstatSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { sep } from 'node:path';
import { mountAt, readMountInfo } from '../adapters/system/mount-info.ts';
import { abortFuse, mountFuse, openFuseDevice, unmount } from '../adapters/system/mount.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { PathGuard } from '../ports/replica.ts';
import type { MirrorId } from '../protocol/ids.ts';

/** Dead mounts of former processes that are taken away at most. */
const STALE_MOUNTS_MAX = 16;

export interface DirectoryOptions {
  readonly path: string;
  /** Paths of the other mirrors of this node. */
  readonly otherPaths: readonly string[];
}

/**
 * Opens the directory after taking away what former processes left over it. Throws `mirror-path`
 * before anything is touched when the directory cannot be used.
 */
export function openDirectory(options: DirectoryOptions, guard: PathGuard, log: Log): number {
  const { path, otherPaths } = options;
  refuseNested(path, otherPaths);
  removeDeadMounts(path, log);
  refuseForeignMount(path);
  try {
    const real = realpathSync(path);
    if (real === path) return guard.open();
    throw unusable(path, `it leads to "${real}"`, `Write "${real}" as the path of the mirror`);
  } catch (error) {
    if (error instanceof TakoError) throw error;
    throw unusable(path, whyNotOpened(error), 'Create the directory, or correct "path"');
  }
}

/** Throws `mirror-path` when something that is not Tako's was mounted over the path meanwhile. */
export function checkDirectory(options: DirectoryOptions, rootFd: number): void {
  const { path } = options;
  refuseNested(path, options.otherPaths);
  refuseForeignMount(path);
  try {
    const [there, ours] = [statSync(path), fstatSync(rootFd)];
    if (there.dev === ours.dev && there.ino === ours.ino) return;
  } catch (error) {
    throw unusable(path, whyNotOpened(error));
  }
  throw unusable(path, 'another directory or file system has taken its place since Tako opened it');
}

function refuseNested(path: string, otherPaths: readonly string[]): void {
  const own = realOf(path);
  for (const other of otherPaths) {
    const theirs = realOf(other);
    if (own === theirs || isWithin(own, theirs) || isWithin(theirs, own)) {
      throw unusable(
        path,
        `it overlaps with the mirror at "${other}"`,
        'Choose separate directories',
      );
    }
  }
}

function refuseForeignMount(path: string): void {
  const mount = mountAt(path);
  if (mount === undefined || !mount.type.startsWith('fuse')) return;
  const what = `a file system of type ${mount.type} ("${mount.source}") is mounted over it`;
  throw unusable(path, what, `Unmount it with: umount "${path}"`);
}

function removeDeadMounts(path: string, log: Log): void {
  for (let i = 0; i < STALE_MOUNTS_MAX && isDead(path); i += 1) {
    log.warn('removing the dead mount of a former process', { path });
    unmount(path, { lazy: true });
  }
}

function isDead(path: string): boolean {
  if (readMountInfo().every((entry) => entry.path !== path)) return false;
  try {
    // Unlike the attributes of the root, the kernel never answers this from what it remembers.
    statfsSync(path);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOTCONN' || code === 'ECONNABORTED';
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Not there, or a dead mount: the name itself has to do.
    return path;
  }
}

function isWithin(inner: string, outer: string): boolean {
  return inner.startsWith(outer.endsWith(sep) ? outer : outer + sep);
}

function whyNotOpened(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it does not exist';
  if (code === 'ENOTDIR') return 'it is not a directory';
  return messageOf(error);
}

function unusable(path: string, why: string, next?: string): TakoError {
  return new TakoError('mirror-path', `Cannot use "${path}" for a mirror: ${why}`, { next });
}

export interface MirrorMount {
  readonly fuseFd: number;
  /** Ends the connection and takes the mount away; never throws. */
  abort(log: Log): void;
}

/** Mounts over the path. The mount answers once somebody serves the device. */
export function openMount(path: string, id: MirrorId): MirrorMount {
  const fuseFd = openFuseDevice();
  try {
    mountFuse({ path, deviceFd: fuseFd, name: `tako:${id}` });
  } catch (error) {
    closeSync(fuseFd);
    throw error;
  }
  const minor = mountAt(path)?.deviceMinor;
  return {
    fuseFd,
    abort: (log) => {
      const isThere = (): boolean => {
        const mine = mountAt(path);
        return mine?.deviceMinor === minor && mine?.source === `tako:${id}`;
      };
      if (minor === undefined || !isThere()) return;
      attempt(log, 'abort', () => abortFuse(path, minor));
      // Aborting takes the mount away already where the kernel has no other way.
      if (isThere()) attempt(log, 'unmount', () => unmount(path, { lazy: true }));
    },
  };
}

function attempt(log: Log, what: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    log.error('the mount did not end as it should', { what, error: messageOf(error) });
  }
}
