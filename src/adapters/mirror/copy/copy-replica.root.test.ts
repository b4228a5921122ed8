/** The receiving copy against a real directory: modes of failure, syncs, barriers, hostile paths. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../ports/file-system.ts';
import type { Change } from '../../../protocol/change.ts';
import type { Epoch, MirrorId } from '../../../protocol/ids.ts';
import { createLog } from '../../log.ts';
import { LinuxFileSystem } from '../../system/file-system.ts';
import { backgroundOf, type Background } from './background.ts';
import { FileCopyNote } from './copy-note.ts';
import { CopyReplica } from './copy-replica.ts';

const silentLog = createLog({ name: 'test', level: 'silent' });
const EPOCH = 3 as Epoch;
const ENOSPC = 28;
const EIO = 5;

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function write(path: string, text: string): Change {
  return { type: 'write', path: bytes(path), offset: 0, data: bytes(text) };
}

function create(path: string): Change {
  return { type: 'create', path: bytes(path), mode: 0o100600, device: 0, uid: 0, gid: 0 };
}

function sync(path: string): Change {
  return { type: 'sync', path: bytes(path), dataOnly: true };
}

/** A disk that has written everything when the test says so. */
function slowDisk(): { readonly synced: Promise<number>; finish(): void } {
  let finish = (): void => undefined;
  const synced = new Promise<number>((resolve) => {
    finish = () => resolve(0);
  });
  return { synced, finish: () => finish() };
}

describe('a receiving copy', () => {
  let directory = '';
  let root = -1;
  let open: CopyReplica | undefined;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tako-copy-'));
    for (const name of ['data', 'outside']) mkdirSync(join(directory, name));
    root = openSync(join(directory, 'data'), 'r');
  });
  afterEach(async () => {
    await open?.end();
    open = undefined;
    closeSync(root);
    rmSync(directory, { recursive: true });
  });

  function begin(
    mode: 'follow' | 'resync',
    parts: { fs?: FileSystem; background?: Background } = {},
  ) {
    const store = { fs: parts.fs ?? new LinuxFileSystem(), root };
    const file = join(directory, 'state', 'note.json');
    const background = parts.background ?? backgroundOf();
    const mirror = 'g.r' as MirrorId;
    const note = new FileCopyNote({ file, mirror, store, background, log: silentLog });
    const replica = new CopyReplica({ store, note, background });
    open = replica;
    const heard = { failed: [] as string[], synced: [] as number[], answers: 0 };
    let seq = 0;
    replica.begin(
      { epoch: EPOCH, session: 'test', from: 0, mode },
      {
        failed: (reason) => heard.failed.push(reason),
        stored: () => undefined,
        synced: (at) => heard.synced.push(at),
        answer: () => {
          heard.answers += 1;
        },
      },
    );
    const apply = (...changes: Change[]): void => {
      for (const change of changes) {
        seq += 1;
        replica.apply({ kind: 'change', seq, change });
      }
    };
    const barrier = (clean: boolean): void => {
      seq += 1;
      replica.apply({ kind: 'barrier', seq, clean });
    };
    return { replica, note, heard, apply, barrier };
  }

  /** A file system on which one call fails. */
  function failing(name: keyof FileSystem, errno: number): FileSystem {
    return new Proxy<FileSystem>(new LinuxFileSystem(), {
      get: (target, key) => {
        if (key === name) return () => -errno;
        const method: unknown = Reflect.get(target, key);
        return typeof method === 'function'
          ? (...args: unknown[]): unknown => Reflect.apply(method, target, args)
          : method;
      },
    });
  }

  it('notes that it is dirty before anything else, and partial during a resync', () => {
    expect(begin('follow').note.read()).toEqual({ state: 'dirty' });
  });

  it('notes that it is torn during a resync', () => {
    expect(begin('resync').note.read()).toEqual({ state: 'dirty', partial: true, base: 3 });
  });

  it('follows: a change that does not fit fails the copy, once, and nothing more is applied', () => {
    const { heard, apply } = begin('follow');
    apply(create('a'), write('a', 'one'), write('b', 'x'), write('a', 'two'), write('c', 'x'));
    expect(heard.failed).toEqual([
      'Cannot apply "write" of "b" (entry 3) to the copy: stat: ENOENT',
    ]);
    expect(readFileSync(join(directory, 'data', 'a'), 'utf8')).toBe('one');
  });

  it('resyncs: a change that does not fit is no failure', () => {
    const { heard, apply } = begin('resync');
    apply(write('b', 'x'), { type: 'unlink', path: bytes('c') });
    apply({ type: 'rename', from: bytes('d'), path: bytes('e/f'), flags: 0 });
    expect(heard.failed).toEqual([]);
  });

  it.each([ENOSPC, EIO])(
    'fails on a condition of the machine in either mode (%i)',
    async (errno) => {
      for (const mode of ['follow', 'resync'] as const) {
        const { heard, apply, replica } = begin(mode, { fs: failing('write', errno) });
        apply(create(`a-${mode}`), write(`a-${mode}`, 'x'));
        expect(heard.failed).toHaveLength(1);
        await replica.end();
      }
    },
  );

  it.each(['..', '../outside/x', '/etc/x', 'a//b', 'a/', './a', 'a/../../outside/x', 'a\0b', ''])(
    'refuses a path that could lead outside: %j',
    (path) => {
      for (const change of [create(path), write(path, 'x')]) {
        const { heard, apply } = begin('resync');
        apply(change);
        expect(heard.failed[0]).toContain('is not a path of the mirror');
        expect(readdirSync(join(directory, 'outside'))).toEqual([]);
        open = undefined;
      }
    },
  );

  it('never follows a symbolic link, in the middle or at the end', () => {
    symlinkSync('../outside', join(directory, 'data', 'way'));
    writeFileSync(join(directory, 'outside', 'secret'), 'untouched');
    symlinkSync('../outside/secret', join(directory, 'data', 'file'));
    const { heard, apply } = begin('resync');
    apply(create('way/x'), write('way/secret', 'bad'), write('file', 'bad'));
    apply({ type: 'truncate', path: bytes('file'), size: 0 });
    apply({ type: 'unlink', path: bytes('way/secret') });
    apply({ type: 'rename', from: bytes('way/secret'), path: bytes('stolen'), flags: 0 });
    expect(heard.failed).toEqual([]);
    expect(readdirSync(join(directory, 'outside'))).toEqual(['secret']);
    expect(readFileSync(join(directory, 'outside', 'secret'), 'utf8')).toBe('untouched');
    expect(existsSync(join(directory, 'data', 'stolen'))).toBe(false);
  });

  it('answers a sync when the file is durable, although it was renamed and removed since', async () => {
    const jobs: (() => void)[] = [];
    const background: Background = {
      ...backgroundOf(),
      sync: (fd, dataOnly) =>
        new Promise((resolve) => {
          jobs.push(() => resolve(backgroundOf().sync(fd, dataOnly)));
        }),
    };
    const { heard, apply, replica } = begin('follow', { background });
    apply(create('a'), write('a', 'x'), sync('a'), sync(''));
    apply({ type: 'rename', from: bytes('a'), path: bytes('b'), flags: 0 });
    apply({ type: 'unlink', path: bytes('b') });
    expect(heard.synced).toEqual([]);
    for (const job of jobs) job();
    await expect.poll(() => heard.synced.toSorted((a, b) => a - b)).toEqual([3, 4]);
    await replica.end();
    expect(heard.failed).toEqual([]);
  });

  it('fails when a sync fails, and when the barrier does', async () => {
    const bad = { ...backgroundOf(), sync: () => Promise.resolve(-EIO) };
    const first = begin('follow', { background: bad });
    first.apply(create('a'), sync('a'));
    await expect.poll(() => first.heard.failed.length).toBe(1);
    await first.replica.end();
    const worse = { ...backgroundOf(), syncVolume: () => Promise.resolve(-EIO) };
    const second = begin('follow', { background: worse });
    second.barrier(false);
    await expect.poll(() => second.heard.failed.length).toBe(1);
    expect(second.heard.synced).toEqual([]);
    expect(second.note.read()).toEqual({ state: 'dirty' });
  });

  it('becomes clean with a clean barrier, whatever the disk is busy with', async () => {
    const disk = slowDisk();
    const background = { ...backgroundOf(), syncVolume: () => disk.synced };
    const { heard, apply, barrier, note } = begin('follow', { background });
    apply(create('a'), write('a', 'x'));
    barrier(true);
    expect(note.read()).toEqual({ state: 'dirty' });
    await expect.poll(() => heard.synced).toEqual([3]);
    expect(note.read()).toEqual({ state: 'clean', epoch: EPOCH, seq: 3 });
    disk.finish();
  });

  it('does not end a resync before everything was compared', () => {
    const { heard, barrier } = begin('resync');
    barrier(false);
    expect(heard.failed[0]).toContain('before all was compared');
  });

  it('fails on what is no message of a resync, and never throws', () => {
    for (const body of [[], [0], [99], [1], [1, 2, 0, 0, 0, 16], [2, 0, 0, 0, 9], [8]]) {
      const { heard, replica } = begin('resync');
      replica.apply({ kind: 'resync', seq: 1, body: Uint8Array.from(body) });
      expect(heard.failed).toHaveLength(1);
      open = undefined;
    }
  });

  it('does nothing more after its end', async () => {
    const { heard, apply, replica } = begin('follow');
    apply(create('a'), sync('a'));
    await replica.end();
    const before = heard.synced.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard.synced).toHaveLength(before);
  });
});
