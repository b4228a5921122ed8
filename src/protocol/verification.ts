/**
 * What the two ends of a verification say: whether a copy in sync really equals its primary. Frames go
 * inside the ordered stream, as messages of the same kind as those of a resync and told apart by their
 * first byte; each is true at its own position, where the copy looks at what it has. The copy answers the
 * last one; at the first difference it fails instead, and is brought up to date by a resync.
 *
 *     names     the names in a directory
 *     entries   what some of them are: everything that a copy has to have but times and content
 *     block     one block of a file, and how long the file is
 *     hole      a part of a file that is all zeros
 *     end       that was all                                     <- verified
 */
import type { Path } from './change.ts';
import { DIGEST_BYTES } from './resync.ts';
import { ByteReader, ByteWriter } from './resync-bytes.ts';

const PATH_BYTES_MAX = 64 * 1024;

/** Longest block that a copy reads at once, in bytes. */
export const VERIFY_BLOCK_BYTES = 128 * 1024;
/** Longest hole that a copy looks at at once, in bytes. */
export const VERIFY_HOLE_BYTES = 8 * 1024 * 1024;

export type VerifyFrame =
  | { readonly type: 'names'; readonly path: Path; readonly digest: Uint8Array }
  | {
      readonly type: 'entries';
      readonly path: Path;
      /** With an empty name: the directory itself. */
      readonly entries: readonly { readonly name: Uint8Array; readonly digest: Uint8Array }[];
    }
  | {
      readonly type: 'block';
      readonly path: Path;
      readonly offset: number;
      readonly length: number;
      /** Of the whole file, in bytes. */
      readonly size: number;
      readonly digest: Uint8Array;
    }
  | {
      readonly type: 'hole';
      readonly path: Path;
      readonly offset: number;
      readonly length: number;
      readonly size: number;
    }
  | { readonly type: 'end'; readonly run: number };

/** The copy's only answer. */
export interface Verified {
  readonly run: number;
}

/** Above those of a resync (`resync.ts`). */
const TAG = { names: 65, entries: 66, block: 67, hole: 68, end: 69 } as const;
const VERIFIED = 65;
const TAG_MIN = 64;

/** Whether a message of the stream, or an answer to one, belongs to a verification. */
export function isVerification(body: Uint8Array): boolean {
  return (body[0] ?? 0) >= TAG_MIN;
}

export function encodeVerify(frame: VerifyFrame): Uint8Array {
  const w = new ByteWriter();
  w.u8(TAG[frame.type]);
  if (frame.type === 'end') {
    w.number(frame.run);
    return w.finish();
  }
  w.bytes(frame.path);
  switch (frame.type) {
    case 'names':
      w.bytes(frame.digest);
      break;
    case 'entries':
      w.u32(frame.entries.length);
      for (const { name, digest } of frame.entries) {
        w.bytes(name);
        w.bytes(digest);
      }
      break;
    case 'block':
      for (const value of [frame.offset, frame.length, frame.size]) w.number(value);
      w.bytes(frame.digest);
      break;
    case 'hole':
      for (const value of [frame.offset, frame.length, frame.size]) w.number(value);
      break;
  }
  return w.finish();
}

/** Undefined when it is not a frame. Byte strings are views into `bytes`. */
export function decodeVerify(bytes: Uint8Array): VerifyFrame | undefined {
  const r = new ByteReader(bytes);
  const frame = readFrame(r);
  return r.complete ? frame : undefined;
}

function readFrame(r: ByteReader): VerifyFrame | undefined {
  const tag = r.u8();
  if (tag === TAG.end) return { type: 'end', run: r.number() };
  const path = r.bytes(PATH_BYTES_MAX);
  switch (tag) {
    case TAG.names:
      return { type: 'names', path, digest: readDigest(r) };
    case TAG.entries: {
      const entries = r.list(() => ({ name: r.bytes(PATH_BYTES_MAX), digest: readDigest(r) }));
      return { type: 'entries', path, entries };
    }
    case TAG.block: {
      const range = readRange(r, VERIFY_BLOCK_BYTES);
      return { type: 'block', path, ...range, digest: readDigest(r) };
    }
    case TAG.hole:
      return { type: 'hole', path, ...readRange(r, VERIFY_HOLE_BYTES) };
    default:
      return undefined;
  }
}

function readRange(
  r: ByteReader,
  lengthMax: number,
): { readonly offset: number; readonly length: number; readonly size: number } {
  const [offset, length, size] = [r.number(), r.number(), r.number()];
  if (length > lengthMax || offset + length > size) r.failed = true;
  return { offset, length, size };
}

function readDigest(r: ByteReader): Uint8Array {
  const digest = r.bytes(DIGEST_BYTES);
  if (digest.length !== DIGEST_BYTES) r.failed = true;
  return digest;
}

export function encodeVerified({ run }: Verified): Uint8Array {
  const w = new ByteWriter();
  w.u8(VERIFIED);
  w.number(run);
  return w.finish();
}

/** Undefined when it is not that answer. */
export function decodeVerified(bytes: Uint8Array): Verified | undefined {
  const r = new ByteReader(bytes);
  const tag = r.u8();
  const run = r.number();
  return r.complete && tag === VERIFIED ? { run } : undefined;
}
