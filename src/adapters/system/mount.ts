/**
 * mount(2) and umount2(2) as Tako needs them. Everything here can block for as long as the file
 * system concerned does: call it from a thread or process that nothing else waits for, unless it is
 * known to answer.
 */
import { constants as fs, existsSync, openSync, realpathSync, writeFileSync } from 'node:fs';
import { TakoError, messageOf } from '../../base/tako-error.ts';
import { errorName } from './errno.ts';
import { lastError, libc } from './libc.ts';
import { type MountEntry, mountAt, mountOf } from './mount-info.ts';

/** Mount flags (linux/mount.h). */
const MS_RDONLY = 0x1;
const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_REMOUNT = 0x20;
const MS_NOSYMFOLLOW = 0x100;
const MS_NOATIME = 0x400;
const MS_NODIRATIME = 0x800;
const MS_BIND = 0x1000;
const MS_RELATIME = 0x200000;
/** Mounts of former processes at one place to take away at most. */
const LEFT_MAX = 16;
const MNT_FORCE = 1;
const MNT_DETACH = 2;

/** Options of a mount that a remount must repeat, or it loses them. */
const FLAG_OF_OPTION: Readonly<Record<string, number>> = {
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: MS_NOEXEC,
  nosymfollow: MS_NOSYMFOLLOW,
  noatime: MS_NOATIME,
  nodiratime: MS_NODIRATIME,
  relatime: MS_RELATIME,
};

/** What mount tables show as the type of a mirror's file system. */
export const FUSE_TYPE = 'fuse.tako';

export interface FuseMount {
  /** An existing directory; what is in it is hidden, and stays reachable through descriptors. */
  readonly path: string;
  /** From {@link openFuseDevice}. */
  readonly deviceFd: number;
  /** What mount tables show as the source. */
  readonly name: string;
  /** Mount flags; without them, those of the file system that the directory is on. */
  readonly flags?: number | undefined;
}

/** A new connection to the kernel's FUSE, for {@link mountFuse}. Close it when the session is over. */
export function openFuseDevice(): number {
  try {
    return openSync('/dev/fuse', fs.O_RDWR | fs.O_NONBLOCK);
  } catch (cause) {
    throw new TakoError('system-call', `Cannot open /dev/fuse: ${messageOf(cause)}`, {
      next: 'Load the module with "modprobe fuse"; in a container, pass the device /dev/fuse to it',
      cause,
    });
  }
}

/**
 * Mounts a FUSE file system. Returns at once; the first user of the mount waits until the session
 * on `deviceFd` has answered INIT. The kernel checks permissions itself, for all users.
 */
export function mountFuse(mount: FuseMount): void {
  const data = [
    `fd=${mount.deviceFd}`,
    'rootmode=40000',
    'user_id=0',
    'group_id=0',
    'allow_other',
    'default_permissions',
  ].join(',');
  const failed = libc.mount(
    zeroEnded(mount.name),
    zeroEnded(mount.path),
    zeroEnded(FUSE_TYPE),
    mount.flags ?? flagsOf(mountOf(resolved(mount.path))),
    zeroEnded(data),
  );
  if (failed !== 0) throw callFailed(`Cannot mount a FUSE file system on "${mount.path}"`, 'mount');
}

export interface UnmountOptions {
  /** Detach it from the tree now, let go of it when its last user does. */
  readonly lazy?: boolean | undefined;
  /** For FUSE: abort the connection first; every request under way fails. */
  readonly force?: boolean | undefined;
}

/** Takes away the topmost mount at `path`. */
export function unmount(path: string, options: UnmountOptions = {}): void {
  const flags = (options.lazy === true ? MNT_DETACH : 0) | (options.force === true ? MNT_FORCE : 0);
  if (libc.umount2(zeroEnded(path), flags) === 0) return;
  throw callFailed(`Cannot unmount "${path}"`, 'umount2');
}

/** Mounts a directory over itself, read-only: what is reached by this path cannot be written. */
export function bindReadOnly(path: string): void {
  const target = zeroEnded(path);
  if (libc.mount(target, target, null, MS_BIND, null) !== 0) {
    throw callFailed(`Cannot bind-mount "${path}" over itself`, 'mount');
  }
  const flags = MS_REMOUNT | MS_BIND | MS_RDONLY | flagsOf(mountAt(resolved(path)));
  if (libc.mount(null, target, null, flags, null) === 0) return;
  const problem = callFailed(`Cannot make the bind mount on "${path}" read-only`, 'mount');
  unmount(path, { lazy: true });
  throw problem;
}

/**
 * Opens the directory that is mounted at `path`, writable even if that mount is read-only: through
 * a bind mount at `place`, an empty directory, that is gone again when this returns. The mount at
 * `path` stays as it is all the while.
 */
export function openWritable(path: string, place: string): number {
  const target = zeroEnded(place);
  // Left by a process that was killed in between.
  for (let i = 0; i < LEFT_MAX && mountAt(resolved(place)) !== undefined; i += 1) {
    unmount(place, { lazy: true });
  }
  if (libc.mount(zeroEnded(path), target, null, MS_BIND, null) !== 0) {
    throw callFailed(`Cannot bind-mount "${path}" on "${place}"`, 'mount');
  }
  try {
    const flags = MS_REMOUNT | MS_BIND | flagsOf(mountAt(resolved(place)));
    if (libc.mount(null, target, null, flags, null) !== 0) {
      throw callFailed(`Cannot make the bind mount on "${place}" writable`, 'mount');
    }
    return openSync(place, fs.O_RDONLY | fs.O_DIRECTORY);
  } finally {
    unmount(place, { lazy: true });
  }
}

/**
 * Ends a FUSE connection without anyone's help: every request under way and every later one fails,
 * the session's read answers ENODEV. The mount stays until {@link unmount}.
 * `deviceMinor` is that of the mount's entry in /proc/self/mountinfo.
 */
export function abortFuse(path: string, deviceMinor: number): void {
  const file = `/sys/fs/fuse/connections/${deviceMinor}/abort`;
  if (!existsSync(file)) return unmount(path, { force: true, lazy: true });
  try {
    writeFileSync(file, '1');
  } catch (cause) {
    throw new TakoError('system-call', `Cannot write "1" to "${file}": ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** What may not be done on a file system must not become possible by a mount over it. */
function flagsOf(entry: MountEntry | undefined): number {
  let flags = 0;
  for (const option of entry?.options ?? []) flags |= FLAG_OF_OPTION[option] ?? 0;
  return flags;
}

/** As the mount table shows it; as given when it cannot be resolved, for then mount(2) says why. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function callFailed(attempt: string, call: string): TakoError {
  const error = errorName(lastError());
  return new TakoError('system-call', `${attempt}: ${call} says ${error}`, {
    details: { call, error },
  });
}

function zeroEnded(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
