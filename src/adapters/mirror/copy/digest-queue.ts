/**
 * Digests of the copy's own files, computed beside the applying of changes and sent in batches.
 * Reading without a lock is right here: see docs/internals/mirror-resync.md, "Why a digest may be
 * old". A few batches are under way at a time; a batch is over with the source's `processed`.
 */
import { constants as fsc } from 'node:fs';
import { messageOf } from '../../../base/tako-error.ts';
import type { Fd } from '../../../ports/file-system.ts';
import { type CompareItem, DIGEST_BYTES } from '../../../protocol/resync.ts';
import type { Background } from './background.ts';
import { sha256 } from './entry-digest.ts';
import { openRegular } from './open-files.ts';
import { type PathKey, keyOf, pathOf, readable } from './paths.ts';
import { EINTR, type Store, errnoName, isMisfit } from './store.ts';

/** Files that are read at a time. */
const READERS_MAX = 4;
/** Batches that the source has not processed. */
const BATCHES_MAX = 8;
const BATCH_BYTES = 64 * 1024;
const BATCH_ITEMS = 512;
const ITEM_BYTES = 32;
/** Digests in one item: 128 MiB of a file with blocks of 128 KiB. */
const ITEM_DIGESTS = 1024;
const NO_DIGESTS = new Uint8Array(0);

export interface DigestQueueDeps {
  readonly store: Store;
  readonly background: Background;
  /** Sends a batch; its id grows by one with each. */
  readonly send: (id: number, items: readonly CompareItem[]) => void;
  readonly failed: (reason: string) => void;
  /** Digests in one item; smaller in tests. */
  readonly itemDigests?: number | undefined;
}

interface Wanted {
  readonly key: PathKey;
  readonly what: 'empty' | 'present' | 'gone';
}

export class DigestQueue {
  readonly #deps: DigestQueueDeps;
  readonly #blockBytes: number;
  readonly #wanted: Wanted[] = [];
  #next = 0;
  readonly #readers = new Set<Promise<void>>();
  #active = 0;
  #items: CompareItem[] = [];
  #bytes = 0;
  #lastId = 0;
  /** Paths that are finished with each batch under way. */
  readonly #underWay = new Map<number, readonly PathKey[]>();
  #waiting: (() => void)[] = [];
  #stopped = false;

  constructor(blockBytes: number, deps: DigestQueueDeps) {
    this.#blockBytes = blockBytes;
    this.#deps = deps;
  }

  /** Compare this file; `empty`: there is nothing of it here, so no digests are needed. */
  want(key: PathKey, what: Wanted['what']): void {
    this.#wanted.push({ key, what });
    if (this.#stopped || this.#active >= READERS_MAX) return;
    this.#active += 1;
    const reader: Promise<void> = this.#read()
      .catch((error: unknown) => this.#deps.failed(messageOf(error)))
      .finally(() => this.#readers.delete(reader));
    this.#readers.add(reader);
  }

  /** The paths that batch `id` finished; undefined when there is no such batch. */
  processed(id: number): readonly PathKey[] | undefined {
    const finished = this.#underWay.get(id);
    this.#underWay.delete(id);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
    return finished;
  }

  /** Resolves when no file is open any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const resume of this.#waiting) resume();
    await Promise.all(this.#readers);
  }

  async #read(): Promise<void> {
    // Gives the frame that wanted the first file time to want the others of its directory.
    await Promise.resolve();
    while (!this.#stopped) {
      const wanted = this.#take();
      if (wanted !== undefined) {
        if (wanted.what === 'present') await this.#digestFile(wanted.key);
        else await this.#add(itemOf(wanted.key, { gone: wanted.what === 'gone' }));
        continue;
      }
      // Whoever finds nothing left to do sends what has gathered, and looks once more.
      if (this.#items.length === 0) break;
      await this.#flush();
    }
    // At once, not when the promise is seen to be over: `want` counts on it.
    this.#active -= 1;
  }

  #take(): Wanted | undefined {
    if (this.#stopped || this.#next >= this.#wanted.length) {
      this.#wanted.length = 0;
      this.#next = 0;
      return undefined;
    }
    const wanted = this.#wanted[this.#next];
    this.#next += 1;
    return wanted;
  }

  async #digestFile(key: PathKey): Promise<void> {
    const { store } = this.#deps;
    const fd = openRegular(store, key, fsc.O_RDONLY);
    if (typeof fd !== 'number') {
      if (isMisfit(fd.errno)) await this.#add(itemOf(key, { gone: true }));
      else this.#fail(key, fd.call, fd.errno);
      return;
    }
    try {
      await this.#digestOpen(key, fd);
    } finally {
      store.fs.close(fd);
    }
  }

  async #digestOpen(key: PathKey, fd: Fd): Promise<void> {
    const block = new Uint8Array(this.#blockBytes);
    const limit = this.#deps.itemDigests ?? ITEM_DIGESTS;
    let from = 0;
    let digests: Uint8Array[] = [];
    for (let offset = 0; ;) {
      const count = await this.#readBlock(fd, block, offset);
      if (this.#stopped) return;
      if (count < 0) return this.#fail(key, 'read', -count);
      if (count > 0) digests.push(sha256(block.subarray(0, count)));
      offset += count;
      const last = count < block.length;
      if (!last && digests.length < limit) continue;
      const joined = Buffer.concat(digests, digests.length * DIGEST_BYTES);
      await this.#add(itemOf(key, { offset: from, digests: joined, last, size: offset }));
      if (last || this.#stopped) return;
      digests = [];
      from = offset;
    }
  }

  /** Reads until the block is full or the file ends. */
  async #readBlock(fd: Fd, block: Uint8Array, offset: number): Promise<number> {
    let done = 0;
    while (done < block.length && !this.#stopped) {
      const count = await this.#deps.background.read(fd, block.subarray(done), offset + done);
      if (count < 0 && -count !== EINTR) return count;
      if (count === 0) break;
      if (count > 0) done += count;
    }
    return done;
  }

  async #add(item: CompareItem): Promise<void> {
    this.#items.push(item);
    this.#bytes += ITEM_BYTES + item.path.length + item.digests.length;
    if (this.#bytes >= BATCH_BYTES || this.#items.length >= BATCH_ITEMS) await this.#flush();
  }

  async #flush(): Promise<void> {
    while (this.#underWay.size >= BATCHES_MAX && !this.#stopped) {
      await new Promise<void>((resume) => this.#waiting.push(resume));
    }
    // Another reader may have sent them while this one waited.
    if (this.#stopped || this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    this.#lastId += 1;
    const finished = items.filter((item) => item.last).map((item) => keyOf(item.path));
    this.#underWay.set(this.#lastId, finished);
    this.#deps.send(this.#lastId, items);
  }

  #fail(key: PathKey, call: string, errno: number): void {
    const name = errnoName(errno);
    this.#deps.failed(`Cannot read ${readable(key)} of the copy to compare it: ${call}: ${name}`);
  }
}

function itemOf(key: PathKey, parts: Partial<Omit<CompareItem, 'path'>>): CompareItem {
  const nothing = { gone: false, offset: 0, size: 0, digests: NO_DIGESTS, last: true };
  return { path: pathOf(key), ...nothing, ...parts };
}
