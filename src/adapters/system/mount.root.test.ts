import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TakoError } from '../../base/tako-error.ts';
import { bindReadOnly, mountFuse, openFuseDevice, unmount } from './mount.ts';
import { mountAt, mountOf, parseMountInfo } from './mount-info.ts';

let base = '';

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'tako mount-'));
  fs.writeFileSync(join(base, 'file'), 'text');
});

afterEach(() => {
  while (mountAt(base) !== undefined) spawnSync('umount', ['-l', base]);
  fs.rmSync(base, { recursive: true });
});

test('a read-only bind mount guards a directory, whose name has a blank', () => {
  bindReadOnly(base);
  expect(mountAt(base)).toMatchObject({ path: base });
  expect(mountAt(base)?.options).toContain('ro');
  expect(() => fs.writeFileSync(join(base, 'file'), '')).toThrow('EROFS');
  expect(fs.readFileSync(join(base, 'file'), 'utf8')).toBe('text');
  unmount(base);
  expect(mountAt(base)).toBeUndefined();
  fs.writeFileSync(join(base, 'file'), 'new');
});

test('an unmount that is refused says why', () => {
  let problem: unknown;
  try {
    unmount(base);
  } catch (error) {
    problem = error;
  }
  expect(problem).toBeInstanceOf(TakoError);
  expect(problem).toMatchObject({ code: 'system-call', details: { error: 'EINVAL' } });
  expect(String(problem)).toContain(`Cannot unmount "${base}": umount2 says EINVAL`);
});

test('a FUSE file system is mounted over a directory that is not empty', () => {
  const deviceFd = openFuseDevice();
  mountFuse({ path: base, deviceFd, name: 'tako:test' });
  expect(mountAt(base)).toMatchObject({ type: 'fuse.tako', source: 'tako:test' });
  expect(mountAt(base)?.superOptions).toContain('default_permissions');
  unmount(base, { force: true, lazy: true });
  fs.closeSync(deviceFd);
  expect(fs.readFileSync(join(base, 'file'), 'utf8')).toBe('text');
  expect(() => mountFuse({ path: join(base, 'none'), deviceFd, name: 'x' })).toThrow(
    'Cannot mount',
  );
});

test('a FUSE file system keeps the restrictions of the one below it', () => {
  const below = join(base, 'below');
  fs.mkdirSync(below);
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'nosuid,nodev,noexec', 'tmpfs', below]);
  fs.mkdirSync(join(below, 'data'));
  const deviceFd = openFuseDevice();
  mountFuse({ path: join(below, 'data'), deviceFd, name: 'tako:test' });
  const { options = [] } = mountAt(join(below, 'data')) ?? {};
  unmount(join(below, 'data'), { force: true, lazy: true });
  fs.closeSync(deviceFd);
  unmount(below);
  expect(options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec', 'rw']));
});

test('the mount that a path is on is the nearest above it', () => {
  const lines = ['/', '/srv', '/srv/data', '/srv'].map(
    (path, id) => `${id} 0 0:1 / ${path} rw - tmpfs none rw`,
  );
  const mounts = parseMountInfo(lines.join('\n'));
  const on = (path: string): number | undefined => mountOf(path, mounts)?.id;
  expect([on('/etc'), on('/srv'), on('/srv/x'), on('/srv/data/x'), on('/srvx')]).toEqual([
    ...[0, 3, 3, 2, 0],
  ]);
});

test('a line of the mount table is read, with or without optional fields', () => {
  const [first, second, ...rest] = parseMountInfo(
    [
      String.raw`36 35 98:0 /sub /mnt\040two rw,noatime master:1 shared:3 - ext3 /dev/r\011t rw,quota`,
      '37 35 0:44 / / ro - tmpfs none rw',
      'nonsense',
      '',
    ].join('\n'),
  );
  expect(first).toEqual({
    ...{ id: 36, parent: 35, deviceMajor: 98, deviceMinor: 0, root: '/sub', path: '/mnt two' },
    ...{ options: ['rw', 'noatime'], type: 'ext3', source: '/dev/r\tt' },
    superOptions: ['rw', 'quota'],
  });
  expect(second).toMatchObject({ id: 37, path: '/', options: ['ro'], type: 'tmpfs' });
  expect(rest).toEqual([]);
});
