/**
 * One file of the activity log: which node changed what in which run as the primary. Its bytes are those of
 * a record log (`record-log-format.ts`), in one file: the head in the first commit, together with what
 * was carried over, then one commit for each region. Zeros lie ahead of the end, so that appending mostly
 * changes no metadata; a commit that a crash tore was never acknowledged, for a region is on stable
 * storage before anything in it is changed.
 */
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Epoch } from '../../../protocol/ids.ts';
import { DIRTY_EXTENTS, type DirtyExtent, type DirtyPaths } from '../../../protocol/dirty-paths.ts';
import type { ActivitySegment, Checkpoint } from '../../../protocol/mirror-frames.ts';
import { type Put, encodeCommit, encodeFile, scanFile } from '../../record-log-format.ts';
import { syncDirectorySync } from '../../replace-file.ts';
import type { Region } from './regions.ts';

const ZEROS_BYTES = 64 * 1024;
const HEAD = 'head';
const STORED = 'stored';
const REGION = '/';

export interface ActivityHead extends ActivitySegment {
  /** Which directory was changed (`directory-identity.ts`). */
  readonly directory: string;
  /** Where this node's copy was for certain in the stream that it followed before, if it did. */
  readonly base?: Checkpoint | undefined;
}

/** The file of the generation that is being written. All calls block until the disk has it. */
export class ActivityFile {
  readonly #fd: number;
  #end: number;
  #zerosEnd: number;
  #seq = 1;

  /** In its place, and on stable storage, when this returns. Throws the system's error. */
  constructor(path: string, head: ActivityHead, carried: DirtyPaths) {
    const puts: Put[] = [[HEAD, head]];
    for (const [key, extent] of carried) puts.push([`${REGION}${key}`, extent]);
    const bytes = encodeFile({ generation: 1, id: head.session }, puts);
    const temporary = `${path}.new`;
    rmSync(temporary, { force: true });
    this.#fd = openSync(temporary, 'wx', 0o600);
    this.#end = 0;
    this.#zerosEnd = 0;
    try {
      this.#write(bytes);
      renameSync(temporary, path);
      syncDirectorySync(dirname(path));
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Throws the system's error; what is behind the last good region is not known then. */
  append({ key, extent }: Region): void {
    this.#seq += 1;
    this.#write(encodeCommit(this.#seq, [[`${REGION}${key}`, extent]]));
  }

  /** Everything that was changed on this node's copy before this file is on its stable storage. */
  appendStored(): void {
    this.#seq += 1;
    this.#write(encodeCommit(this.#seq, [[STORED, true]]));
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(bytes: Uint8Array): void {
    const end = this.#end + bytes.length;
    if (end > this.#zerosEnd) {
      const ahead = new Uint8Array(end - this.#end + ZEROS_BYTES);
      ahead.set(bytes);
      writeFully(this.#fd, ahead, this.#end);
      this.#zerosEnd = this.#end + ahead.length;
    } else {
      writeFully(this.#fd, bytes, this.#end);
    }
    fdatasyncSync(this.#fd);
    this.#end = end;
  }
}

function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    const written = writeSync(fd, bytes, done, bytes.length - done, position + done);
    if (written === 0) throw new Error('the kernel wrote nothing');
    done += written;
  }
}

export interface ReadActivity {
  readonly head: ActivityHead;
  readonly regions: DirtyPaths;
  /** Whether everything that was changed on this node's copy before it is on its stable storage. */
  readonly stored: boolean;
}

/** Undefined for a file that cannot be relied on. Throws the system's error when it cannot be read. */
export function readActivityFile(path: string): ReadActivity | undefined {
  const bytes = withoutZeros(readFileSync(path));
  const { commits, end, goodBytes, version } = scanFile(bytes);
  const known = version === 1 && commits.length > 0;
  if (!known || end === 'damaged' || hasCommitBehind(bytes, goodBytes, commits.length)) {
    return undefined;
  }
  const regions = new Map<string, DirtyExtent>();
  let head: ActivityHead | undefined;
  let stored = false;
  for (const [key, value] of commits.flat()) {
    const extent = DIRTY_EXTENTS.find((word) => word === value);
    if (key === HEAD) head = readHead(value);
    else if (key === STORED) stored = true;
    else if (!key.startsWith(REGION) || extent === undefined) return undefined;
    else if (regions.get(key.slice(1)) !== 'tree') regions.set(key.slice(1), extent);
  }
  return head === undefined ? undefined : { head, regions, stored };
}

/** No commit ends in a zero. */
function withoutZeros(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

/** A crash tears the last commit only: another one behind it says that something was damaged. */
function hasCommitBehind(bytes: Buffer, from: number, commits: number): boolean {
  return bytes.indexOf(`{"seq":${commits + 2},`, from, 'latin1') >= 0;
}

function readHead(value: unknown): ActivityHead | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, session, first, directory, base } = value as Record<string, unknown>;
  if (!isCount(epoch) || !isCount(first)) return undefined;
  if (typeof session !== 'string' || typeof directory !== 'string') return undefined;
  const head = { epoch: epoch as Epoch, session, first, directory };
  return base === undefined ? head : withBase(head, base);
}

function withBase(head: ActivityHead, value: unknown): ActivityHead | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, session, seq } = value as Record<string, unknown>;
  if (!isCount(epoch) || !isCount(seq) || typeof session !== 'string') return undefined;
  return { ...head, base: { epoch: epoch as Epoch, session, seq } };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
