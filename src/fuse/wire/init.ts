/**
 * The first exchange: which version of the protocol, and what of it (fuse_init_in, fuse_init_out in
 * linux/fuse.h).
 */
import { INIT_FLAG } from './flags.ts';
import { INIT_IN } from './layout.ts';
import type { Reply } from './reply.ts';
import type { Request } from './request.ts';

export const MAJOR = 7;
/** Linux 5.7. Older ones lack what the layouts here take for granted. */
export const MINOR_MIN = 31;
/** What we speak; the kernel uses the lesser of the two. */
const MINOR = 38;
const INIT_OUT_BYTES = 64;
const PAGE_BYTES = 4096;
/** Largest write, and read, in one request. */
export const DATA_BYTES_MAX = 1024 * 1024;
/** What the device wants to read into: the largest write with its headers, and some to spare. */
export const REQUEST_BYTES_MAX = DATA_BYTES_MAX + PAGE_BYTES;
/** Requests that the kernel may have under way without anybody waiting (readahead, writeback). */
const BACKGROUND_MAX = 64;
const CONGESTED_AT = 48;

const WANTED =
  INIT_FLAG.asyncRead |
  INIT_FLAG.atomicTruncate |
  INIT_FLAG.bigWrites |
  INIT_FLAG.dontMask |
  INIT_FLAG.readdirplus |
  INIT_FLAG.readdirplusAuto |
  INIT_FLAG.asyncDirectIo |
  INIT_FLAG.parallelDirops |
  INIT_FLAG.posixAcl |
  INIT_FLAG.maxPages |
  INIT_FLAG.cacheSymlinks |
  INIT_FLAG.killPrivV2 |
  INIT_FLAG.setxattrExt;

export interface Negotiated {
  readonly major: number;
  readonly minor: number;
  /** INIT_FLAG bits that both sides have. */
  readonly flags: number;
  readonly maxReadahead: number;
}

/** What the kernel offers, cut down to what we want. Undefined when the request is too short. */
export function decodeInit(request: Request): Negotiated | undefined {
  if (!request.has(INIT_IN.bytes)) return undefined;
  return {
    major: request.u32(INIT_IN.major),
    minor: request.u32(INIT_IN.minor),
    flags: request.u32(INIT_IN.flags) & WANTED,
    maxReadahead: request.u32(INIT_IN.maxReadahead),
  };
}

/** Whether we can speak with that kernel. */
export function isSupported(offer: Negotiated): boolean {
  return offer.major === MAJOR && offer.minor >= MINOR_MIN;
}

/** Our answer to an offer that is supported. */
export function putInit(reply: Reply, offer: Negotiated): number {
  reply.zero(0, INIT_OUT_BYTES);
  reply.u32(0, MAJOR);
  reply.u32(4, MINOR);
  reply.u32(8, offer.maxReadahead);
  reply.u32(12, offer.flags);
  reply.u16(16, BACKGROUND_MAX);
  reply.u16(18, CONGESTED_AT);
  reply.u32(20, DATA_BYTES_MAX);
  reply.u32(24, 1);
  reply.u16(28, DATA_BYTES_MAX / PAGE_BYTES);
  return INIT_OUT_BYTES;
}
