/**
 * What the two ends of a resync say. Frames go from the source (on the primary) to the target (on
 * the returning copy) *inside* the ordered stream of changes; answers go back beside it, in their
 * own order. `docs/internals/mirror-resync.md` says why nothing can be lost or overtaken.
 *
 *     source                                target
 *     begin                                 everything is to be compared
 *                      own <-               where it was changed as the primary, if that was asked
 *     directory .. (one per directory)      removes, creates, retypes, relinks; queues files
 *                      compare <-           digests of its files, or "I have nothing of it"
 *     resize, data, zeros, settle           brings one file to the source's content
 *     processed                             the items of that answer are done
 *     round (nothing is left to do)
 *                      again <-             paths that moved, or whose live change did not fit
 *     path, directory .. data .. round
 *                      settled <-           nothing left: strict from that round's frame on
 *     (the stream's barrier)
 */
import type { Path, TimeSpec } from './change.ts';
import { DIRTY_EXTENTS, type DirtyExtent } from './dirty-paths.ts';
import { ByteReader, ByteWriter } from './resync-bytes.ts';

export const RESYNC_VERSION = 1;
/** Of one SHA-256 digest. */
export const DIGEST_BYTES = 32;
/** Bounds that a decoder enforces. */
const PATH_BYTES_MAX = 64 * 1024;
const XATTR_BYTES_MAX = 64 * 1024;
const DATA_BYTES_MAX = 1024 * 1024;

/** Something in a tree, as its directory and its inode tell. */
export interface TreeEntry {
  /** Its name in its directory; empty where the frame gives the path. */
  readonly name: Uint8Array;
  /** Its inode number and number of links on the source. */
  readonly ino: number;
  readonly links: number;
  /** With the type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: number;
  readonly size: number;
  readonly accessed: TimeSpec;
  readonly modified: TimeSpec;
  /** Of a symbolic link, otherwise empty. */
  readonly target: Uint8Array;
  readonly xattrs: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
}

export type ResyncFrame =
  | { readonly type: 'begin'; readonly version: number; readonly blockBytes: number }
  /**
   * All names of a directory at one position of the stream: the parts follow one another with
   * nothing in between. `entries` are to be placed; `names` were, each by a `path` frame before
   * (a large directory, whose entries are not all read under one lock). What the copy has beside
   * them goes. `self` comes with the last part.
   */
  | {
      readonly type: 'directory';
      readonly path: Path;
      readonly first: boolean;
      readonly self: TreeEntry | undefined;
      readonly entries: readonly TreeEntry[];
      readonly names: readonly Uint8Array[];
    }
  /** One path alone; without an entry nothing is there. */
  | { readonly type: 'path'; readonly path: Path; readonly entry: TreeEntry | undefined }
  | { readonly type: 'resize'; readonly path: Path; readonly size: number }
  | {
      readonly type: 'data';
      readonly path: Path;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  | {
      readonly type: 'zeros';
      readonly path: Path;
      readonly offset: number;
      readonly length: number;
    }
  /** The file's content was entered: set its attributes once more. */
  | { readonly type: 'settle'; readonly path: Path; readonly entry: TreeEntry }
  /** All that the `compare` answer with this id led to is before this frame. */
  | { readonly type: 'processed'; readonly id: number }
  /** The source has nothing left to compare. */
  | { readonly type: 'round'; readonly number: number };

/** Digests of consecutive blocks of one file of the target, from `offset` on. */
export interface CompareItem {
  readonly path: Path;
  /** It went away or changed its type meanwhile: nothing to compare. Always the last item of it. */
  readonly gone: boolean;
  readonly offset: number;
  /** Where the target's file ended; only with `last`. */
  readonly size: number;
  /** {@link DIGEST_BYTES} each; the last block may be short, its digest is of what is there. */
  readonly digests: Uint8Array;
  readonly last: boolean;
}

export type ResyncAnswer =
  | { readonly type: 'compare'; readonly id: number; readonly items: readonly CompareItem[] }
  | {
      readonly type: 'again';
      readonly round: number;
      readonly paths: readonly Path[];
      /** More `again` answers of the same round follow unless set. */
      readonly last: boolean;
    }
  | { readonly type: 'settled'; readonly round: number }
  /**
   * Where the copy changed something as the primary: to be looked at in the first round. Only when it
   * was asked for, as the first answers.
   */
  | {
      readonly type: 'own';
      readonly parts: readonly { readonly path: Path; readonly extent: DirtyExtent }[];
      /** More `own` answers follow unless set. */
      readonly last: boolean;
    };

const FRAME = {
  begin: 1,
  directory: 2,
  path: 3,
  resize: 4,
  data: 5,
  zeros: 6,
  settle: 7,
  processed: 8,
  round: 9,
} as const;
const ANSWER = { compare: 1, again: 2, settled: 3, own: 4 } as const;

/** An upper bound for what `entry` takes in a frame. */
export function treeEntryBytes(entry: TreeEntry): number {
  let bytes = 128 + entry.name.length + entry.target.length;
  for (const xattr of entry.xattrs) bytes += 8 + xattr.name.length + xattr.value.length;
  return bytes;
}

export function encodeFrame(frame: ResyncFrame): Uint8Array {
  const w = new ByteWriter();
  w.u8(FRAME[frame.type]);
  switch (frame.type) {
    case 'begin':
      w.u8(frame.version);
      w.u32(frame.blockBytes);
      break;
    case 'directory':
      w.bytes(frame.path);
      w.u8(frame.first ? 1 : 0);
      writeOptional(w, frame.self);
      w.u32(frame.entries.length);
      for (const entry of frame.entries) writeEntry(w, entry);
      w.u32(frame.names.length);
      for (const name of frame.names) w.bytes(name);
      break;
    case 'path':
      w.bytes(frame.path);
      writeOptional(w, frame.entry);
      break;
    case 'resize':
      w.bytes(frame.path);
      w.number(frame.size);
      break;
    case 'data':
      w.bytes(frame.path);
      w.number(frame.offset);
      w.bytes(frame.data);
      break;
    case 'zeros':
      w.bytes(frame.path);
      w.number(frame.offset);
      w.number(frame.length);
      break;
    case 'settle':
      w.bytes(frame.path);
      writeEntry(w, frame.entry);
      break;
    case 'processed':
      w.number(frame.id);
      break;
    case 'round':
      w.number(frame.number);
      break;
  }
  return w.finish();
}

/** Undefined when it is not a frame. Byte strings are views into `bytes`. */
export function decodeFrame(bytes: Uint8Array): ResyncFrame | undefined {
  const r = new ByteReader(bytes);
  const frame = readFrame(r);
  return r.complete ? frame : undefined;
}

function readFrame(r: ByteReader): ResyncFrame | undefined {
  const type = r.u8();
  if (type === FRAME.begin) return { type: 'begin', version: r.u8(), blockBytes: r.u32() };
  if (type === FRAME.processed) return { type: 'processed', id: r.number() };
  if (type === FRAME.round) return { type: 'round', number: r.number() };
  const path = r.bytes(PATH_BYTES_MAX);
  switch (type) {
    case FRAME.directory: {
      const first = r.flag();
      const self = readOptional(r);
      const entries = r.list(() => readEntry(r));
      const names = r.list(() => r.bytes(PATH_BYTES_MAX));
      return { type: 'directory', path, first, self, entries, names };
    }
    case FRAME.path:
      return { type: 'path', path, entry: readOptional(r) };
    case FRAME.resize:
      return { type: 'resize', path, size: r.number() };
    case FRAME.data:
      return { type: 'data', path, offset: r.number(), data: r.bytes(DATA_BYTES_MAX) };
    case FRAME.zeros:
      return { type: 'zeros', path, offset: r.number(), length: r.number() };
    case FRAME.settle:
      return { type: 'settle', path, entry: readEntry(r) };
    default:
      return undefined;
  }
}

export function encodeAnswer(answer: ResyncAnswer): Uint8Array {
  const w = new ByteWriter();
  w.u8(ANSWER[answer.type]);
  switch (answer.type) {
    case 'compare':
      w.number(answer.id);
      w.u32(answer.items.length);
      for (const item of answer.items) {
        w.bytes(item.path);
        w.u8((item.gone ? 1 : 0) | (item.last ? 2 : 0));
        w.number(item.offset);
        w.number(item.size);
        w.bytes(item.digests);
      }
      break;
    case 'again':
      w.number(answer.round);
      w.u8(answer.last ? 1 : 0);
      w.u32(answer.paths.length);
      for (const path of answer.paths) w.bytes(path);
      break;
    case 'settled':
      w.number(answer.round);
      break;
    case 'own':
      w.u8(answer.last ? 1 : 0);
      w.u32(answer.parts.length);
      for (const { path, extent } of answer.parts) {
        w.u8(DIRTY_EXTENTS.indexOf(extent));
        w.bytes(path);
      }
      break;
  }
  return w.finish();
}

/** Undefined when it is not an answer. Byte strings are views into `bytes`. */
export function decodeAnswer(bytes: Uint8Array): ResyncAnswer | undefined {
  const r = new ByteReader(bytes);
  const answer = readAnswer(r);
  return r.complete ? answer : undefined;
}

function readAnswer(r: ByteReader): ResyncAnswer | undefined {
  switch (r.u8()) {
    case ANSWER.compare:
      return { type: 'compare', id: r.number(), items: r.list(() => readItem(r)) };
    case ANSWER.again: {
      const round = r.number();
      const last = r.flag();
      return { type: 'again', round, last, paths: r.list(() => r.bytes(PATH_BYTES_MAX)) };
    }
    case ANSWER.settled:
      return { type: 'settled', round: r.number() };
    case ANSWER.own: {
      const last = r.flag();
      return { type: 'own', last, parts: r.list(() => readPart(r)) };
    }
    default:
      return undefined;
  }
}

function readPart(r: ByteReader): { path: Path; extent: DirtyExtent } {
  const extent = DIRTY_EXTENTS[r.u8()];
  if (extent === undefined) r.failed = true;
  return { extent: extent ?? 'tree', path: r.bytes(PATH_BYTES_MAX) };
}

function readItem(r: ByteReader): CompareItem {
  const path = r.bytes(PATH_BYTES_MAX);
  const flags = r.u8();
  const offset = r.number();
  const size = r.number();
  const digests = r.bytes(DATA_BYTES_MAX);
  if (flags > 3 || digests.length % DIGEST_BYTES !== 0) r.failed = true;
  return { path, gone: (flags & 1) !== 0, last: (flags & 2) !== 0, offset, size, digests };
}

function writeOptional(w: ByteWriter, entry: TreeEntry | undefined): void {
  w.u8(entry === undefined ? 0 : 1);
  if (entry !== undefined) writeEntry(w, entry);
}

function readOptional(r: ByteReader): TreeEntry | undefined {
  return r.flag() ? readEntry(r) : undefined;
}

function writeEntry(w: ByteWriter, entry: TreeEntry): void {
  w.bytes(entry.name);
  w.number(entry.ino);
  w.u32(entry.links);
  for (const value of [entry.mode, entry.uid, entry.gid]) w.u32(value);
  w.number(entry.device);
  w.number(entry.size);
  for (const time of [entry.accessed, entry.modified]) {
    w.number(time.seconds);
    w.u32(time.nanoseconds);
  }
  w.bytes(entry.target);
  w.u32(entry.xattrs.length);
  for (const xattr of entry.xattrs) {
    w.bytes(xattr.name);
    w.bytes(xattr.value);
  }
}

function readEntry(r: ByteReader): TreeEntry {
  const name = r.bytes(PATH_BYTES_MAX);
  const [ino, links] = [r.number(), r.u32()];
  const [mode, uid, gid] = [r.u32(), r.u32(), r.u32()];
  const device = r.number();
  const size = r.number();
  const accessed = { seconds: r.number(true), nanoseconds: r.u32() };
  const modified = { seconds: r.number(true), nanoseconds: r.u32() };
  const target = r.bytes(PATH_BYTES_MAX);
  const xattrs = r.list(() => ({
    name: r.bytes(XATTR_BYTES_MAX),
    value: r.bytes(XATTR_BYTES_MAX),
  }));
  return { name, ino, links, mode, uid, gid, device, size, accessed, modified, target, xattrs };
}
