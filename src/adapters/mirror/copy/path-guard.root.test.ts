import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinuxFileSystem } from '../../system/file-system.ts';
import { mountAt, selfBindAt } from '../../system/mount-info.ts';
import { bindReadOnly, openWritable, unmount } from '../../system/mount.ts';
import { BindGuard } from './path-guard.ts';

const O_WRONLY_CREAT = 0o101;

describe('the guard of a path', () => {
  let path = '';
  let root = -1;
  const mounts = { selfBindAt, bindReadOnly, openWritable, unmount };
  const guard = (at = path): BindGuard =>
    new BindGuard({ path: at, place: `${path}.below` }, mounts);
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'tako-guard-'));
    root = openSync(path, 'r');
  });
  afterEach(() => {
    guard().lower();
    closeSync(root);
    rmSync(path, { recursive: true });
  });

  it('keeps others out and the copy in; raising and lowering are repeatable', () => {
    const one = guard();
    expect([one.raise(), one.raise()]).toEqual([undefined, undefined]);
    expect(() => writeFileSync(join(path, 'x'), 'y')).toThrow(/EROFS/);
    const fs = new LinuxFileSystem();
    const fd = fs.open(root, Buffer.from('x'), O_WRONLY_CREAT, 0o600);
    expect(fd).toBeGreaterThan(0);
    fs.write(fd, Buffer.from('copy'), 0);
    fs.close(fd);
    expect(readFileSync(join(path, 'x'), 'utf8')).toBe('copy');
    expect([one.lower(), one.lower()]).toEqual([undefined, undefined]);
    expect(mountAt(path)).toBeUndefined();
    writeFileSync(join(path, 'x'), 'again');
  });

  it('of a process that was killed is known again, also twice, and taken away', () => {
    guard().raise();
    bindReadOnly(path);
    const next = guard();
    expect(next.raise()).toBeUndefined();
    expect(next.lower()).toBeUndefined();
    expect(mountAt(path)).toBeUndefined();
  });

  it('stays up while the directory below it is opened', () => {
    const one = guard();
    one.raise();
    const fs = new LinuxFileSystem();
    // Twice: as after a process that was killed half-way.
    mkdirSync(`${path}.below`);
    bindReadOnly(`${path}.below`);
    const below = one.open();
    try {
      expect(mountAt(`${path}.below`)).toBeUndefined();
      expect(() => writeFileSync(join(path, 'x'), 'y')).toThrow(/EROFS/);
      const fd = fs.open(below, Buffer.from('x'), O_WRONLY_CREAT, 0o600);
      expect(fd).toBeGreaterThan(0);
      fs.close(fd);
    } finally {
      closeSync(below);
    }
    expect(existsSync(`${path}.below`)).toBe(false);
  });

  it('is not what a file system is that somebody mounted read-only there', () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tako-test', path]);
    try {
      expect(guard().lower()).toBeUndefined();
      expect(mountAt(path)?.type).toBe('tmpfs');
    } finally {
      execFileSync('umount', [path]);
    }
  });

  it('says why it is not up', () => {
    const missing = guard(`${path}-missing`);
    expect(missing.raise()).toContain('Cannot guard');
    expect(missing.lower()).toBeUndefined();
  });
});
