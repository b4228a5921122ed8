/**
 * Random operations by random users, the same ones on the mount and on a plain directory: every
 * result must be the same, and so must the trees. Then the captured changes are replayed on a copy
 * of the start: it must be equal too.
 */
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { afterEach, describe, expect, test } from 'vitest';
import { must } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { newStat } from '../../src/fuse/ops/stat.ts';
import { type Mounted, mountPassthrough } from './mounted.ts';
import { replay } from './replay.ts';
import { describeTree } from './tree.ts';

const STEPS = 4000;
const OPEN_MAX = 6;
const USERS = [0, 0, 0, 1000, 1001] as const;
const PR_SET_DUMPABLE = 4;
const prctl = koffi.load(null).func('prctl', 'int', ['int', 'long', 'long', 'long', 'long']);

let mounted: Mounted | undefined;
let sides: readonly Side[] = [];

afterEach(async () => {
  become(0);
  for (const side of sides) side.close();
  sides = [];
  await mounted?.remove();
  mounted = undefined;
});

function become(user: number): void {
  process.seteuid?.(0);
  process.setegid?.(user);
  process.seteuid?.(user);
  // Or the files in /proc/self would belong to root only.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/** One of the two directories, with the files that are open on it. */
class Side {
  readonly fs = new LinuxFileSystem();
  readonly root: number;
  readonly open: (number | undefined)[] = [];

  constructor(path: string) {
    this.root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  close(): void {
    for (const fd of this.open) if (fd !== undefined) closeSync(fd);
    closeSync(this.root);
  }
}

type Step = (side: Side) => unknown;

const DIRECTORIES = ['', '', 'one/', 'one/', 'one/two/', 'three/', 'a/'] as const;
const NAMES = ['a', 'b', 'c', 'd', 'one', 'three', '\xff\x01'] as const;

function randomPath(dice: Prng): Buffer {
  return Buffer.from(dice.pick(DIRECTORIES) + dice.pick(NAMES), 'latin1');
}

/**
 * Without a set-group-id bit on what the group may not execute: whether it survives a write depends
 * on all groups of the caller, which no request tells. It gives no rights.
 */
function randomMode(dice: Prng): number {
  return dice.pick([0o644, 0o600, 0o755, 0o777, 0o4755, 0o2755, 0o6777, 0o1777, 0o2777]);
}

function onOpen(side: Side, slot: number, use: (fd: number) => unknown): unknown {
  const fd = side.open[slot];
  return fd === undefined ? 'closed' : use(fd);
}

function statOf(side: Side, path: Buffer): unknown {
  const stat = newStat();
  const failed = side.fs.stat(side.root, path, stat);
  if (failed < 0) return failed;
  const isDirectory = (stat.mode & 0o170000) === 0o040000;
  const { mode, nlink, uid, gid, device, size } = stat;
  return { mode, nlink, uid, gid, device, size: isDirectory ? 0 : size };
}

function openFile(side: Side, slot: number, path: Buffer, flags: number, mode: number): number {
  const old = side.open[slot];
  if (old !== undefined) closeSync(old);
  const fd = side.fs.open(side.root, path, flags, mode);
  side.open[slot] = fd < 0 ? undefined : fd;
  return Math.min(fd, 0);
}

function readAt(side: Side, fd: number, offset: number): unknown {
  const into = new Uint8Array(20_000);
  const length = side.fs.read(fd, into, offset);
  return length < 0 ? length : Buffer.from(into.subarray(0, length)).toString('base64');
}

/** What can be done to names. */
function nameStep(dice: Prng): Step {
  const path = randomPath(dice);
  const other = randomPath(dice);
  const mode = randomMode(dice);
  const flags = dice.pick([0, 0, 0, 1, 2]);
  const kind = dice.pick([0o100000, 0o010000, 0o140000, 0o020000]);
  switch (dice.below(10)) {
    case 0:
      return ({ fs, root }) => fs.mkdir(root, path, mode);
    case 1:
      return ({ fs, root }) => fs.link(root, other, path);
    case 8:
      return ({ fs, root }) => fs.unlink(root, path);
    case 2:
      return ({ fs, root }) => fs.mknod(root, path, kind | mode, kind === 0o020000 ? 0x103 : 0);
    case 3:
      return ({ fs, root }) => fs.symlink(root, path, other);
    case 4:
      return ({ fs, root }) => fs.link(root, path, other);
    case 5:
      return ({ fs, root }) => fs.unlink(root, path);
    case 6:
      return ({ fs, root }) => fs.rmdir(root, path);
    case 7:
      return (side) => {
        const target = side.fs.readlink(side.root, path);
        return typeof target === 'number' ? target : Buffer.from(target).toString('latin1');
      };
    default:
      return ({ fs, root }) => fs.rename(root, path, other, flags);
  }
}

/** What can be done to an object by its name. */
function objectStep(dice: Prng): Step {
  const path = randomPath(dice);
  const mode = randomMode(dice);
  // The kernel does not pass on a change of owner that changes neither user nor group.
  const [owner, group] = dice.pick([
    [0, 0],
    [1000, 1001],
    [1001, undefined],
    [1000, 1000],
    [undefined, 1000],
  ]);
  const time = { seconds: dice.below(4_000_000_000) - 2_000_000, nanoseconds: dice.below(1e9) };
  const name = Buffer.from(dice.pick(['user.one', 'user.two', 'trusted.three', 'odd.four']));
  const value = Buffer.alloc(dice.below(300), dice.below(256));
  const flags = dice.pick([0, 0, 1, 2]);
  switch (dice.below(8)) {
    case 0:
      return ({ fs, root }) => fs.chmod(root, path, mode);
    case 1:
      return ({ fs, root }) => fs.chown(root, path, owner, group);
    case 2:
      return (side) => {
        const failed = side.fs.setTimes(side.root, path, undefined, time);
        const stat = newStat();
        side.fs.stat(side.root, path, stat);
        return failed < 0 ? failed : { ...stat.modified };
      };
    case 3:
      return ({ fs, root }) => fs.setXattr(root, path, name, value, flags);
    case 4:
      return ({ fs, root }) => fs.removeXattr(root, path, name);
    case 5:
      return ({ fs, root }) => {
        const found = fs.getXattr(root, path, name);
        return typeof found === 'number' ? found : Buffer.from(found).toString('hex');
      };
    case 6:
      return (side) => {
        const fd = side.fs.open(side.root, path, constants.O_RDONLY | constants.O_NONBLOCK, 0);
        if (fd < 0) return fd;
        const entries = side.fs.list(fd);
        side.fs.close(fd);
        if (typeof entries === 'number') return entries;
        return entries.map((entry) => Buffer.from(entry.name).toString('latin1')).toSorted();
      };
    default:
      return (side) => statOf(side, path);
  }
}

/** What can be done to the data of files. */
function dataStep(dice: Prng): Step {
  const path = randomPath(dice);
  const slot = dice.below(OPEN_MAX);
  const flags =
    dice.pick([constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR]) |
    dice.pick([0, constants.O_CREAT, constants.O_CREAT | constants.O_EXCL, constants.O_TRUNC]) |
    dice.pick([0, 0, constants.O_APPEND]) |
    constants.O_NONBLOCK;
  const mode = randomMode(dice);
  const offset = dice.below(30_000);
  const data = Buffer.alloc(dice.below(9000), dice.below(256));
  const allocation = dice.pick([0, 1, 3, 0x10, 0x11]);
  const whence = dice.pick([3, 4]);
  switch (dice.below(8)) {
    case 0:
    case 1:
      return (side) => openFile(side, slot, path, flags, mode);
    case 2:
    case 3:
      return (side) => onOpen(side, slot, (fd) => side.fs.write(fd, data, offset));
    case 4:
      return (side) => onOpen(side, slot, (fd) => readAt(side, fd, offset));
    case 5:
      return (side) => onOpen(side, slot, (fd) => side.fs.truncateFd(fd, offset));
    case 6:
      return (side) =>
        onOpen(side, slot, (fd) => side.fs.allocate(fd, allocation, offset, data.length + 1));
    default:
      // Where holes are taken to be depends on what happens to be in memory.
      return (side) => void onOpen(side, slot, (fd) => side.fs.seek(fd, offset, whence));
  }
}

describe('random operations', () => {
  const seeds = (process.env['FUSE_SEEDS'] ?? '1,2,3').split(',').map(Number);
  test.for(seeds)('are the same on a mount and on a plain directory, seed %i', async (seed) => {
    const dice = new Prng(seed);
    mounted = await mountPassthrough({ record: true, check: true });
    const both = [new Side(mounted.mount), new Side(mounted.plain)] as const;
    sides = both;
    for (const { fs, root } of both) {
      fs.chmod(root, Buffer.alloc(0), 0o1777);
      for (const path of ['one', 'one/two', 'three']) fs.mkdir(root, Buffer.from(path), 0o777);
    }
    for (let step = 0; step < STEPS; step += 1) {
      if (step % 20 === 0) become(dice.pick(USERS));
      const act = must(dice.pick([nameStep, objectStep, dataStep]), 'one of three')(dice);
      const results = [act(both[0]), act(both[1])] as const;
      expect(results[0], `step ${step}: ${String(act)}`).toEqual(results[1]);
    }
    become(0);
    for (const side of both) side.close();
    sides = [];
    const tree = describeTree(mounted.plain);
    expect(describeTree(mounted.mount)).toEqual(tree);
    const report = await mounted.unmount();
    expect(report.wrong).toEqual([]);
    expect(describeTree(mounted.mount)).toEqual(tree);
    expect(replay(mounted.record, mounted.start)).toEqual([]);
    expect(describeTree(mounted.start)).toEqual(tree);
  });
});
