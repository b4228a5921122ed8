import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileStat, VolumeStat } from '../../ports/file-system.ts';
import { errorName } from './errno.ts';
import { LinuxFileSystem } from './file-system.ts';

const [ENOENT, EBADF, EEXIST, EXDEV, EINVAL, ENAMETOOLONG, ELOOP] = [
  -2, -9, -17, -18, -22, -36, -40,
];
const O_PATH = 0o10000000;
const NONE = Buffer.alloc(0);

const linux = new LinuxFileSystem();
let base = '';
let root = -1;

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'tako-system-'));
  fs.mkdirSync(join(base, 'root/deep/deeper'), { recursive: true });
  fs.writeFileSync(join(base, 'outside'), 'secret');
  fs.writeFileSync(join(base, 'root/deep/file'), 'text');
  root = fs.openSync(join(base, 'root'), fs.constants.O_RDONLY);
});

afterEach(() => {
  fs.closeSync(root);
  fs.rmSync(base, { recursive: true });
});

function emptyStat(): FileStat {
  const time = { seconds: 0, nanoseconds: 0 };
  return {
    ...{ ino: 0, mode: 0, nlink: 0, uid: 0, gid: 0, device: 0, size: 0, blocks: 0, blockSize: 0 },
    ...{ accessed: { ...time }, modified: { ...time }, changed: { ...time } },
  };
}

const path = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('paths stay below their directory', () => {
  test.for([
    ['../outside', EXDEV],
    ['deep/../../outside', EXDEV],
    ['/etc/passwd', EXDEV],
    ['escape', ELOOP],
    ['way/outside', ELOOP],
    ['..', EXDEV],
  ] as const)('open of %s is refused', ([name, error]) => {
    fs.symlinkSync(join(base, 'outside'), join(base, 'root/escape'));
    fs.symlinkSync(base, join(base, 'root/way'));
    expect(linux.open(root, path(name), fs.constants.O_RDONLY, 0)).toBe(error);
  });

  test('changes through a link to the outside are refused', () => {
    fs.symlinkSync(base, join(base, 'root/way'));
    expect(linux.unlink(root, path('way/outside'))).toBe(ELOOP);
    expect(linux.rename(root, path('deep/file'), path('way/file'), 0)).toBe(ELOOP);
    expect(linux.link(root, path('way/outside'), path('mine'))).toBe(ELOOP);
    expect(linux.chmod(root, path('way/outside'), 0o777)).toBe(ELOOP);
    expect(linux.mkdir(root, path('../new'), 0o755)).toBe(EXDEV);
    expect(linux.mkdir(root, path('deep/..'), 0o755)).toBe(EINVAL);
    expect(linux.rmdir(root, path('deep/.'))).toBe(EINVAL);
    expect(linux.unlink(root, path('deep/'))).toBe(EINVAL);
  });

  test('what cannot be a path is refused', () => {
    expect(linux.open(root, path('a\0b'), 0, 0)).toBe(EINVAL);
    expect(linux.open(root, path('a'.repeat(4096)), 0, 0)).toBe(ENAMETOOLONG);
    expect(linux.stat(root, path('a'.repeat(256)), emptyStat())).toBe(ENAMETOOLONG);
  });

  test('the empty path is the descriptor itself, and never a descriptor that is none', () => {
    const stat = emptyStat();
    const held = linux.open(root, path('deep/file'), O_PATH, 0);
    expect(linux.stat(held, NONE, stat)).toBe(0);
    expect(stat.size).toBe(4);
    expect(linux.chmod(held, NONE, 0o600)).toBe(0);
    const opened = linux.open(held, NONE, fs.constants.O_RDWR, 0);
    expect(linux.write(opened, Buffer.from('TEXT'), 0)).toBe(4);
    for (const fd of [held, opened]) linux.close(fd);
    expect(linux.chmod(-1, NONE, 0o777)).toBe(EBADF);
    expect(linux.open(-1, NONE, 0, 0)).toBe(EBADF);
    expect(linux.listXattr(-1, NONE)).toBe(EBADF);
    expect(linux.stat(-1, NONE, stat)).toBe(EBADF);
  });
});

describe('files', () => {
  test('stat tells what node:fs tells', () => {
    const stat = emptyStat();
    expect(linux.stat(root, path('deep/file'), stat)).toBe(0);
    const told = fs.statSync(join(base, 'root/deep/file'), { bigint: true });
    expect(stat).toMatchObject({
      ino: Number(told.ino),
      mode: Number(told.mode),
      size: 4,
      nlink: 1,
    });
    const { seconds, nanoseconds } = stat.modified;
    expect(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)).toBe(told.mtimeNs);
    expect(stat.volume).toBeGreaterThan(0);
    expect(linux.stat(root, path('none'), stat)).toBe(ENOENT);
    expect(linux.stat(root, path('deep/none'), stat)).toBe(ENOENT);
  });

  test('data, sparse and allocated', () => {
    const fd = linux.open(root, path('data'), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o644);
    expect(fd).toBeGreaterThan(0);
    expect(linux.write(fd, Buffer.from('abc'), 10_000)).toBe(3);
    expect(linux.truncateFd(fd, 20_000)).toBe(0);
    const into = new Uint8Array(5);
    expect(linux.read(fd, into, 9_999)).toBe(5);
    expect(Buffer.from(into).toString()).toBe('\0abc\0');
    expect(linux.read(fd, into, 20_000)).toBe(0);
    expect(linux.allocate(fd, 0, 0, 40_000)).toBe(0);
    expect(linux.sync(fd, true)).toBe(0);
    expect(linux.sync(fd, false)).toBe(0);
    expect(linux.syncVolume(fd)).toBe(0);
    expect(linux.close(fd)).toBe(0);
    expect(fs.statSync(join(base, 'root/data')).size).toBe(40_000);
  });

  test('names, links and listings, with bytes that are no text', () => {
    const odd = path('deep/\xff\xfe\x01');
    expect(linux.symlink(root, odd, path('\x80target'))).toBe(0);
    expect(linux.symlink(root, odd, path('x'))).toBe(EEXIST);
    expect(Buffer.from(linux.readlink(root, odd) as Uint8Array).toString('latin1')).toBe(
      '\x80target',
    );
    expect(linux.link(root, path('deep/file'), path('linked'))).toBe(0);
    expect(linux.rename(root, path('linked'), odd, 1)).toBe(EEXIST);
    expect(linux.rename(root, path('linked'), odd, 2)).toBe(0);
    const fd = linux.open(root, path('deep'), fs.constants.O_RDONLY, 0);
    for (let round = 0; round < 2; round += 1) {
      const entries = linux.list(fd);
      expect(typeof entries === 'number' ? [] : entries.map((entry) => entry.name).length).toBe(3);
    }
    linux.close(fd);
    const file = linux.open(root, path('deep/file'), fs.constants.O_RDONLY, 0);
    expect(linux.list(file)).toBe(-20);
    linux.close(file);
  });

  test('extended attributes of files and directories', () => {
    const name = path('user.test');
    for (const where of [path('deep/file'), path('deep'), NONE]) {
      expect(linux.setXattr(root, where, name, Buffer.from('value'), 0)).toBe(0);
      expect(linux.setXattr(root, where, name, Buffer.from('value'), 1)).toBe(EEXIST);
      expect(Buffer.from(linux.getXattr(root, where, name) as Uint8Array).toString()).toBe('value');
      const names = Buffer.from(linux.listXattr(root, where) as Uint8Array).toString();
      expect(names).toContain('user.test\0');
      expect(linux.removeXattr(root, where, name)).toBe(0);
      expect(linux.getXattr(root, where, name)).toBe(-61);
    }
  });

  test('volumes', () => {
    const volume: VolumeStat = {
      ...{ blocks: 0, blocksFree: 0, blocksAvailable: 0, files: 0, filesFree: 0, blockSize: 0 },
      nameLengthMax: 0,
    };
    expect(linux.statVolume(root, volume)).toBe(0);
    expect(volume.nameLengthMax).toBe(255);
    expect(volume.blocks * volume.blockSize).toBe(
      fs.statfsSync(base).blocks * fs.statfsSync(base).bsize,
    );
  });
});

test('errors have names', () => {
  expect(errorName(-2)).toBe('ENOENT');
  expect(errorName(11)).toBe('EAGAIN');
  expect(errorName(4000)).toBe('error 4000');
});
