/**
 * The bytes of a record log file:
 *
 *     8 bytes    'TAKOLOG1'
 *     frame 0    JSON {"generation": g, "id": "...", "version": v}
 *     frame 1    JSON {"seq": 1, "puts": [[key, value], ...]}   the state when the file was made
 *     frame n    JSON {"seq": n, "puts": [[key, value], ...]}   one group commit
 *
 * `id`: from when both files were new. `version`: of the frames behind; left out for the first one.
 *
 * A frame is u32 length, u32 CRC-32 of these four bytes, u32 CRC-32 of the JSON, JSON (little
 * endian). JSON has no zero byte, which tells a sector that never reached the disk (zeros) from
 * one that did and was damaged later.
 */
import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { FORMATS } from '../protocol/versions.ts';

const MAGIC = Buffer.from('TAKOLOG1', 'latin1');
const FIRST_VERSION = 1;
const FRAME_HEADER_BYTES = 12;
const SECTOR_BYTES = 512;

export type Put = readonly [key: string, value: unknown];

/**
 * How a file ends behind its last good frame. `whole`: there. `torn`: in a frame as a crash leaves
 * it that was being appended. `damaged`: in bytes that no crash explains.
 */
export type FileEnd = 'whole' | 'torn' | 'damaged';

export interface ScannedFile {
  /** 0 when not even the first frame can be read. */
  readonly generation: number;
  readonly id: string;
  /** Of what its frames mean; one that is not known is not read beyond frame 0. */
  readonly version: number;
  /** The good frames from the first on, without frame 0. */
  readonly commits: readonly (readonly Put[])[];
  readonly end: FileEnd;
  /** Where the good part ends, and why there. */
  readonly goodBytes: number;
  readonly why: string;
}

export function encodeFrame(value: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(value), 'utf8');
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(crc32(frame.subarray(0, 4)), 4);
  frame.writeUInt32LE(crc32(payload), 8);
  payload.copy(frame, FRAME_HEADER_BYTES);
  return frame;
}

export function encodeCommit(seq: number, puts: readonly Put[]): Buffer {
  return encodeFrame({ seq, puts });
}

/** A whole new file that holds `puts`. */
export function encodeFile(
  { generation, id }: { readonly generation: number; readonly id: string },
  puts: readonly Put[],
): Buffer {
  return Buffer.concat([MAGIC, encodeFrame({ generation, id }), encodeCommit(1, puts)]);
}

/** Reads as far as the bytes are good; never throws. */
export function scanFile(bytes: Buffer): ScannedFile {
  const commits: (readonly Put[])[] = [];
  let [generation, id, version] = [0, '', FIRST_VERSION];
  let at = MAGIC.length;
  const result = (end: FileEnd, why: string): ScannedFile => {
    return { generation, id, version, commits, end, goodBytes: at, why };
  };
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    at = 0;
    return result('damaged', 'it does not begin like a record log');
  }
  for (;;) {
    if (at === bytes.length && commits.length > 0) return result('whole', 'it is whole');
    const frame = readFrame(bytes, at);
    if (frame.end !== undefined) {
      // The beginning of a file is on stable storage before the file gets its name.
      return result(commits.length > 0 ? frame.end : 'damaged', frame.why);
    }
    if (generation === 0) {
      const read = headOf(frame.value);
      if (read === undefined) return result('damaged', 'its first frame is not one');
      [generation, id, version] = read;
      if (version > FORMATS.recordLog) return result('whole', 'it is of a newer release');
    } else {
      const puts = putsOf(frame.value, commits.length + 1);
      if (puts === undefined) return result('damaged', 'a frame is not the one that comes next');
      commits.push(puts);
    }
    at = frame.next;
  }
}

type FrameRead =
  | { readonly end: undefined; readonly value: unknown; readonly next: number }
  | { readonly end: 'torn' | 'damaged'; readonly why: string };

function readFrame(bytes: Buffer, at: number): FrameRead {
  const left = bytes.length - at;
  if (left < FRAME_HEADER_BYTES) return { end: 'torn', why: 'the file ends within a frame' };
  const length = bytes.readUInt32LE(at);
  if (crc32(bytes.subarray(at, at + 4)) !== bytes.readUInt32LE(at + 4)) {
    return judge(bytes, at, 'the head of a frame has a wrong checksum');
  }
  if (left - FRAME_HEADER_BYTES < length) {
    return { end: 'torn', why: 'the file ends within a frame' };
  }
  const next = at + FRAME_HEADER_BYTES + length;
  const payload = bytes.subarray(at + FRAME_HEADER_BYTES, next);
  if (crc32(payload) !== bytes.readUInt32LE(at + 8)) {
    const why = 'a frame has a wrong checksum';
    return next === bytes.length ? judge(bytes, at, why) : { end: 'damaged', why };
  }
  try {
    return { end: undefined, value: JSON.parse(payload.toString('utf8')), next };
  } catch {
    return { end: 'damaged', why: 'a frame with a right checksum is not JSON' };
  }
}

/** A bad last frame is torn if one of the sectors that it lies on was never written. */
function judge(bytes: Buffer, from: number, why: string): FrameRead {
  for (let at = from; at < bytes.length;) {
    const end = Math.min(bytes.length, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (bytes.subarray(at, end).every((byte) => byte === 0)) return { end: 'torn', why };
    at = end;
  }
  return { end: 'damaged', why };
}

function headOf(value: unknown): [generation: number, id: string, version: number] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('generation' in value) || !('id' in value)) return undefined;
  const { generation, id } = value;
  const good = typeof generation === 'number' && Number.isSafeInteger(generation);
  const version = 'version' in value ? value.version : FIRST_VERSION;
  if (typeof version !== 'number' || !Number.isSafeInteger(version)) return undefined;
  return good && generation > 0 && typeof id === 'string' && id !== ''
    ? [generation, id, version]
    : undefined;
}

function putsOf(value: unknown, seq: number): readonly Put[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('seq' in value) || value.seq !== seq) return undefined;
  if (!('puts' in value) || !Array.isArray(value.puts)) return undefined;
  const puts: readonly unknown[] = value.puts;
  return puts.every(isPut) ? puts : undefined;
}

function isPut(value: unknown): value is Put {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === 'string';
}
