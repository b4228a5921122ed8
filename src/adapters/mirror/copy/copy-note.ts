/**
 * `STATEDIR/mirrors/MIRROR.json`: what this node's copy is worth. Written beside itself, synced,
 * renamed, and the directory synced, so that a crash at any step leaves the old note or the new
 * one. `dirty` is on disk before the first change; `clean` only once everything of the copy is on
 * stable storage, and only while nothing has changed since. So what is read after a crash can be
 * trusted, and a switchover waits neither for the disk's backlog nor for a note: the `clean` of
 * its first half is void again, and the disk still says `dirty`, when the second half begins.
 *
 *     no file   the directory decides: empty, or foreign (never to be overwritten)
 *     dirty     in use, or was when the machine died: a resync is needed
 *     syncing   a resync was under way: as dirty, and the copy is torn
 *     clean     equal to all copies with the same epoch and position
 *
 * The note also names the directory that the copy is in (`directory-identity.ts`): with another one in
 * its place, most likely because a disk is not mounted, nothing can be opened, served or overwritten
 * until a person says what is to become of it.
 *
 * With `dirty`, `stored` says up to which entry of which stream everything is on stable storage: behind
 * that, the copy differs from that stream's primary only where something was changed since. A stream is one
 * run of one primary at one epoch, which nobody follows any more once another node has served.
 *
 * `base`, if there: the epoch of the primary by whose resync all that was there before was overwritten.
 *
 * A file that is there but cannot be understood stands for a copy of unknown worth: `dirty`. One that
 * a newer release wrote is refused, and left as it is.
 */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TakoError, messageOf } from '../../../base/tako-error.ts';
import type { Log } from '../../../ports/log.ts';
import type { CopyNote, CopyState } from '../../../ports/replica.ts';
import type { Background } from './background.ts';
import {
  anotherDirectory,
  directoryIdentity,
  forgetVouched,
  readVouched,
} from './directory-identity.ts';
import type { Epoch, MirrorId } from '../../../protocol/ids.ts';
import type { Checkpoint } from '../../../protocol/mirror-frames.ts';
import { FORMATS } from '../../../protocol/versions.ts';
import { newerFormat } from '../../newer-format.ts';
import { replaceFileSync, syncDirectory, writeNewFile } from '../../replace-file.ts';
import { LOST_AND_FOUND, ROOT_KEY, keyOf } from './paths.ts';
import { listDirectory } from './remove-tree.ts';
import { type Store, errnoName } from './store.ts';

const VERSION = FORMATS.copyNote;
/** A copy that has not changed for so long is noted `clean` on disk. */
const CLEAN_AFTER_MS = 1000;

type Clean = Extract<CopyState, { state: 'clean' }>;
type Written = Clean | Extract<CopyState, { state: 'dirty' }>;

export interface CopyNoteOptions {
  readonly file: string;
  readonly mirror: MirrorId;
  readonly store: Store;
  readonly background: Pick<Background, 'syncVolume'>;
  readonly log: Log;
}

export class FileCopyNote implements CopyNote {
  readonly #options: CopyNoteOptions;
  /** What the disk says. */
  #written: Written | undefined;
  /** What it is to say when nothing changes meanwhile. */
  #due: Clean | undefined;
  /** The epoch of the last primary that overwrote all that was there. */
  #base: Epoch | undefined;
  #checkpoint: Checkpoint | undefined;
  /** Grows with everything that makes void what is being written aside. */
  #writings = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Set once the directory was looked at, for a copy without a note. */
  #first: CopyState | undefined;
  readonly #directory: string;

  /** Throws a `TakoError` when there is a note that cannot be read, or that of another directory. */
  constructor(options: CopyNoteOptions) {
    this.#options = options;
    const { written, base, directory, checkpoint } = readNote(options);
    this.#directory = directoryIdentity(options.store.root);
    this.#written = written;
    this.#base = base;
    this.#checkpoint = checkpoint;
    if (written === undefined) return;
    if (directory === undefined) this.#put(written, base);
    else if (directory !== this.#directory) this.#takeOther();
    else forgetVouched(options.file);
  }

  /** Only with a person's word: what is in it is worth nothing otherwise. */
  #takeOther(): void {
    const { file, log } = this.#options;
    const vouched = readVouched(file);
    if (vouched === undefined) throw anotherDirectory(file);
    log.warn('another directory takes the place of the one that the copy was in', { vouched });
    if (vouched === 'complete') this.#put({ state: 'dirty' }, this.#base);
    else this.#put({ state: 'dirty', partial: true }, undefined);
    forgetVouched(file);
  }

  read(): CopyState {
    const known = this.#due ?? this.#written;
    if (known !== undefined) return known;
    const first = this.#first ?? { state: isEmpty(this.#options.store) ? 'empty' : 'foreign' };
    this.#first = first;
    return first;
  }

  readKept(before: Epoch): CopyState | { readonly state: 'kept' } {
    const state = this.read();
    if (state.state !== 'dirty' && state.state !== 'clean') return state;
    if (this.#base !== undefined && this.#base >= before) return state;
    return { state: isEmpty(this.#options.store) ? 'empty' : 'kept' };
  }

  write(state: Written): void {
    clearTimeout(this.#timer);
    this.#due = state.state === 'clean' ? state : undefined;
    if (this.#due === undefined) return this.#replace(state);
    this.#timer = setTimeout(() => {
      void this.settle();
    }, CLEAN_AFTER_MS).unref();
  }

  async settle(): Promise<void> {
    const due = this.#due;
    if (due === undefined) return;
    clearTimeout(this.#timer);
    const { background, log, store } = this.#options;
    const synced = await background.syncVolume(store.root);
    if (this.#due !== due) return;
    this.#due = undefined;
    try {
      if (synced < 0) throw new TakoError('store-failed', `syncfs: ${errnoName(-synced)}`);
      this.#replace(due);
    } catch (error) {
      const next = 'it will be compared as a whole; look at the disk of this node';
      log.warn('the copy cannot be noted as clean', { error: messageOf(error), next });
    }
  }

  get checkpoint(): Checkpoint | undefined {
    return this.#isWhole ? this.#checkpoint : undefined;
  }

  async noteCheckpoint(checkpoint: Checkpoint): Promise<boolean> {
    if (!this.#isWhole) return false;
    const { file, log } = this.#options;
    const writings = this.#writings;
    const aside = `${file}.checkpoint`;
    try {
      await writeNewFile(aside, this.#text({ state: 'dirty' }, this.#base, checkpoint));
      // Something else is to be noted now: it stays.
      if (this.#writings !== writings || !this.#isWhole) {
        await rm(aside, { force: true });
        return false;
      }
      renameSync(aside, file);
      this.#checkpoint = checkpoint;
      await syncDirectory(dirname(file));
      return true;
    } catch (error) {
      const next = 'check the space and the health of the file system with the state directory';
      log.warn('a checkpoint of the copy cannot be noted', { error: messageOf(error), next });
      return false;
    }
  }

  voidCheckpoint(): void {
    // One that is being written must not come behind this.
    this.#writings += 1;
    if (this.#checkpoint === undefined || this.#written === undefined) return;
    this.#checkpoint = undefined;
    this.#put(this.#written, this.#base);
  }

  /** In use, and not torn. */
  get #isWhole(): boolean {
    const known = this.read();
    return known.state === 'dirty' && known.partial !== true;
  }

  #replace(state: Written): void {
    const base = (state.state === 'dirty' ? state.base : undefined) ?? this.#base;
    if (!sameNote(this.#written, state) || base !== this.#base) this.#put(state, base);
  }

  #put(state: Written, base: Epoch | undefined): void {
    const { file } = this.#options;
    this.#writings += 1;
    this.#checkpoint = undefined;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      replaceFileSync(file, this.#text(state, base, undefined));
    } catch (cause) {
      // What is on disk is not known now; the next write must not be left out.
      this.#written = undefined;
      this.#first = { state: 'dirty' };
      throw new TakoError('store-failed', `Cannot write "${file}": ${messageOf(cause)}`, {
        next: 'Check the space and the health of the file system with the state directory',
        cause,
      });
    }
    this.#written = state;
    this.#base = base;
  }

  #text(state: Written, base: Epoch | undefined, stored: Checkpoint | undefined): string {
    const { mirror } = this.#options;
    const { epoch, seq } = state.state === 'clean' ? state : { epoch: undefined, seq: undefined };
    const word = state.state === 'dirty' && state.partial === true ? 'syncing' : state.state;
    const note = { version: VERSION, mirror, directory: this.#directory, state: word, epoch };
    return `${JSON.stringify({ ...note, sequence: seq, base, stored })}\n`;
  }
}

function isEmpty(store: Store): boolean {
  const entries = listDirectory(store, ROOT_KEY);
  if ('errno' in entries) {
    const cause = `${entries.call}: ${errnoName(entries.errno)}`;
    throw new TakoError('mirror-path', `Cannot list the directory of the mirror: ${cause}`);
  }
  return entries.every(({ name }) => keyOf(name) === LOST_AND_FOUND);
}

function sameNote(a: Written | undefined, b: Written): boolean {
  if (a === undefined || a.state !== b.state) return false;
  if (a.state === 'clean' && b.state === 'clean') return a.epoch === b.epoch && a.seq === b.seq;
  return (
    a.state === 'dirty' && b.state === 'dirty' && (a.partial === true) === (b.partial === true)
  );
}

interface Found {
  readonly written: Written | undefined;
  readonly base: Epoch | undefined;
  /** Undefined in the notes of former versions, and in what is not understood. */
  readonly directory: string | undefined;
  readonly checkpoint: Checkpoint | undefined;
}

function readNote(options: CopyNoteOptions): Found {
  const { file, mirror } = options;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      return { written: undefined, base: undefined, directory: undefined, checkpoint: undefined };
    }
    throw new TakoError('store-failed', `Cannot read "${file}": ${messageOf(cause)}`, { cause });
  }
  const found = numberIn(text, 'version') ?? 0;
  if (found > VERSION) throw newerFormat(file, { found, known: VERSION });
  const base = numberIn(text, 'base') as Epoch | undefined;
  const written = parseNote(text, mirror) ?? { state: 'dirty' };
  const checkpoint = written.state === 'dirty' ? checkpointIn(text) : undefined;
  return { written, base, directory: directoryIn(text), checkpoint };
}

/** Undefined where there is none: of a text that is no note at all, too. */
function numberIn(text: string, field: 'version' | 'base'): number | undefined {
  const found = fieldIn(text, field);
  return typeof found === 'number' && Number.isSafeInteger(found) ? found : undefined;
}

function fieldIn(text: string, field: 'version' | 'base' | 'stored'): unknown {
  try {
    const note: unknown = JSON.parse(text);
    if (typeof note !== 'object' || note === null) return undefined;
    return Reflect.get(note, field);
  } catch {
    // Not JSON: `parseNote` says what that means.
    return undefined;
  }
}

function checkpointIn(text: string): Checkpoint | undefined {
  const stored = fieldIn(text, 'stored');
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { epoch, session, seq } = stored as Record<string, unknown>;
  if (!isCount(epoch) || !isCount(seq) || typeof session !== 'string') return undefined;
  return { epoch: epoch as Epoch, session, seq };
}

/** Undefined for anything but a note of this version about this mirror. */
export function parseNote(text: string, mirror: MirrorId): Written | undefined {
  let note: unknown;
  try {
    note = JSON.parse(text);
  } catch {
    // Not a note; the caller decides what that means.
    return undefined;
  }
  if (typeof note !== 'object' || note === null) return undefined;
  const { version, mirror: of, state, epoch, sequence } = note as Record<string, unknown>;
  if (version !== VERSION || of !== mirror) return undefined;
  if (state === 'dirty') return { state };
  if (state === 'syncing') return { state: 'dirty', partial: true };
  if (state !== 'clean' || !isCount(epoch) || !isCount(sequence)) return undefined;
  return { state, epoch: epoch as Epoch, seq: sequence };
}

function directoryIn(text: string): string | undefined {
  return /"directory":"([^"]+)"/u.exec(text)?.[1];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
