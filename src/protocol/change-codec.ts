/**
 * A {@link Change} as bytes, for the stream between the copies of a mirror. Its checksum is that of
 * the frame around it (`mirror-frames.ts`).
 *
 *     0  u8   version (1)
 *     1  u8   type
 *     2  ...  the fields of that type; paths and names after a 16-bit length; the one field of
 *             arbitrary length (data, value, target) comes last and fills the rest
 */
import { assert, unreachable } from '../base/assert.ts';
import { ByteReader, ByteWriter, type Decoded, decoding, Malformed } from './byte-codec.ts';
import type { Change, TimeSpec } from './change.ts';

const VERSION = 1;
/** Longest data of one write, value of one attribute, target of one link. */
export const CHANGE_DATA_BYTES_MAX = 4 * 1024 * 1024;

const TYPES = [
  'write',
  'truncate',
  'allocate',
  'create',
  'mkdir',
  'symlink',
  'link',
  'unlink',
  'rmdir',
  'rename',
  'attributes',
  'setxattr',
  'removexattr',
  'sync',
] as const satisfies readonly Change['type'][];

const CODES = new Map<Change['type'], number>(TYPES.map((type, code) => [type, code]));
const HEADER_BYTES = 2;
const PATH_LENGTH_BYTES = 2;
const NANOSECONDS = 1_000_000_000;

const HAS_MODE = 1;
const HAS_UID = 2;
const HAS_GID = 4;
const HAS_ACCESSED = 8;
const HAS_MODIFIED = 16;
const ATTRIBUTES_ALL = 31;

/** How many bytes {@link encodeChange} will write. */
export function changeBytes(change: Change): number {
  return HEADER_BYTES + PATH_LENGTH_BYTES + change.path.length + fieldBytes(change);
}

function fieldBytes(change: Change): number {
  switch (change.type) {
    case 'write':
      return 8 + change.data.length;
    case 'truncate':
      return 8;
    case 'allocate':
      return 20;
    case 'create':
      return 20;
    case 'mkdir':
      return 12;
    case 'symlink':
      return 8 + change.target.length;
    case 'link':
      return PATH_LENGTH_BYTES + change.existing.length;
    case 'unlink':
    case 'rmdir':
      return 0;
    case 'rename':
      return 4 + PATH_LENGTH_BYTES + change.from.length;
    case 'attributes':
      return 1 + attributeBytes(change);
    case 'setxattr':
      return 4 + PATH_LENGTH_BYTES + change.name.length + change.value.length;
    case 'removexattr':
      return PATH_LENGTH_BYTES + change.name.length;
    case 'sync':
      return 1;
    default:
      return unreachable(change);
  }
}

type Attributes = Extract<Change, { type: 'attributes' }>;

function attributeBytes(change: Attributes): number {
  let bytes = 0;
  for (const value of [change.mode, change.uid, change.gid]) if (value !== undefined) bytes += 4;
  for (const time of [change.accessed, change.modified]) if (time !== undefined) bytes += 12;
  return bytes;
}

/** Writes the change to the start of `out`, which must have room; returns the bytes written. */
export function encodeChange(change: Change, out: Uint8Array): number {
  const writer = new ByteWriter(out);
  const code = CODES.get(change.type);
  assert(code !== undefined, 'each type of change has a code');
  writer.u8(VERSION);
  writer.u8(code);
  writer.short(change.path);
  writeFields(writer, change);
  return writer.written;
}

function writeFields(to: ByteWriter, change: Change): void {
  switch (change.type) {
    case 'write':
      assert(change.data.length <= CHANGE_DATA_BYTES_MAX, 'a write fits one change');
      to.whole(change.offset);
      return to.rest(change.data);
    case 'truncate':
      return to.whole(change.size);
    case 'allocate':
      to.u32(change.mode);
      to.whole(change.offset);
      return to.whole(change.length);
    case 'create':
      to.u32(change.mode);
      to.whole(change.device);
      to.u32(change.uid);
      return to.u32(change.gid);
    case 'mkdir':
      to.u32(change.mode);
      to.u32(change.uid);
      return to.u32(change.gid);
    case 'symlink':
      to.u32(change.uid);
      to.u32(change.gid);
      return to.rest(change.target);
    case 'link':
      return to.short(change.existing);
    case 'unlink':
    case 'rmdir':
      return;
    case 'rename':
      to.u32(change.flags);
      return to.short(change.from);
    case 'attributes':
      return writeAttributes(to, change);
    case 'setxattr':
      to.u32(change.flags);
      to.short(change.name);
      return to.rest(change.value);
    case 'removexattr':
      return to.short(change.name);
    case 'sync':
      return to.u8(change.dataOnly ? 1 : 0);
    default:
      return unreachable(change);
  }
}

function writeAttributes(to: ByteWriter, change: Attributes): void {
  const { mode, uid, gid, accessed, modified } = change;
  to.u8(
    (mode === undefined ? 0 : HAS_MODE) |
      (uid === undefined ? 0 : HAS_UID) |
      (gid === undefined ? 0 : HAS_GID) |
      (accessed === undefined ? 0 : HAS_ACCESSED) |
      (modified === undefined ? 0 : HAS_MODIFIED),
  );
  for (const value of [mode, uid, gid]) if (value !== undefined) to.u32(value);
  for (const time of [accessed, modified]) if (time !== undefined) writeTime(to, time);
}

function writeTime(to: ByteWriter, time: TimeSpec): void {
  to.whole(time.seconds);
  to.u32(time.nanoseconds);
}

/** What kind of change `bytes` are; undefined where that is not known. */
export function changeType(bytes: Uint8Array): Change['type'] | undefined {
  return TYPES[bytes[1] ?? TYPES.length];
}

/** The part of `bytes` that says what kind of change of which path it is. */
export function changeStart(bytes: Uint8Array): Uint8Array {
  const [low = 0, high = 0] = bytes.subarray(HEADER_BYTES);
  return bytes.subarray(0, HEADER_BYTES + PATH_LENGTH_BYTES + low + high * 256);
}

/** The path in what {@link changeStart} gave. */
export function changePath(start: Uint8Array): Uint8Array {
  return start.subarray(HEADER_BYTES + PATH_LENGTH_BYTES);
}

/** The whole of `bytes` as one change. Byte strings in it are views into `bytes`, not copies. */
export function decodeChange(bytes: Uint8Array): Decoded<Change> {
  return decoding('change', () => {
    const from = new ByteReader(bytes);
    const version = from.u8();
    if (version !== VERSION) throw new Malformed(`version ${version}, need ${VERSION}`);
    const code = from.u8();
    const type = TYPES[code];
    if (type === undefined) throw new Malformed(`unknown type ${code}`);
    const change = readFields(from, type, from.short());
    from.end();
    return change;
  });
}

function readFields(from: ByteReader, type: Change['type'], path: Uint8Array): Change {
  switch (type) {
    case 'write':
      return { type, path, offset: from.size(), data: from.rest(CHANGE_DATA_BYTES_MAX) };
    case 'truncate':
      return { type, path, size: from.size() };
    case 'allocate':
      return { type, path, mode: from.u32(), offset: from.size(), length: from.size() };
    case 'create': {
      const [mode, device] = [from.u32(), from.size()];
      return { type, path, mode, device, uid: from.u32(), gid: from.u32() };
    }
    case 'mkdir':
      return { type, path, mode: from.u32(), uid: from.u32(), gid: from.u32() };
    case 'symlink': {
      const [uid, gid] = [from.u32(), from.u32()];
      return { type, path, target: from.rest(CHANGE_DATA_BYTES_MAX), uid, gid };
    }
    case 'link':
      return { type, path, existing: from.short() };
    case 'unlink':
    case 'rmdir':
      return { type, path };
    case 'rename':
      return { type, path, flags: from.u32(), from: from.short() };
    case 'attributes':
      return readAttributes(from, path);
    case 'setxattr': {
      const [flags, name] = [from.u32(), from.short()];
      return { type, path, name, value: from.rest(CHANGE_DATA_BYTES_MAX), flags };
    }
    case 'removexattr':
      return { type, path, name: from.short() };
    case 'sync':
      return { type, path, dataOnly: readBoolean(from) };
    default:
      return unreachable(type);
  }
}

function readAttributes(from: ByteReader, path: Uint8Array): Attributes {
  const given = from.u8();
  if (given > ATTRIBUTES_ALL) throw new Malformed(`unknown attributes ${given}`);
  return {
    type: 'attributes',
    path,
    mode: (given & HAS_MODE) === 0 ? undefined : from.u32(),
    uid: (given & HAS_UID) === 0 ? undefined : from.u32(),
    gid: (given & HAS_GID) === 0 ? undefined : from.u32(),
    accessed: (given & HAS_ACCESSED) === 0 ? undefined : readTime(from),
    modified: (given & HAS_MODIFIED) === 0 ? undefined : readTime(from),
  };
}

function readTime(from: ByteReader): TimeSpec {
  const seconds = from.whole();
  const nanoseconds = from.u32();
  if (nanoseconds >= NANOSECONDS) throw new Malformed('a time has too many nanoseconds');
  return { seconds, nanoseconds };
}

function readBoolean(from: ByteReader): boolean {
  const value = from.u8();
  if (value > 1) throw new Malformed(`${value} is neither yes nor no`);
  return value === 1;
}
