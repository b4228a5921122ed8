/**
 * A disk that loses what was not synced: a FUSE file system with one file, the image of the disk, which
 * a loop device makes a block device of. Writes stay in memory until the file is synced, which is what
 * a loop device asks for when the file system on it flushes the disk's cache.
 *
 *     node test/power/lossy-disk.ts DIRECTORY BACKING BYTES
 *
 * Mounts over DIRECTORY, where the image is `disk`; BACKING has what is on stable storage. Prints
 * `ready`. When a file BACKING.lose appears, the power is lost: of each block that was written and not
 * synced, all, nothing, or some sectors get to BACKING, by the seed that the file has, and the program
 * ends. Killed, it loses all of it.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { LinuxFuseDevice } from '../../src/adapters/system/fuse-device.ts';
import { mountFuse, openFuseDevice } from '../../src/adapters/system/mount.ts';
import { must } from '../../src/base/assert.ts';
import { Prng } from '../../src/base/prng.ts';
import { newStat } from '../../src/fuse/ops/stat.ts';
import { runSession } from '../../src/fuse/session/run-session.ts';
import {
  ENTRY_BYTES,
  putAttrOut,
  putEntry,
  putNegativeEntry,
  putOpenOut,
  putStatfs,
} from '../../src/fuse/wire/encode.ts';
import { EINVAL, ENOSYS } from '../../src/fuse/wire/errno.ts';
import { S_IFDIR } from '../../src/fuse/wire/flags.ts';
import {
  ANSWERED,
  type Outcome,
  type RequestHandler,
  type SessionWiring,
} from '../../src/fuse/wire/handler.ts';
import { IN_HEADER_BYTES, READ_IN, WRITE_IN } from '../../src/fuse/wire/layout.ts';
import { OPCODE } from '../../src/fuse/wire/opcode.ts';
import type { Reply } from '../../src/fuse/wire/reply.ts';
import type { Request } from '../../src/fuse/wire/request.ts';

const BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;
const ROOT_ID = 1;
const DISK_ID = 2;
const S_IFREG = 0o100000;
const IMAGE = 'disk';

/** What was written is in `#cached` until it is synced. */
class CachedImage {
  readonly #fd: number;
  readonly bytes: number;
  readonly #cached = new Map<number, Uint8Array>();

  constructor(backing: string, bytes: number) {
    this.#fd = openSync(backing, 'r+');
    this.bytes = bytes;
  }

  read(into: Uint8Array, offset: number): void {
    let done = 0;
    while (done < into.length) {
      const at = offset + done;
      const within = at % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - within, into.length - done);
      const block = this.#block(at - within);
      into.set(block.subarray(within, within + length), done);
      done += length;
    }
  }

  write(data: Uint8Array, offset: number): void {
    let done = 0;
    while (done < data.length) {
      const at = offset + done;
      const within = at % BLOCK_BYTES;
      const length = Math.min(BLOCK_BYTES - within, data.length - done);
      const start = at - within;
      const block = this.#cached.get(start) ?? this.#block(start);
      block.set(data.subarray(done, done + length), within);
      this.#cached.set(start, block);
      done += length;
    }
  }

  sync(): void {
    for (const [start, block] of this.#cached) writeSync(this.#fd, block, 0, block.length, start);
    this.#cached.clear();
    fdatasyncSync(this.#fd);
  }

  losePower(random: Prng): void {
    for (const [start, block] of this.#cached) {
      const fate = random.below(10);
      if (fate < 4) continue;
      for (let at = 0; at < block.length; at += SECTOR_BYTES) {
        const isTorn = fate === 9 && random.chance(0.5);
        if (!isTorn) writeSync(this.#fd, block, at, SECTOR_BYTES, start + at);
      }
    }
    this.#cached.clear();
    closeSync(this.#fd);
  }

  #block(start: number): Uint8Array {
    const cached = this.#cached.get(start);
    if (cached !== undefined) return cached;
    const block = new Uint8Array(BLOCK_BYTES);
    readSync(this.#fd, block, 0, BLOCK_BYTES, start);
    return block;
  }
}

class DiskHandler implements RequestHandler {
  readonly #image: CachedImage;
  readonly #reply: Reply;

  constructor(image: CachedImage, { reply }: SessionWiring) {
    this.#image = image;
    this.#reply = reply;
  }

  handle(request: Request): Outcome {
    const { opcode } = request;
    switch (opcode) {
      case OPCODE.lookup:
        return this.#lookup(request);
      case OPCODE.getattr:
        return putAttrOut(this.#reply, this.#attributes(request.nodeId));
      case OPCODE.setattr:
        // Nothing but times is ever changed of it.
        return putAttrOut(this.#reply, this.#attributes(request.nodeId));
      case OPCODE.open:
      case OPCODE.opendir:
        return putOpenOut(this.#reply, 0, request.nodeId, 0);
      case OPCODE.read:
        return this.#read(request);
      case OPCODE.write:
        return this.#write(request);
      case OPCODE.fsync:
        this.#image.sync();
        return 0;
      case OPCODE.statfs:
        return putStatfs(this.#reply, VOLUME);
      case OPCODE.forget:
      case OPCODE.batchForget:
      case OPCODE.interrupt:
        return ANSWERED;
      case OPCODE.release:
      case OPCODE.releasedir:
      case OPCODE.destroy:
        return 0;
      default:
        return ENOSYS;
    }
  }

  close(): void {
    // The image is what outlives the session.
  }

  #lookup(request: Request): Outcome {
    const name = request.name(IN_HEADER_BYTES);
    if (name === undefined || Buffer.from(name).toString() !== IMAGE) {
      return putNegativeEntry(this.#reply);
    }
    putEntry(this.#reply, 0, DISK_ID, this.#attributes(DISK_ID));
    return ENTRY_BYTES;
  }

  #read(request: Request): Outcome {
    const offset = request.u64(READ_IN.offset);
    const size = Math.min(request.u32(READ_IN.size), Math.max(0, this.#image.bytes - offset));
    this.#image.read(this.#reply.payload(size), offset);
    return size;
  }

  #write(request: Request): Outcome {
    const data = request.data(WRITE_IN.bytes, request.u32(WRITE_IN.size));
    const offset = request.u64(WRITE_IN.offset);
    if (data === undefined || offset + data.length > this.#image.bytes) return EINVAL;
    this.#image.write(data, offset);
    this.#reply.u32(0, data.length);
    this.#reply.u32(4, 0);
    return 8;
  }

  #attributes(nodeId: number) {
    const isDisk = nodeId === DISK_ID;
    const size = isDisk ? this.#image.bytes : 0;
    const mode = isDisk ? S_IFREG | 0o600 : S_IFDIR | 0o700;
    const blocks = size / SECTOR_BYTES;
    return { ...newStat(), ino: nodeId, nlink: 1, mode, size, blocks, blockSize: BLOCK_BYTES };
  }
}

const VOLUME = {
  blocks: 0,
  blocksFree: 0,
  blocksAvailable: 0,
  files: 1,
  filesFree: 0,
  blockSize: BLOCK_BYTES,
  nameLengthMax: 255,
};

function main(): void {
  const [directory, backing, bytes] = process.argv.slice(2);
  const path = must(directory, 'the directory is given');
  const place = must(backing, 'the backing file is given');
  const image = new CachedImage(place, Number(bytes));
  const lose = `${place}.lose`;
  const deviceFd = openFuseDevice();
  mountFuse({ path, deviceFd, name: 'lossy' });
  writeSync(1, 'ready\n');
  const say = (message: string, fields?: object): void => {
    writeSync(2, `lossy disk: ${message} ${JSON.stringify(fields ?? {})}\n`);
  };
  const end = runSession(new LinuxFuseDevice(deviceFd), {
    log: { debug: () => {}, info: () => {}, warn: say, error: say },
    stop: () => existsSync(lose),
    serve: (wiring) => new DiskHandler(image, wiring),
  });
  if (end === 'stopped') image.losePower(new Prng(Number(readFileSync(lose, 'utf8'))));
  else image.sync();
}

assertRoot();
main();

function assertRoot(): void {
  must(process.getuid?.() === 0 ? ROOT_ID : undefined, 'mounting needs root');
}
