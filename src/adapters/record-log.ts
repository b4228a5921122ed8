/**
 * The record log: a {@link StateStore} on disk. Two files of equal content, `PATH` and `PATH.2`,
 * so that a damaged last entry can be told from one that a crash tore, and one bad sector costs
 * nothing (see record-log-recovery.ts; the bytes: record-log-format.ts).
 *
 * - A put is written to both files and both are fdatasynced before it resolves. Puts that arrive
 *   meanwhile share the next write (group commit).
 * - Every opening, and a file that has grown large, writes both files anew (temporary file, fsync,
 *   rename, fsync of the directory). So nothing is ever appended behind bytes that a failed or
 *   interrupted write may have left in the page cache only.
 * - `PATH.lock` is held while open. The first error of a write or sync is final.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { StateStore } from '../ports/state-store.ts';
import { FORMATS } from '../protocol/versions.ts';
import { errnoCode } from './errno-code.ts';
import { type FileLock, tryLockFile } from './flock.ts';
import { type Put, encodeCommit, encodeFile, scanFile } from './record-log-format.ts';
import { newerFormat } from './newer-format.ts';
import { judgeFiles } from './record-log-recovery.ts';
import { syncDirectory } from './replace-file.ts';

/** A file larger than this, and four times the state that it holds, is written anew. */
const COMPACT_BYTES_MIN = 256 * 1024;
const COMPACT_FACTOR = 4;
const WAITING_MAX = 8192;

export interface RecordLogOptions<T> {
  readonly path: string;
  readonly log: Log;
  /** Undefined for what is not a value of this store: it then refuses to open. */
  readonly decode: (value: unknown) => T | undefined;
  /** For tests: compact beyond this size. */
  readonly compactBytesMin?: number | undefined;
}

interface Waiting {
  readonly put: Put;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Opens or creates. Rejects with a TakoError when it is open elsewhere or damaged. */
export async function openRecordLog<T>(options: RecordLogOptions<T>): Promise<StateStore<T>> {
  const { path } = options;
  const lock = tryLockFile(`${path}.lock`);
  if (lock === undefined) {
    throw new TakoError('store-failed', `Cannot open "${path}": another process has it open`, {
      next: 'Stop the other Tako that uses the same state directory',
    });
  }
  try {
    const found = await recover(options);
    const store = new RecordLog<T>({ ...options, lock, ...found });
    await store.rewrite();
    return store;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function recover<T>(options: RecordLogOptions<T>) {
  const { path, log, decode } = options;
  const files = await Promise.all(filesOf(path).map(readIfThere));
  const verdict = judgeFiles(files.map((bytes) => (bytes ? scanFile(bytes) : undefined)));
  const entries = new Map<string, T>();
  if (verdict.type === 'new') return { entries, generation: 0, id: randomBytes(8).toString('hex') };
  if (verdict.type === 'newer') {
    throw newerFormat(path, { found: verdict.version, known: FORMATS.recordLog });
  }
  if (verdict.type === 'refuse') throw damaged(path, verdict.reason);
  for (const warning of verdict.warnings) log.warn('state file repaired', { path, warning });
  for (const [key, value] of verdict.file.commits.flat()) {
    const decoded = decode(value);
    if (decoded === undefined) throw damaged(path, `the entry of "${key}" is not understood`);
    entries.set(key, decoded);
  }
  const { generation, id } = verdict.file;
  return { entries, generation, id };
}

class RecordLog<T> implements StateStore<T> {
  readonly #options: RecordLogOptions<T>;
  readonly #lock: FileLock;
  readonly #entries: Map<string, T>;
  readonly id: string;
  #generation: number;
  #files: readonly FileHandle[] = [];
  #seq = 0;
  #bytes = 0;
  #compactBeyond = 0;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(
    options: RecordLogOptions<T> & {
      readonly lock: FileLock;
      readonly entries: Map<string, T>;
      readonly generation: number;
      readonly id: string;
    },
  ) {
    this.#options = options;
    this.#lock = options.lock;
    this.#entries = options.entries;
    this.#generation = options.generation;
    this.id = options.id;
  }

  entries(): ReadonlyMap<string, T> {
    return this.#entries;
  }

  put(key: string, value: T): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#waiting.length >= WAITING_MAX) {
      const text = `Cannot write "${this.#options.path}": ${WAITING_MAX} changes wait already`;
      return Promise.reject(new TakoError('busy', text));
    }
    this.#entries.set(key, value);
    // A copy, so that what is written is what was put, whatever happens to the object meanwhile.
    const put: Put = [key, structuredClone(value)];
    return new Promise((resolve, reject) => {
      this.#waiting.push({ put, resolve, reject });
      this.#work ??= this.#commitAll();
    });
  }

  async close(): Promise<void> {
    await this.#work;
    this.#failure ??= new TakoError('store-failed', `"${this.#options.path}" is closed`);
    await Promise.allSettled(this.#files.map((file) => file.close()));
    this.#lock.release();
  }

  /** Writes both files anew, one after the other, so that one is good at any moment. */
  async rewrite(): Promise<void> {
    const { path } = this.#options;
    const bytes = encodeFile({ generation: this.#generation + 1, id: this.id }, [...this.#entries]);
    const old = this.#files;
    const files: FileHandle[] = [];
    this.#files = files;
    try {
      for (const name of filesOf(path)) files.push(await replaceOpen(name, bytes));
      await syncDirectory(dirname(path));
    } catch (cause) {
      throw this.#fail('write', cause);
    } finally {
      await Promise.allSettled(old.map((file) => file.close()));
    }
    this.#generation += 1;
    this.#seq = 1;
    this.#bytes = bytes.length;
    const least = this.#options.compactBytesMin ?? COMPACT_BYTES_MIN;
    this.#compactBeyond = Math.max(least, COMPACT_FACTOR * bytes.length);
  }

  async #commitAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#commit(batch.map((waiting) => waiting.put));
        for (const waiting of batch) waiting.resolve();
      } catch (cause) {
        const error = this.#fail('write', cause);
        for (const waiting of [...batch, ...this.#waiting]) waiting.reject(error);
        this.#waiting = [];
      }
    }
    this.#work = undefined;
  }

  async #commit(puts: readonly Put[]): Promise<void> {
    // The map holds what is put here already, so writing anew is a commit as well.
    if (this.#bytes > this.#compactBeyond) return await this.rewrite();
    const frame = encodeCommit(this.#seq + 1, puts);
    const at = this.#bytes;
    await Promise.all(
      this.#files.map(async (file) => {
        await writeFully(file, frame, at);
        await file.datasync();
      }),
    );
    this.#seq += 1;
    this.#bytes += frame.length;
  }

  #fail(what: string, cause: unknown): Error {
    const { path, log } = this.#options;
    if (this.#failure !== undefined) return this.#failure;
    const text = `Cannot ${what} "${path}": ${messageOf(cause)}`;
    const next = 'Check the disk and the free space of the state directory, then restart Tako';
    this.#failure = new TakoError('store-failed', text, { cause, next });
    log.error('state storage failed, it is not used any more', { path, error: messageOf(cause) });
    return this.#failure;
  }
}

function filesOf(path: string): readonly string[] {
  return [path, `${path}.2`];
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (errnoCode(cause) === 'ENOENT') return undefined;
    throw new TakoError('store-failed', `Cannot read "${path}": ${messageOf(cause)}`, { cause });
  }
}

/** Leaves the new file open for appending. */
async function replaceOpen(path: string, bytes: Buffer): Promise<FileHandle> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await writeFully(file, bytes, 0);
    await file.sync();
    await rename(temporary, path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw new Error('the kernel wrote nothing');
    done += bytesWritten;
  }
}

function damaged(path: string, reason: string): TakoError {
  return new TakoError('store-failed', `Cannot use "${path}": it is damaged: ${reason}`, {
    next:
      'Look for the cause (disk, file system, copying by hand). This node may have forgotten ' +
      'votes that it gave, so do not just delete the file while the other voters may need them: ' +
      'see docs/internals/storage.md',
  });
}
