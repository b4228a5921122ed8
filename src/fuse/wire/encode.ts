/**
 * The structs of replies (linux/fuse.h), written into a {@link Reply} at an offset of its payload.
 * Each function returns the struct's length.
 */
import type { Reply } from './reply.ts';

/** What `struct fuse_attr` needs to know of a file. */
export interface Attributes {
  readonly ino: number;
  readonly size: number;
  readonly blocks: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: number;
  readonly blockSize: number;
  readonly accessed: Time;
  readonly modified: Time;
  readonly changed: Time;
}

interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What `struct fuse_kstatfs` needs to know of a volume. */
export interface VolumeNumbers {
  readonly blocks: number;
  readonly blocksFree: number;
  readonly blocksAvailable: number;
  readonly files: number;
  readonly filesFree: number;
  readonly blockSize: number;
  readonly nameLengthMax: number;
}

/**
 * How long the kernel may keep names and attributes, in seconds. Nobody else changes the files
 * below the mount, and the kernel itself drops what its own operations change.
 */
const VALID_SECONDS = 1_000_000;
const ATTR_BYTES = 88;
export const ENTRY_BYTES = 40 + ATTR_BYTES;
export const ATTR_OUT_BYTES = 16 + ATTR_BYTES;
export const OPEN_OUT_BYTES = 16;
export const DIRENT_HEADER_BYTES = 24;

function putAttr(reply: Reply, at: number, attr: Attributes): void {
  reply.u64(at, attr.ino);
  reply.u64(at + 8, attr.size);
  reply.u64(at + 16, attr.blocks);
  reply.u64(at + 24, attr.accessed.seconds);
  reply.u64(at + 32, attr.modified.seconds);
  reply.u64(at + 40, attr.changed.seconds);
  reply.u32(at + 48, attr.accessed.nanoseconds);
  reply.u32(at + 52, attr.modified.nanoseconds);
  reply.u32(at + 56, attr.changed.nanoseconds);
  reply.u32(at + 60, attr.mode);
  reply.u32(at + 64, attr.nlink);
  reply.u32(at + 68, attr.uid);
  reply.u32(at + 72, attr.gid);
  reply.u32(at + 76, attr.device);
  reply.u32(at + 80, attr.blockSize);
  reply.u32(at + 84, 0);
}

/** fuse_attr_out */
export function putAttrOut(reply: Reply, attr: Attributes): number {
  reply.u64(0, VALID_SECONDS);
  reply.u64(8, 0);
  putAttr(reply, 16, attr);
  return ATTR_OUT_BYTES;
}

/** fuse_entry_out. Our node ids are never used twice: the generation is always 0. */
export function putEntry(reply: Reply, at: number, nodeId: number, attr: Attributes): number {
  reply.u64(at, nodeId);
  reply.u64(at + 8, 0);
  reply.u64(at + 16, VALID_SECONDS);
  reply.u64(at + 24, VALID_SECONDS);
  reply.u64(at + 32, 0);
  putAttr(reply, at + 40, attr);
  return ENTRY_BYTES;
}

/** A fuse_entry_out that says: there is no such name, and you may remember that. */
export function putNegativeEntry(reply: Reply): number {
  reply.zero(0, ENTRY_BYTES);
  reply.u64(16, VALID_SECONDS);
  return ENTRY_BYTES;
}

/** fuse_open_out */
export function putOpenOut(reply: Reply, at: number, handle: number, flags: number): number {
  reply.u64(at, handle);
  reply.u32(at + 8, flags);
  reply.u32(at + 12, 0);
  return OPEN_OUT_BYTES;
}

/** fuse_statfs_out */
export function putStatfs(reply: Reply, volume: VolumeNumbers): number {
  reply.zero(0, 80);
  reply.u64(0, volume.blocks);
  reply.u64(8, volume.blocksFree);
  reply.u64(16, volume.blocksAvailable);
  reply.u64(24, volume.files);
  reply.u64(32, volume.filesFree);
  reply.u32(40, volume.blockSize);
  reply.u32(44, volume.nameLengthMax);
  reply.u32(48, volume.blockSize);
  return 80;
}

/** The length of a fuse_dirent with that name, padded. */
export function direntBytes(name: Uint8Array): number {
  return (DIRENT_HEADER_BYTES + name.length + 7) & ~7;
}

export interface Dirent {
  readonly ino: number;
  /** Where reading goes on behind this entry. */
  readonly next: number;
  /** DT_* */
  readonly type: number;
  readonly name: Uint8Array;
}

/** fuse_dirent */
export function putDirent(reply: Reply, at: number, dirent: Dirent): number {
  const bytes = direntBytes(dirent.name);
  reply.zero(at + bytes - 8, 8);
  reply.u64(at, dirent.ino);
  reply.u64(at + 8, dirent.next);
  reply.u32(at + 16, dirent.name.length);
  reply.u32(at + 20, dirent.type);
  reply.bytes(at + DIRENT_HEADER_BYTES, dirent.name);
  return bytes;
}

/** The fuse_entry_out of a fuse_direntplus without node: name and type only. */
export function putNoEntry(reply: Reply, at: number): number {
  reply.zero(at, ENTRY_BYTES);
  return ENTRY_BYTES;
}
