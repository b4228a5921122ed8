import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinuxFileSystem } from '../../system/file-system.ts';
import { mountAt } from '../../system/mount-info.ts';
import { bindReadOnly, unmount } from '../../system/mount.ts';
import { BindGuard } from './path-guard.ts';

const O_WRONLY_CREAT = 0o101;

describe('the guard of a path', () => {
  let path = '';
  let root = -1;
  const guard = (): BindGuard => new BindGuard(path, { mountAt, bindReadOnly, unmount });
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

  it('says why it is not up', () => {
    const missing = new BindGuard(`${path}-missing`, { mountAt, bindReadOnly, unmount });
    expect(missing.raise()).toContain('Cannot guard');
    expect(missing.lower()).toBeUndefined();
  });
});
