/** Bits of the protocol that Tako uses (linux/fuse.h), and a few of the kernel's own. */

/** FUSE_* flags of INIT. */
export const INIT_FLAG = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  dontMask: 1 << 6,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  asyncDirectIo: 1 << 15,
  parallelDirops: 1 << 18,
  posixAcl: 1 << 20,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  killPrivV2: 1 << 28,
  setxattrExt: 1 << 29,
} as const;

/** FATTR_* bits of SETATTR. */
export const FATTR = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  accessed: 1 << 4,
  modified: 1 << 5,
  accessedNow: 1 << 7,
  modifiedNow: 1 << 8,
  killSuidgid: 1 << 11,
} as const;

/** FOPEN_* bits of an answer to OPEN. */
export const FOPEN_KEEP_CACHE = 1 << 1;
export const FOPEN_CACHE_DIR = 1 << 3;

export const OPEN_KILL_SUIDGID = 1 << 0;
export const WRITE_KILL_SUIDGID = 1 << 2;
export const SETXATTR_ACL_KILL_SGID = 1 << 0;
export const FSYNC_DATA_ONLY = 1 << 0;

/** Bits of a file's mode (linux/stat.h). */
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_IXGRP = 0o010;
export const PERMISSION_BITS = 0o7777;

/** open(2), where all architectures agree. */
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_RDWR = 0o2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_PATH = 0o10000000;

/** renameat2(2). */
export const RENAME_EXCHANGE = 1 << 1;

/** utimensat(2): the present time, in place of nanoseconds. */
export const UTIME_NOW = 0x3fffffff;
