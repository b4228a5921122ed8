/**
 * Mounts a directory over itself and serves it with a sink that answers at once: the simplest real
 * user of the FUSE file system, for tests and measurements.
 *
 *     node test/fuse/passthrough.ts DIRECTORY [--record FILE] [--check]
 *
 * Prints `ready` when the directory can be used, and one line of JSON (a {@link PassthroughReport})
 * when it has been unmounted. `--record` writes every change to a file for `replay.ts`; `--check`
 * looks each change up in the store.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { assert, must } from '../../src/base/assert.ts';
import { changeBytes, encodeChange } from '../../src/protocol/change-codec.ts';
import type { Change } from '../../src/protocol/change.ts';
import type { ChangeSink } from '../../src/ports/change-sink.ts';
import type { FileStat } from '../../src/ports/file-system.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { LinuxFuseDevice } from '../../src/adapters/system/fuse-device.ts';
import { mountFuse, openFuseDevice } from '../../src/adapters/system/mount.ts';
import { clearOwnUmask } from '../../src/adapters/system/own-umask.ts';
import { createOperations } from '../../src/fuse/ops/operations.ts';
import { newStat } from '../../src/fuse/ops/stat.ts';
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

class PassthroughSink implements ChangeSink {
  readonly #fs = new LinuxFileSystem();
  readonly #device: Device;
  readonly #recordFd: number | undefined;
  readonly #checks: boolean;
  readonly #stat: FileStat = newStat();
  readonly #changes: Record<string, number> = {};
  readonly #wrong: string[] = [];
  #inside = false;
  #seq = 0;
  #answers = 0;
  #syncs = 0;

  constructor(device: Device, options: { record: string | undefined; checks: boolean }) {
    this.#device = device;
    this.#recordFd = options.record === undefined ? undefined : openSync(options.record, 'w');
    this.#checks = options.checks;
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
  const sink = new PassthroughSink(
    { deviceFd, root },
    { record: values.record, checks: values.check },
  );
  writeSync(1, 'ready\n');
  const say = (level: string) => (message: string, fields?: object) => {
    writeSync(2, `${level}: ${message} ${JSON.stringify(fields ?? {})}\n`);
  };
  const log = { debug: () => {}, info: () => {}, warn: say('warn'), error: say('error') };
  const fileSystem = new LinuxFileSystem();
  runSession(new LinuxFuseDevice(deviceFd), {
    log,
    stop: () => false,
    serve: (wiring) => createOperations({ root, ...wiring }, { fileSystem, sink, log }),
  });
  writeSync(1, `${JSON.stringify(sink.end())}\n`);
}

main();
