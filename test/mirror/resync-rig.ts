/**
 * A resync in one process: source and target are the real ones on two real directories, joined by
 * an ordered channel in memory; everything that can happen at any time happens when the seed says.
 *
 * A writer changes the source's tree whenever nobody holds the lock: between the steps of the
 * source, and also *within* them, before each system call that the source makes without the lock
 * and while it waits for the lock. The copy applies entries at such moments too, and its reads for
 * digests are done at one moment and reported at another.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/adapters/log.ts';
import type { Background } from '../../src/adapters/mirror/copy/background.ts';
import { RENAME_EXCHANGE } from '../../src/adapters/mirror/copy/change-applier.ts';
import { FileCopyNote } from '../../src/adapters/mirror/copy/copy-note.ts';
import { CopyReplica } from '../../src/adapters/mirror/copy/copy-replica.ts';
import { keyOf, pathOf } from '../../src/adapters/mirror/copy/paths.ts';
import { StoreResyncSource } from '../../src/adapters/mirror/copy/resync-source.ts';
import { S_IFDIR, S_IFREG, newFileStat, typeOf } from '../../src/adapters/mirror/copy/store.ts';
import { LinuxFileSystem } from '../../src/adapters/system/file-system.ts';
import { Prng } from '../../src/base/prng.ts';
import { DirtyMap } from '../../src/core/mirror/dirty-map.ts';
import type { FileSystem } from '../../src/ports/file-system.ts';
import type { StreamEntry } from '../../src/ports/replica.ts';
import type { ResyncProgress } from '../../src/ports/resync.ts';
import type { Change, Path } from '../../src/protocol/change.ts';
import { type DirtyExtent, type DirtyPaths, dirtiedBy } from '../../src/protocol/dirty-paths.ts';
import type { Epoch, MirrorId } from '../../src/protocol/ids.ts';
import { type CompareOptions, compareTrees } from './compare-trees.ts';
import { RegionRecorder } from './recorded-regions.ts';
import { RandomWriter } from './random-writer.ts';

export interface RigOptions {
  readonly seed: number;
  /** Changes that the writer makes while the resync runs. */
  readonly liveChanges: number;
  /** What the writer does; a random change when not given. */
  readonly write?: ((writer: RandomWriter, random: Prng) => void) | undefined;
  /** Changes of the source's tree before it all, of both, and of the copy's after that. */
  readonly before?: { readonly source: number; readonly copy: number } | undefined;
  /**
   * Both trees are equal after those changes of the source's; then so many more, of which the copy gets
   * only the first ones, and of the others perhaps a part. What they touch is known to the source.
   */
  readonly away?:
    { readonly before: number; readonly missed: number; readonly links: number } | undefined;
  /**
   * Both trees are equal after changes; then the copy's makes so many more as the primary, of which the
   * source gets only the first ones, and parts of them are lost on the copy; then the source's makes
   * some. What the copy changed is known by regions, what the source changed to the source.
   */
  readonly former?:
    | {
        readonly before: number;
        readonly own: number;
        readonly since: number;
        readonly links: number;
      }
    | undefined;
  /** The writer goes on until the resync is over. */
  readonly endless?: boolean | undefined;
  /** Real block size and bounds, and no calls in between: for figures. */
  readonly plain?: boolean | undefined;
}

interface Job {
  readonly perform: () => number;
  readonly resolve: (result: number) => void;
  result: number | undefined;
}

const STEPS_MAX = 400_000;
const SMALL_FILE_BYTES = 256;
const CHANNEL_MAX = 200;

export class ResyncRig {
  readonly random: Prng;
  readonly sourcePath: string;
  readonly copyPath: string;
  readonly writer: RandomWriter;
  readonly failures: string[] = [];
  readonly progress: ResyncProgress[] = [];
  readonly synced: number[] = [];
  readonly note: FileCopyNote;
  readonly replica: CopyReplica;
  readonly #makeSource: () => StoreResyncSource;
  readonly counts = { entries: 0, bytes: 0, answers: 0, live: 0, rounds: 0 };
  readonly #options: RigOptions;
  readonly #directory: string;
  readonly #fds: readonly [number, number];
  readonly #system = new LinuxFileSystem();
  #channel: StreamEntry[] = [];
  #answers: Uint8Array[] = [];
  #jobs: Job[] = [];
  #work: (() => void)[] = [];
  #locked = false;
  #busy = false;
  #source: StoreResyncSource | undefined;
  #finished = false;
  /** What can differ, when that is known. */
  #dirty: DirtyPaths | undefined;
  #linkLost = false;
  /** What the copy changed as the primary. */
  #own: DirtyPaths | undefined;

  constructor(options: RigOptions) {
    this.#options = options;
    this.random = new Prng(options.seed);
    this.#directory = mkdtempSync(join(tmpdir(), 'tako-resync-'));
    this.sourcePath = join(this.#directory, 'source');
    this.copyPath = join(this.#directory, 'copy');
    for (const path of [this.sourcePath, this.copyPath]) mkdirSync(path);
    this.#fds = [openSync(this.sourcePath, 'r'), openSync(this.copyPath, 'r')];
    const [root, copyRoot] = this.#fds;
    this.#diverge(root, copyRoot);
    this.#goAway(root, copyRoot);
    this.#failOver(root, copyRoot);
    this.writer = new RandomWriter({
      random: this.random,
      root,
      links: (options.away ?? options.former)?.links,
      enter: (change) => this.#seeLinks(root, change),
      changed: (change) => this.#push({ kind: 'change', seq: 0, change }),
    });
    const store = { fs: this.#system, root: copyRoot };
    const file = join(this.#directory, 'state', 'note.json');
    const background = this.#background();
    const log = createLog({ name: 'resync rig', level: 'silent' });
    this.note = new FileCopyNote({ file, mirror: 'g.r' as MirrorId, store, background, log });
    const plain = options.plain === true;
    this.replica = new CopyReplica({
      store,
      note: this.note,
      background,
      ...(plain
        ? {}
        : {
            openFilesMax: 1 + this.random.below(4),
            itemDigests: 1 + this.random.below(4),
            pendingMax: options.endless === true ? 1000 : this.random.pick([2, 4, 1000]),
          }),
    });
    this.#makeSource = () =>
      new StoreResyncSource({
        store: { fs: plain ? this.#system : this.#interrupted(), root },
        stream: {
          enter: () => {
            if (!plain) this.#meanwhile(0.5);
            this.#locked = true;
          },
          leave: () => {
            this.#locked = false;
          },
          append: (entry) => {
            if (entry.kind === 'change')
              this.#push({ kind: 'change', seq: 0, change: entry.change });
            else this.#push({ kind: 'resync', seq: 0, body: entry.body });
            return true;
          },
          finish: () => {
            if (!plain) this.#meanwhile(0.5);
            this.#push({ kind: 'barrier', seq: 0, clean: false });
            this.#finished = true;
            return true;
          },
        },
        report: {
          progress: (progress) => this.progress.push(progress),
          failed: (reason) => this.failures.push(`source: ${reason}`),
        },
        schedule: (work) => this.#work.push(work),
        dirty:
          this.#dirty === undefined
            ? undefined
            : {
                paths: this.#dirty,
                linkLost: () => this.#linkLost,
                asksOwn: this.#own !== undefined,
              },
        smallFileBytes: SMALL_FILE_BYTES,
        ...(plain
          ? {}
          : {
              blockBytes: this.random.pick([16, 64, 128]),
              lockedEntriesMax: this.random.pick([1, 3, 128]),
              windowFiles: 1 + this.random.below(8),
            }),
      });
  }

  /** The barrier was entered: from here on the copy is strict. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Only what is known to have changed is compared, as far as files with several names allow. */
  get partial(): boolean {
    return this.#dirty !== undefined;
  }

  /** Instead of what `away` gives: all that can differ. */
  knowDirty(paths: Readonly<Record<string, DirtyExtent>>): void {
    this.#dirty = new Map(Object.entries(paths));
  }

  begin(): void {
    this.replica.begin(
      { epoch: 1 as Epoch, session: 'rig', from: 0, mode: 'resync', own: this.#own },
      {
        synced: (seq) => this.synced.push(seq),
        stored: () => undefined,
        answer: (body) => this.#answers.push(body),
        failed: (reason) => this.failures.push(`copy: ${reason}`),
      },
    );
    this.#finished = false;
    const source = this.#makeSource();
    this.#source = source;
    source.start();
  }

  /** Runs until all is quiet, or something failed. */
  async run(): Promise<void> {
    for (let steps = 0; this.failures.length === 0; steps += 1) {
      if (steps > STEPS_MAX) {
        this.failures.push(`no end after ${STEPS_MAX} steps`);
        return;
      }
      if (!(await this.step())) return;
    }
  }

  /** One thing that can happen; false when nothing can. */
  async step(): Promise<boolean> {
    const can = [
      ...(this.#mayWrite() ? [() => this.#write()] : []),
      ...(this.#channel.length > 0 ? [() => this.#deliver(1 + this.random.below(10))] : []),
      ...(this.#answers.length > 0 ? [() => this.#answer()] : []),
      ...(this.#work.length > 0 ? [() => this.#work.shift()?.()] : []),
      ...(this.#jobs.length > 0 ? [() => this.#report()] : []),
    ];
    if (can.length === 0) return false;
    const act = this.random.pick(can);
    act();
    // What the copy does with a read goes on in promises.
    for (let i = 0; i < 12; i += 1) await Promise.resolve();
    return true;
  }

  /** More changes after the resync; the copy takes them strictly. */
  async follow(changes: number): Promise<void> {
    for (let i = 0; i < changes; i += 1) this.#write();
    await this.run();
  }

  compare(options: CompareOptions = { times: 'none' }): readonly string[] {
    return compareTrees(this.sourcePath, this.copyPath, options);
  }

  /** Cuts the connection: nothing more arrives, either way. */
  async cut(): Promise<void> {
    this.#source?.stop();
    this.#source = undefined;
    this.#channel = [];
    this.#answers = [];
    this.#work = [];
    const ended = this.replica.end();
    for (const job of this.#jobs) job.resolve(job.result ?? job.perform());
    this.#jobs = [];
    await ended;
  }

  async close(): Promise<void> {
    await this.cut();
    for (const fd of this.#fds) closeSync(fd);
    rmSync(this.#directory, { recursive: true });
  }

  #diverge(root: number, copyRoot: number): void {
    const { before } = this.#options;
    if (before === undefined) return;
    const copy = new RandomWriter({ random: this.random, root: copyRoot });
    const source = new RandomWriter({
      random: this.random,
      root,
      changed: (change) => copy.perform(change),
    });
    source.run(before.source);
    const alone = new RandomWriter({ random: this.random, root });
    alone.run(before.copy);
    copy.refresh();
    copy.run(before.copy);
  }

  #goAway(root: number, copyRoot: number): void {
    const { away } = this.#options;
    if (away === undefined) return;
    const copy = new RandomWriter({ random: this.random, root: copyRoot });
    const map = new DirtyMap(0);
    let [seq, applied] = [0, Infinity];
    const source = new RandomWriter({
      random: this.random,
      root,
      links: away.links,
      enter: (change) => this.#seeLinks(root, change),
      changed: (change) => {
        if (seq < applied) copy.perform(change);
        if (applied === Infinity) return;
        seq += 1;
        dirtiedBy(change, (path, extent) => map.add(seq, keyOf(path), extent));
        if (this.random.chance(0.1)) map.beginGeneration();
      },
    });
    source.run(away.before);
    this.#linkLost = false;
    applied = this.random.below(away.missed + 1);
    source.run(away.missed);
    const known = map.since(0);
    const stat = newFileStat();
    for (const [key, extent] of known ?? []) {
      const path = pathOf(key);
      const found = this.#system.stat(copyRoot, path, stat) >= 0;
      const isFile = found && typeOf(stat.mode) === S_IFREG;
      if (extent === 'tree' && isFile && this.random.chance(0.3)) this.#spoil(copy, path);
    }
    this.#dirty = this.#linkLost ? undefined : known;
  }

  #failOver(root: number, copyRoot: number): void {
    const { former } = this.#options;
    if (former === undefined) return;
    const fs = this.#system;
    const recorder = new RegionRecorder({ fs, root: copyRoot, smallFileBytes: SMALL_FILE_BYTES });
    const source = new RandomWriter({ random: this.random, root });
    let [made, records] = [0, false];
    let took = Infinity;
    const copy = new RandomWriter({
      random: this.random,
      root: copyRoot,
      links: former.links,
      enter: (change) => {
        if (records) recorder.record(change);
      },
      changed: (change) => {
        if (made < took) source.perform(change);
        made += 1;
      },
    });
    copy.run(former.before);
    [made, records] = [0, true];
    took = this.random.below(former.own + 1);
    copy.run(former.own);
    // Whatever lies in a region may be there or not, in any shape.
    [made, records] = [Infinity, false];
    const recorded = (change: Change): boolean => recorder.missing(change).length === 0;
    for (let i = this.random.below(60); i > 0; i -= 1) copy.attempt(recorded);
    this.#dirty = this.#changedAlone(root, former);
    // Otherwise everything is compared, and nothing is asked.
    if (this.#dirty !== undefined) this.#own = recorder.regions.all;
  }

  #changedAlone(
    root: number,
    { since, links }: { readonly since: number; readonly links: number },
  ): DirtyPaths | undefined {
    const map = new DirtyMap(0);
    let seq = 0;
    const source = new RandomWriter({
      random: this.random,
      root,
      links,
      enter: (change) => this.#seeLinks(root, change),
      changed: (change) => {
        seq += 1;
        dirtiedBy(change, (path, extent) => map.add(seq, keyOf(path), extent));
      },
    });
    this.#linkLost = false;
    source.run(since);
    return this.#linkLost ? undefined : map.since(0);
  }

  /** What was written there last, and is not on stable storage, may be lost in part. */
  #spoil(copy: RandomWriter, path: Path): void {
    const data = Buffer.from('lost in part');
    if (this.random.chance(0.5)) copy.perform({ type: 'truncate', path, size: 3 });
    else copy.perform({ type: 'write', path, offset: 5, data });
  }

  /** As the operations on the mount see it: a file is about to lose one of several names. */
  #seeLinks(root: number, change: Change): void {
    const replaces = change.type === 'rename' && (change.flags & RENAME_EXCHANGE) === 0;
    if (change.type !== 'unlink' && !replaces) return;
    const stat = newFileStat();
    if (this.#system.stat(root, change.path, stat) < 0) return;
    if (stat.nlink > 1 && typeOf(stat.mode) !== S_IFDIR) this.#linkLost = true;
  }

  #push(entry: StreamEntry): void {
    this.counts.entries += 1;
    if (entry.kind === 'resync') this.counts.bytes += entry.body.length;
    if (entry.kind === 'resync' && entry.body[0] === 9) this.counts.rounds += 1;
    const seq = this.counts.entries;
    // The real stream copies: what the sender reuses must not change what was sent.
    const copied = entry.kind === 'resync' ? { ...entry, body: entry.body.slice() } : entry;
    this.#channel.push({ ...copied, seq });
  }

  #mayWrite(): boolean {
    if (this.#options.endless === true && this.#finished) return false;
    // The real stream is a ring: who writes into a full one waits.
    if (this.#channel.length >= CHANNEL_MAX) return false;
    return this.counts.live < this.#options.liveChanges;
  }

  #write(): void {
    this.counts.live += 1;
    const { write } = this.#options;
    if (write === undefined) this.writer.step();
    else write(this.writer, this.random);
  }

  #deliver(count: number): void {
    for (const entry of this.#channel.splice(0, count)) this.replica.apply(entry);
  }

  #answer(): void {
    const body = this.#answers.shift();
    this.counts.answers += 1;
    if (body !== undefined) this.#source?.receive(body);
  }

  /** Called where others may run although a step is under way. */
  #meanwhile(chance: number): void {
    if (this.#busy || this.#locked || this.#source === undefined) return;
    this.#busy = true;
    while (this.random.chance(chance)) {
      const what = this.random.below(3);
      if (what === 0 && this.#mayWrite()) this.#write();
      else if (what === 1) this.#deliver(1 + this.random.below(3));
      else if (this.#jobs.length > 0) this.#perform(this.random.pick(this.#jobs));
    }
    this.#busy = false;
  }

  #perform(job: Job): void {
    job.result ??= job.perform();
  }

  #report(): void {
    const [job] = this.#jobs.splice(this.random.below(this.#jobs.length), 1);
    if (job === undefined) return;
    this.#perform(job);
    job.resolve(job.result ?? 0);
  }

  #background(): Background {
    const later = (perform: () => number): Promise<number> =>
      new Promise((resolve) => this.#jobs.push({ perform, resolve, result: undefined }));
    return {
      read: (fd, into, offset) => later(() => this.#system.read(fd, into, offset)),
      sync: () => later(() => 0),
      syncVolume: () => later(() => 0),
    };
  }

  /** The source's file system: others may come in before each of its calls without the lock. */
  #interrupted(): FileSystem {
    return new Proxy<FileSystem>(this.#system, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]): unknown => {
          this.#meanwhile(0.2);
          return Reflect.apply(method, target, args);
        };
      },
    });
  }
}
