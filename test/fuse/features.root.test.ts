/** What random operations do not reach: one property of the mounted file system each. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterEach, expect, test } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { abortFuse, unmount } from '../../src/adapters/system/mount.ts';
import { mountAt } from '../../src/adapters/system/mount-info.ts';
import { type Mounted, mountPassthrough } from './mounted.ts';
import type { PassthroughReport } from './passthrough.ts';
import { replay } from './replay.ts';
import { describeTree } from './tree.ts';

const { O_CREAT, O_DSYNC, O_RDONLY, O_RDWR, O_SYNC } = fs.constants;
const O_PATH = 0o10000000;
const PAGE = 4096;
const NOBODY = 65_534;

let mounted: Mounted | undefined;

afterEach(async () => {
  await mounted?.remove();
  mounted = undefined;
});

/** Unmounts, and proves that the captured changes give the same tree. */
async function unmountAndReplay(on: Mounted): Promise<PassthroughReport> {
  const tree = describeTree(on.mount);
  const report = await on.unmount();
  expect(describeTree(on.mount)).toEqual(tree);
  expect(report.wrong).toEqual([]);
  expect(replay(on.record, on.start)).toEqual([]);
  expect(describeTree(on.start)).toEqual(tree);
  return report;
}

async function mount(prepare?: (directory: string) => void, parent?: string): Promise<Mounted> {
  mounted = await mountPassthrough({ record: true, check: true, prepare, parent });
  return mounted;
}

test('a write to a file opened with O_SYNC or O_DSYNC asks for a sync', async () => {
  const on = await mount();
  for (const flag of [O_SYNC, O_DSYNC]) {
    const fd = fs.openSync(join(on.mount, `file-${flag}`), O_RDWR | O_CREAT | flag);
    for (let i = 0; i < 5; i += 1) fs.writeSync(fd, 'record');
    fs.closeSync(fd);
  }
  const report = await unmountAndReplay(on);
  expect(report.changes['sync']).toBe(10);
  expect(report.syncs).toBe(10);
});

test('fsync of files and directories', async () => {
  const on = await mount();
  fs.mkdirSync(join(on.mount, 'directory'));
  for (const [path, flags] of [
    ['', O_RDONLY],
    ['directory', O_RDONLY],
    ['directory/file', O_RDWR | O_CREAT],
  ] as const) {
    const fd = fs.openSync(join(on.mount, path), flags);
    fs.fsyncSync(fd);
    fs.fdatasyncSync(fd);
    fs.closeSync(fd);
  }
  const report = await unmountAndReplay(on);
  expect(report.changes['sync']).toBe(6);
});

const library = koffi.load(null);
const mmap = library.func('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'int64_t']);
const msync = library.func('msync', 'int', ['void *', 'size_t', 'int']);
const munmap = library.func('munmap', 'int', ['void *', 'size_t']);
const memset = library.func('memset', 'void *', ['void *', 'int', 'size_t']);
const [PROT_READ_WRITE, MAP_SHARED, MS_SYNC] = [3, 1, 4];

test('a shared mapping, written after its file was closed and even unlinked', async () => {
  const on = await mount();
  const path = join(on.mount, 'mapped');
  fs.writeFileSync(path, Buffer.alloc(4 * PAGE));
  const fd = fs.openSync(path, O_RDWR);
  const at: unknown = mmap(null, 4 * PAGE, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  fs.closeSync(fd);
  memset(at, 0x41, 2 * PAGE);
  expect(msync(at, 4 * PAGE, MS_SYNC)).toBe(0);
  expect(fs.readFileSync(path).subarray(0, 2 * PAGE)).toEqual(Buffer.alloc(2 * PAGE, 0x41));
  memset(at, 0x42, PAGE);
  fs.linkSync(path, join(on.mount, 'kept'));
  fs.unlinkSync(path);
  expect(munmap(at, 4 * PAGE)).toBe(0);
  const report = await unmountAndReplay(on);
  expect(report.changes['sync']).toBe(1);
  expect(fs.readFileSync(join(on.mount, 'kept')).subarray(0, PAGE)).toEqual(
    Buffer.alloc(PAGE, 0x42),
  );
});

test('an unlinked file lives as long as it is open, and is not in the stream', async () => {
  const on = await mount();
  const path = join(on.mount, 'doomed');
  const fd = fs.openSync(path, O_RDWR | O_CREAT);
  fs.unlinkSync(path);
  fs.writeSync(fd, 'unseen', 0);
  fs.ftruncateSync(fd, 4);
  fs.fchmodSync(fd, 0o600);
  fs.futimesSync(fd, 10, 20);
  fs.fsyncSync(fd);
  const again = fs.openSync(`/proc/self/fd/${fd}`, O_RDWR);
  expect(fs.readFileSync(again, 'utf8')).toBe('unse');
  expect(fs.fstatSync(fd)).toMatchObject({ nlink: 0, size: 4, mode: 0o100600, mtimeMs: 20_000 });
  fs.closeSync(again);
  fs.closeSync(fd);
  const report = await unmountAndReplay(on);
  expect(report.changes).toEqual({ create: 1, unlink: 1 });
  expect(report.syncs).toBe(1);
});

test('what is held by O_PATH or as a working directory outlives its name', async () => {
  const on = await mount();
  fs.mkdirSync(join(on.mount, 'directory'));
  fs.writeFileSync(join(on.mount, 'file'), 'text');
  const file = fs.openSync(join(on.mount, 'file'), O_PATH);
  const directory = fs.openSync(join(on.mount, 'directory'), O_PATH);
  fs.unlinkSync(join(on.mount, 'file'));
  fs.rmdirSync(join(on.mount, 'directory'));
  expect(fs.fstatSync(file)).toMatchObject({ nlink: 0, size: 4 });
  expect(fs.fstatSync(directory).isDirectory()).toBe(true);
  expect(fs.readFileSync(`/proc/self/fd/${file}`, 'utf8')).toBe('text');
  expect(() => fs.writeFileSync(`/proc/self/fd/${directory}/new`, '')).toThrow('ENOENT');
  for (const fd of [file, directory]) fs.closeSync(fd);
  await unmountAndReplay(on);
});

test('a file whose known name goes away is captured under a name nobody looked up', async () => {
  const on = await mount((directory) => {
    fs.mkdirSync(join(directory, 'deep/deeper'), { recursive: true });
    fs.writeFileSync(join(directory, 'known'), 'start');
    fs.linkSync(join(directory, 'known'), join(directory, 'deep/deeper/unknown'));
  });
  // The copies were made file by file: they need the same link.
  fs.unlinkSync(join(on.start, 'deep/deeper/unknown'));
  fs.linkSync(join(on.start, 'known'), join(on.start, 'deep/deeper/unknown'));
  const fd = fs.openSync(join(on.mount, 'known'), O_RDWR);
  fs.unlinkSync(join(on.mount, 'known'));
  fs.writeSync(fd, 'after', 0);
  fs.fchmodSync(fd, 0o640);
  fs.renameSync(join(on.mount, 'deep/deeper'), join(on.mount, 'moved'));
  fs.writeSync(fd, 'more', 5);
  fs.closeSync(fd);
  expect(fs.readFileSync(join(on.mount, 'moved/unknown'), 'utf8')).toBe('aftermore');
  await unmountAndReplay(on);
});

test('a file that lives on outside of the mirror is no part of it any more', async () => {
  const on = await mount((directory) => {
    fs.writeFileSync(join(directory, 'file'), 'start');
    if (!fs.existsSync(join(directory, '../outside'))) {
      fs.linkSync(join(directory, 'file'), join(directory, '../outside'));
    }
  });
  const fd = fs.openSync(join(on.mount, 'file'), O_RDWR);
  fs.unlinkSync(join(on.mount, 'file'));
  for (let i = 0; i < 3; i += 1) fs.writeSync(fd, 'after', 0);
  fs.fsyncSync(fd);
  expect(() => fs.linkSync(`/proc/self/fd/${fd}`, join(on.mount, 'again'))).toThrow();
  fs.closeSync(fd);
  expect(fs.readFileSync(join(on.mount, '../outside'), 'utf8')).toBe('after');
  const report = await unmountAndReplay(on);
  expect(report.changes).toEqual({ unlink: 1 });
});

test('a directory of 5,000 entries, read while it changes', async () => {
  // In memory: making thousands of files can take long on a disk that others use too.
  const on = await mount(undefined, fs.existsSync('/dev/shm') ? '/dev/shm' : undefined);
  const names = Array.from({ length: 5000 }, (_, i) => `entry-${i}`);
  for (const name of names) fs.writeFileSync(join(on.mount, name), '');
  const directory = fs.opendirSync(on.mount, { bufferSize: 50 });
  const seen = new Set<string>();
  for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
    expect(seen.has(entry.name)).toBe(false);
    seen.add(entry.name);
    const other = `entry-${seen.size * 7}`;
    // It may be gone: the listing is as old as the reading of it.
    if (seen.size % 3 === 0) fs.rmSync(join(on.mount, entry.name), { force: true });
    else if (seen.size % 3 === 1) fs.writeFileSync(join(on.mount, `new-${seen.size}`), '');
    else fs.rmSync(join(on.mount, other), { force: true });
  }
  directory.closeSync();
  const removed = names.filter((name) => !seen.has(name));
  for (const name of removed) expect(fs.existsSync(join(on.mount, name))).toBe(false);
  expect(fs.readdirSync(on.mount).length).toBe(describeTree(on.mount).length - 1);
  spawnSync('rm', ['-rf', ...fs.readdirSync(on.mount).map((name) => join(on.mount, name))]);
  expect(fs.readdirSync(on.mount)).toEqual([]);
  await unmountAndReplay(on);
});

test('times are kept to the nanosecond, before 1970 too, and replayed', async () => {
  const on = await mount();
  const linux = new LinuxFileSystem();
  const path = Buffer.from('file');
  fs.writeFileSync(join(on.mount, 'file'), 'text');
  const root = fs.openSync(on.mount, O_RDONLY);
  const accessed = { seconds: -5, nanoseconds: 123_456_789 };
  const modified = { seconds: 4_400_000_000, nanoseconds: 999_999_999 };
  expect(linux.setTimes(root, path, accessed, modified)).toBe(0);
  fs.closeSync(root);
  const bytes = { bigint: true } as const;
  expect(fs.statSync(join(on.mount, 'file'), bytes)).toMatchObject({
    atimeNs: -4_876_543_211n,
    mtimeNs: 4_400_000_000_999_999_999n,
  });
  await unmountAndReplay(on);
  expect(fs.statSync(join(on.start, 'file'), bytes).mtimeNs).toBe(4_400_000_000_999_999_999n);
});

test('new files inherit default ACLs as on the store itself', async () => {
  // Version 2; user::rwx, user:65534:r-x, group::r-x, mask::r-x, other::--- (linux/posix_acl_xattr.h).
  const entries = [
    [0x01, 7, 0xffffffff],
    [0x02, 5, NOBODY],
    [0x04, 5, 0xffffffff],
    [0x10, 5, 0xffffffff],
    [0x20, 0, 0xffffffff],
  ] as const;
  const acl = Buffer.alloc(4 + entries.length * 8);
  acl.writeUInt32LE(2);
  for (const [i, [tag, permission, id]] of entries.entries()) {
    acl.writeUInt16LE(tag, 4 + i * 8);
    acl.writeUInt16LE(permission, 6 + i * 8);
    acl.writeUInt32LE(id, 8 + i * 8);
  }
  const on = await mount();
  const linux = new LinuxFileSystem();
  for (const side of [on.mount, on.plain]) {
    fs.mkdirSync(join(side, 'directory'));
    const root = fs.openSync(join(side, 'directory'), O_RDONLY);
    fs.writeFileSync(join(side, 'directory/before'), '');
    const none = Buffer.alloc(0);
    expect(linux.setXattr(root, none, Buffer.from('system.posix_acl_default'), acl, 0)).toBe(0);
    fs.writeFileSync(join(side, 'directory/file'), 'text', { mode: 0o666 });
    fs.mkdirSync(join(side, 'directory/below'));
    const key = Buffer.from('system.posix_acl_access');
    expect(linux.setXattr(root, Buffer.from('before'), key, acl, 0)).toBe(0);
    fs.closeSync(root);
    fs.chmodSync(side, 0o755);
    fs.chmodSync(join(side, 'directory'), 0o755);
  }
  expect(describeTree(on.mount)).toEqual(describeTree(on.plain));
  const nobody = { uid: NOBODY, gid: NOBODY };
  const reads = (path: string): number | null => spawnSync('cat', [path], nobody).status;
  expect(reads(join(on.mount, 'directory/file'))).toBe(0);
  const file = join(on.mount, 'directory/plain-mode');
  fs.writeFileSync(file, 'text', { mode: 0o600 });
  expect(reads(file)).toBe(1);
  await unmountAndReplay(on);
});

test('a store that is full says so, takes what fits, and serves on', async () => {
  const base = fs.mkdtempSync('/tmp/tako-fuse-small-');
  try {
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', base]);
    mounted = await mountPassthrough({ record: false, check: true, parent: base });
    const file = join(mounted.mount, 'file');
    expect(() => fs.writeFileSync(file, Buffer.alloc(3_000_000))).toThrow('ENOSPC');
    fs.truncateSync(file, 5);
    expect(fs.readFileSync(file)).toEqual(Buffer.alloc(5));
    const report = await mounted.unmount();
    expect(report.wrong).toEqual([]);
    await mounted.remove();
  } finally {
    spawnSync('umount', ['-l', base]);
    fs.rmdirSync(base);
  }
});

test('an aborted mount fails every call, and its session ends', async () => {
  const on = await mount();
  fs.writeFileSync(join(on.mount, 'file'), 'text');
  const fd = fs.openSync(join(on.mount, 'file'), O_RDWR);
  const entry = must(mountAt(on.mount), 'it is mounted');
  expect(entry).toMatchObject({ type: 'fuse.tako', source: 'passthrough', root: '/' });
  abortFuse(on.mount, entry.deviceMinor);
  expect(() => fs.writeSync(fd, 'late')).toThrow(/ENOTCONN|ECONNABORTED/);
  expect(() => fs.statSync(join(on.mount, 'other'))).toThrow(/ENOTCONN|ENOENT|ECONNABORTED/);
  fs.closeSync(fd);
  if (mountAt(on.mount) !== undefined) unmount(on.mount, { lazy: true });
  const report = await on.unmount();
  expect(report.changes['create']).toBe(1);
  expect(fs.readFileSync(join(on.mount, 'file'), 'utf8')).toBe('text');
});

test('what is mounted below a mirror is not part of it', async () => {
  const on = await mount((directory) => {
    fs.mkdirSync(join(directory, 'other'));
    spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', join(directory, 'other')]);
  });
  expect(() => fs.readdirSync(join(on.mount, 'other'))).toThrow('EXDEV');
  expect(() => fs.writeFileSync(join(on.mount, 'other/file'), '')).toThrow('EXDEV');
  expect(fs.readdirSync(on.mount)).toEqual(['other']);
  await on.unmount();
  expect(spawnSync('umount', [join(on.mount, 'other')]).status).toBe(0);
});

test('processes that write and rename at the same time', async () => {
  const on = await mount();
  const script = `
    for i in $(seq 1 60); do
      echo "$0 $i" >> "$1/log"; echo "$i" > "$1/$0.tmp"; mv "$1/$0.tmp" "$1/$0";
      mkdir -p "$1/d$((i % 3))"; mv "$1/d$((i % 3))" "$1/e$0$i" 2>/dev/null; cat "$1"/* >/dev/null 2>&1
      rm -rf "$1/e$0$i"
    done; exit 0`;
  const all = ['a', 'b', 'c', 'd'].map((name) => `sh -c '${script}' ${name} ${on.mount} &`);
  const run = spawnSync('sh', ['-c', `${all.join('\n')}\nwait`], { encoding: 'utf8' });
  expect(run.status).toBe(0);
  expect(fs.readFileSync(join(on.mount, 'log'), 'utf8').trim().split('\n')).toHaveLength(240);
  await unmountAndReplay(on);
});
