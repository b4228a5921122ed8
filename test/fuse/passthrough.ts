/**
 * Mounts a directory over itself and serves it with a sink that answers at once: the simplest real
 * user of the FUSE file system, for tests and measurements.
 *
 *     node test/fuse/passthrough.ts DIRECTORY [--record FILE] [--check]
 *
 * Prints `ready` when the directory can be used, and one line of JSON (a {@link PassthroughReport})
 * when it has been unmounted. `--record` writes every change to a file for `replay.ts`; `--check`
 * looks each change up in the store, and in an activity log.
 */
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assert, must } from '../../src/base/assert.ts';
import { changeBytes, encodeChange } from '../../src/protocol/change-codec.ts';
import type { Change } from '../../src/protocol/change.ts';
import type { Epoch } from '../../src/protocol/ids.ts';
import { NO_ACTIVITY } from '../../src/ports/activity.ts';
import type { ChangeSink } from '../../src/ports/change-sink.ts';
import type { FileStat } from '../../src/ports/file-system.ts';
import { readActivityFile } from '../../src/adapters/mirror/activity/activity-file.ts';
import { ActivityLog } from '../../src/adapters/mirror/activity/activity-log.ts';
import { Regions } from '../../src/adapters/mirror/activity/regions.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { LinuxFuseDevice } from '../../src/adapters/system/fuse-device.ts';
import { mountFuse, openFuseDevice } from '../../src/adapters/system/mount.ts';
import { clearOwnUmask } from '../../src/adapters/system/own-umask.ts';
import type { Log } from '../../src/ports/log.ts';
import { createOperations } from '../../src/fuse/ops/operations.ts';
import { newStat } from '../../src/fuse/ops/stat.ts';
import { S_IFDIR, S_IFMT } from '../../src/fuse/wire/flags.ts';
import { runSession } from '../../src/fuse/session/run-session.ts';

export interface PassthroughReport {
  /** How many changes of each type entered the stream. */
  readonly changes: Readonly<Record<string, number>>;
  readonly answers: number;
  readonly syncs: number;
  /** Changes whose path is not in the store as it should be. */
  readonly wrong: readonly string[];
}

interface Device {
  readonly deviceFd: number;
  readonly root: number;
}

interface SinkOptions {
  readonly record: string | undefined;
  readonly activity: string | undefined;
}

class PassthroughSink implements ChangeSink {
  readonly #fs = new LinuxFileSystem();
  readonly #device: Device;
  readonly #recordFd: number | undefined;
  readonly #checks: boolean;
  readonly #stat: FileStat = newStat();
  readonly #changes: Record<string, number> = {};
  readonly #wrong: string[] = [];
  /** The file of the activity log, if each change is to be looked up in it. */
  readonly #activity: string | undefined;
  #inside = false;
  #seq = 0;
  #answers = 0;
  #syncs = 0;

  constructor(device: Device, options: SinkOptions) {
    this.#device = device;
    this.#recordFd = options.record === undefined ? undefined : openSync(options.record, 'w');
    this.#checks = options.activity !== undefined;
    this.#activity = options.activity;
  }

  enter(): void {
    assert(!this.#inside, 'enter is not reentrant');
    this.#inside = true;
  }

  append(change: Change): number {
    assert(this.#inside, 'changes are appended between enter and leave');
    this.#seq += 1;
    this.#changes[change.type] = (this.#changes[change.type] ?? 0) + 1;
    if (this.#checks) this.#check(change);
    if (this.#recordFd !== undefined) record(this.#recordFd, change);
    return this.#seq;
  }

  linkLost(): void {
    assert(this.#inside, 'a name is lost between enter and leave');
  }

  last(): number {
    return this.#seq;
  }

  leave(): void {
    assert(this.#inside, 'leave follows enter');
    this.#inside = false;
  }

  answer(reply: Uint8Array, seq: number): void {
    assert(!this.#inside, 'answers are given outside of the order');
    assert(seq <= this.#seq, 'an answer refers to a change that was appended');
    this.#answers += 1;
    writeSync(this.#device.deviceFd, reply);
  }

  answerSync(reply: Uint8Array, seq: number, fd: number, dataOnly: boolean): void {
    this.#syncs += 1;
    const failed = this.#fs.sync(fd, dataOnly);
    if (failed < 0) new DataView(reply.buffer, reply.byteOffset).setInt32(4, failed, true);
    this.answer(reply, seq);
  }

  end(): PassthroughReport {
    if (this.#recordFd !== undefined) closeSync(this.#recordFd);
    const wrong = this.#wrong;
    return { changes: this.#changes, answers: this.#answers, syncs: this.#syncs, wrong };
  }

  #check(change: Change): void {
    const isRemoved = change.type === 'unlink' || change.type === 'rmdir';
    const found = this.#fs.stat(this.#device.root, change.path, this.#stat) === 0;
    if (found === isRemoved) this.#wrong.push(`${change.type} ${text(change.path)}`);
    if (!this.#isRecorded(change)) {
      this.#wrong.push(`${change.type} ${text(change.path)}: not in the activity log`);
    }
  }

  /** By what the log has on disk; and the size that the file has now. */
  #isRecorded(change: Change): boolean {
    if (this.#activity === undefined || change.type === 'sync') return true;
    const read = must(readActivityFile(this.#activity), 'the activity log can be relied on');
    const regions = new Regions(read.regions);
    const key = text(change.path);
    const isContent = ['write', 'truncate', 'allocate'].includes(change.type);
    if (isContent) return regions.forContent(key, this.#stat.size) === undefined;
    const missing = [regions.forEntry(key)];
    if (change.type === 'link') missing.push(regions.forEntry(text(change.existing)));
    if (change.type === 'rename') {
      missing.push(regions.forEntry(text(change.from)));
      const isDirectory = (this.#stat.mode & S_IFMT) === S_IFDIR;
      if (isDirectory) missing.push(regions.forTree(text(change.from)), regions.forTree(key));
    }
    return missing.every((region) => region === undefined);
  }
}

function record(fd: number, change: Change): void {
  const bytes = new Uint8Array(4 + changeBytes(change));
  const length = encodeChange(change, bytes.subarray(4));
  new DataView(bytes.buffer).setUint32(0, length, true);
  writeSync(fd, bytes, 0, 4 + length);
}

function text(path: Uint8Array): string {
  return Buffer.from(path).toString('latin1');
}

function activityLog(path: string, log: Log): ActivityLog {
  const head = { epoch: 1 as Epoch, session: 'passthrough', first: 0, directory: 'here' };
  return new ActivityLog({ generation: 1, pathOf: () => path, head, log, refuses: () => {} });
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { record: { type: 'string' }, check: { type: 'boolean', default: false } },
  });
  const path = must(positionals[0], 'the directory is given');
  clearOwnUmask();
  const root = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  const deviceFd = openFuseDevice();
  mountFuse({ path, deviceFd, name: 'passthrough' });
  const directory = values.check ? mkdtempSync(join(tmpdir(), 'tako-activity-')) : undefined;
  const activity = directory === undefined ? undefined : join(directory, '1.log');
  const sink = new PassthroughSink({ deviceFd, root }, { record: values.record, activity });
  writeSync(1, 'ready\n');
  const say = (level: string) => (message: string, fields?: object) => {
    writeSync(2, `${level}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  };
  const log = { debug: () => {}, info: () => {}, warn: say('warn'), error: say('error') };
  const deps = { fileSystem: new LinuxFileSystem(), sink, log };
  try {
    const recorded = activity === undefined ? NO_ACTIVITY : activityLog(activity, log);
    runSession(new LinuxFuseDevice(deviceFd), {
      log,
      stop: () => false,
      serve: (wiring) => createOperations({ root, ...wiring }, { ...deps, activity: recorded }),
    });
    writeSync(1, `${JSON.stringify(sink.end())}\n`);
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  }
}

main();
