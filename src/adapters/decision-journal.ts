/**
 * Writes the recording of decisions (`src/runtime/recording.ts`), never in the way of deciding: lines
 * are handed over in memory and written behind, one write at a time; what is not yet written when the
 * process ends by itself is written then. Nothing waits for the disk, and nothing is synced: the
 * recording tells of a crash of the process, not of the machine's.
 *
 * Segments of bounded size, closed ones compressed, the oldest removed beyond a total. A write that
 * fails, a disk that doesn't keep up, or one that is nearly full ends the recording (a gap would make
 * the rest worthless) with a word to `stopped`; the next life of control begins a new one.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  statfsSync,
  write,
  writeSync,
} from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import { FORMATS } from '../protocol/versions.ts';
import { decisionFileName, listDecisionFiles } from './decision-files.ts';

export interface DecisionJournal {
  write(line: string): void;
  close(): Promise<void>;
}

export interface JournalLimits {
  /** Of a segment before it is compressed. */
  readonly segmentBytesMax: number;
  /** Of all files together. */
  readonly bytesMax: number;
  readonly filesMax: number;
  /** Room that is left to the votes. */
  readonly freeBytesMin: number;
  /** Handed over and not yet written. */
  readonly queueBytesMax: number;
}

const LIMITS: JournalLimits = {
  segmentBytesMax: 4 * 1024 * 1024,
  bytesMax: 64 * 1024 * 1024,
  filesMax: 200,
  freeBytesMin: 256 * 1024 * 1024,
  queueBytesMax: 8 * 1024 * 1024,
};
/** How long lines are gathered. */
const GATHER_MS = 20;

export interface JournalOptions {
  readonly folder: string;
  /** The first line of each segment. */
  readonly head: string;
  readonly log: Log;
  /** The recording has ended before its time; called once, later than the call that led to it. */
  readonly stopped: (reason: string) => void;
  readonly limits?: Partial<JournalLimits> | undefined;
}

const compress = promisify(gzip);
const writeSome = promisify(write);

/** Never fails: where nothing can be recorded `stopped` says why. */
export function openDecisionJournal(options: JournalOptions): DecisionJournal {
  return new Journal(options);
}

class Journal implements DecisionJournal {
  readonly #options: JournalOptions;
  readonly #limits: JournalLimits;
  readonly #run: number;
  #segment = 0;
  #fd: number | undefined;
  #bytes = 0;
  #queue: string[] = [];
  #queued = 0;
  #timer: NodeJS.Timeout | undefined;
  #working: Promise<void> | undefined;
  #compressing: Promise<void> = Promise.resolve();
  #ended = false;
  readonly #atExit = (): void => this.#writeRest();

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    let run = 1;
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      run = (this.#files().at(-1)?.run ?? 0) + 1;
      this.#openNext(run);
    } catch (error) {
      this.#stop(messageOf(error));
    }
    this.#run = run;
    process.once('exit', this.#atExit);
  }

  write(line: string): void {
    if (this.#ended) return;
    this.#queue.push(line);
    this.#queued += line.length;
    if (this.#queued > this.#limits.queueBytesMax) return this.#stop('the disk does not keep up');
    this.#timer ??= setTimeout(() => this.#work(), GATHER_MS).unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#working;
    await this.#compressing;
    this.#writeRest();
    process.off('exit', this.#atExit);
  }

  #work(): void {
    this.#timer = undefined;
    if (this.#working !== undefined || this.#ended) return;
    this.#working = this.#writeQueue()
      .catch((error: unknown) => this.#stop(messageOf(error)))
      .then(() => {
        this.#working = undefined;
        if (this.#queue.length > 0 && !this.#ended) this.#timer ??= this.#soon();
      });
  }

  #soon(): NodeJS.Timeout {
    return setTimeout(() => this.#work(), GATHER_MS).unref();
  }

  async #writeQueue(): Promise<void> {
    const bytes = Buffer.from(this.#takeQueue());
    const fd = this.#fd;
    if (fd === undefined) return;
    await writeAll(fd, bytes);
    this.#bytes += bytes.length;
    if (this.#bytes < this.#limits.segmentBytesMax || this.#ended) return;
    const full = join(this.#options.folder, decisionFileName(this.#run, this.#segment));
    closeSync(fd);
    this.#fd = undefined;
    this.#openNext(this.#run);
    this.#compressing = this.#compressing
      .then(() => this.#compress(full))
      .catch((error: unknown) => {
        const { log } = this.#options;
        log.warn('a recording stays uncompressed', { path: full, error: messageOf(error) });
      });
  }

  #takeQueue(): string {
    const text = this.#queue.join('');
    this.#queue = [];
    this.#queued = 0;
    return text;
  }

  #openNext(run: number): void {
    const { folder, head } = this.#options;
    this.#makeRoom();
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    if (free < this.#limits.freeBytesMin) {
      const mebibytes = Math.floor(free / 1024 / 1024);
      throw new Error(`only ${mebibytes} MiB are free, and these are left to the votes`);
    }
    this.#segment += 1;
    this.#fd = openSync(join(folder, decisionFileName(run, this.#segment)), 'wx', 0o600);
    this.#bytes = writeSync(this.#fd, head);
    if (this.#bytes < Buffer.byteLength(head)) throw new Error('only a part could be written');
  }

  /** Oldest first, never one of another format. */
  #makeRoom(): void {
    const { folder } = this.#options;
    const files = this.#files().map(({ name }) => {
      const path = join(folder, name);
      return { path, bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
    });
    let total = files.reduce((sum, { bytes }) => sum + bytes, 0) + this.#limits.segmentBytesMax;
    let count = files.length + 1;
    for (const { path, bytes } of files) {
      if (total <= this.#limits.bytesMax && count <= this.#limits.filesMax) return;
      rmSync(path, { force: true });
      total -= bytes;
      count -= 1;
    }
  }

  #files(): ReturnType<typeof listDecisionFiles> {
    return listDecisionFiles(this.#options.folder).filter(
      ({ format }) => format === FORMATS.decisions,
    );
  }

  async #compress(path: string): Promise<void> {
    const { folder } = this.#options;
    // One at a time; what a kill leaves behind is written over.
    const half = join(folder, 'compressing.tmp');
    await writeFile(half, await compress(await readFile(path)), { mode: 0o600 });
    await rename(half, `${path}.gz`);
    await rm(path);
  }

  /** Now, and not behind: the process ends. */
  #writeRest(): void {
    const text = this.#takeQueue();
    if (this.#fd === undefined) return;
    try {
      // A write under way is lost with the process; what comes behind it must not stand alone.
      if (this.#working === undefined && text !== '') writeSync(this.#fd, text);
    } catch (error) {
      const { folder, log } = this.#options;
      log.warn('the end of a recording is lost', { path: folder, error: messageOf(error) });
    }
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#ended = true;
  }

  #stop(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#takeQueue();
    const { folder, log, stopped } = this.#options;
    log.warn('decisions are recorded no longer', { path: folder, reason });
    setImmediate(() => stopped(reason));
  }
}

async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await writeSome(fd, bytes, done);
    if (bytesWritten === 0) throw new Error('nothing more could be written');
    done += bytesWritten;
  }
}
