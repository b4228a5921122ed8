/**
 * Applies recorded changes to a copy of the state that they started from. The copy must then be
 * equal to what the changes were captured from: that is the proof that the capture is complete.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { assert } from '../../src/base/assert.ts';
import { decodeChange } from '../../src/protocol/change-codec.ts';
import type { Change } from '../../src/protocol/change.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { clearOwnUmask } from '../../src/adapters/system/own-umask.ts';

const PERMISSION_BITS = 0o7777;
const S_IFMT = 0o170000;

/** Applies the changes in `record` below `directory`; what could not be applied, in words. */
export function replay(record: string, directory: string): readonly string[] {
  clearOwnUmask();
  const root = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const fs = new LinuxFileSystem();
  const failures: string[] = [];
  for (const change of readRecord(record)) {
    const failed = apply(fs, root, change);
    if (failed < 0) {
      failures.push(`${change.type} ${Buffer.from(change.path).toString('latin1')}: ${failed}`);
    }
  }
  closeSync(root);
  return failures;
}

function* readRecord(record: string): Generator<Change> {
  const bytes = readFileSync(record);
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    const decoded = decodeChange(bytes.subarray(at + 4, at + 4 + length));
    assert(decoded.ok, 'what was recorded can be read');
    yield decoded.value;
    at += 4 + length;
  }
}

function apply(fs: LinuxFileSystem, root: number, change: Change): number {
  const { path } = change;
  switch (change.type) {
    case 'write':
      return onFile(fs, root, path, (fd) =>
        fs.write(fd, change.data, change.offset) === change.data.length ? 0 : -5,
      );
    case 'truncate':
      return onFile(fs, root, path, (fd) => fs.truncateFd(fd, change.size));
    case 'allocate':
      return onFile(fs, root, path, (fd) =>
        fs.allocate(fd, change.mode, change.offset, change.length),
      );
    case 'create':
      return first(
        () => fs.mknod(root, path, change.mode & (S_IFMT | PERMISSION_BITS), change.device),
        () => fs.chown(root, path, change.uid, change.gid),
        () => fs.chmod(root, path, change.mode & PERMISSION_BITS),
      );
    case 'mkdir':
      return first(
        () => fs.mkdir(root, path, change.mode),
        () => fs.chown(root, path, change.uid, change.gid),
        () => fs.chmod(root, path, change.mode),
      );
    case 'symlink':
      return first(
        () => fs.symlink(root, path, change.target),
        () => fs.chown(root, path, change.uid, change.gid),
      );
    case 'link':
      return fs.link(root, change.existing, path);
    case 'unlink':
      return fs.unlink(root, path);
    case 'rmdir':
      return fs.rmdir(root, path);
    case 'rename':
      return fs.rename(root, change.from, path, change.flags);
    case 'attributes':
      return applyAttributes(fs, root, change);
    case 'setxattr':
      return fs.setXattr(root, path, change.name, change.value, change.flags);
    case 'removexattr':
      return fs.removeXattr(root, path, change.name);
    case 'sync':
      return 0;
  }
}

function applyAttributes(
  fs: LinuxFileSystem,
  root: number,
  change: Extract<Change, { type: 'attributes' }>,
): number {
  const { path, mode, uid, gid, accessed, modified } = change;
  return first(
    () => (uid === undefined && gid === undefined ? 0 : fs.chown(root, path, uid, gid)),
    () => (mode === undefined ? 0 : fs.chmod(root, path, mode)),
    () => fs.setTimes(root, path, accessed, modified),
  );
}

/** The first failure, or 0. */
function first(...steps: readonly (() => number)[]): number {
  for (const step of steps) {
    const outcome = step();
    if (outcome < 0) return outcome;
  }
  return 0;
}

function onFile(
  fs: LinuxFileSystem,
  root: number,
  path: Uint8Array,
  use: (fd: number) => number,
): number {
  const fd = fs.open(root, path, constants.O_WRONLY, 0);
  if (fd < 0) return fd;
  const outcome = use(fd);
  fs.close(fd);
  return outcome;
}
