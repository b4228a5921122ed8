/**
 * Where the fields of requests lie, from the start of the message, its header included
 * (linux/fuse.h, protocol 7.31 and later; the struct is named at each). `bytes` is the length of
 * header and struct, and so where names or data begin.
 */

/** Offset of a field within a message. */
export type Field = number;

export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;

/** fuse_init_in */
export const INIT_IN = { major: 40, minor: 44, maxReadahead: 48, flags: 52, bytes: 56 } as const;
/** fuse_forget_in */
export const FORGET_IN = { lookups: 40, bytes: 48 } as const;
/** fuse_batch_forget_in, followed by fuse_forget_one records */
export const BATCH_FORGET_IN = { count: 40, bytes: 48 } as const;
export const FORGET_ONE = { nodeId: 0, lookups: 8, bytes: 16 } as const;
/** fuse_setattr_in */
export const SETATTR_IN = {
  valid: 40,
  size: 56,
  accessed: 72,
  modified: 80,
  accessedNs: 96,
  modifiedNs: 100,
  mode: 108,
  uid: 116,
  gid: 120,
  bytes: 128,
} as const;
/** fuse_mknod_in */
export const MKNOD_IN = { mode: 40, device: 44, umask: 48, bytes: 56 } as const;
/** fuse_mkdir_in */
export const MKDIR_IN = { mode: 40, umask: 44, bytes: 48 } as const;
/** fuse_rename_in */
export const RENAME_IN = { newParent: 40, bytes: 48 } as const;
/** fuse_rename2_in */
export const RENAME2_IN = { newParent: 40, flags: 48, bytes: 56 } as const;
/** fuse_link_in */
export const LINK_IN = { existing: 40, bytes: 48 } as const;
/** fuse_open_in */
export const OPEN_IN = { flags: 40, openFlags: 44, bytes: 48 } as const;
/** fuse_create_in */
export const CREATE_IN = { flags: 40, mode: 44, umask: 48, openFlags: 52, bytes: 56 } as const;
/** fuse_release_in */
export const RELEASE_IN = { handle: 40, bytes: 64 } as const;
/** fuse_read_in; also READDIR and READDIRPLUS */
export const READ_IN = { handle: 40, offset: 48, size: 56, bytes: 80 } as const;
/** fuse_write_in */
export const WRITE_IN = { handle: 40, offset: 48, size: 56, flags: 60, bytes: 80 } as const;
/** fuse_fsync_in */
export const FSYNC_IN = { handle: 40, flags: 48, bytes: 56 } as const;
/** fuse_setxattr_in with the fields of FUSE_SETXATTR_EXT */
export const SETXATTR_EXT_IN = { size: 40, flags: 44, extraFlags: 48, bytes: 56 } as const;
/** fuse_setxattr_in without */
export const SETXATTR_IN = { size: 40, flags: 44, bytes: 48 } as const;
/** fuse_getxattr_in; also LISTXATTR */
export const GETXATTR_IN = { size: 40, bytes: 48 } as const;
/** fuse_fallocate_in */
export const FALLOCATE_IN = { offset: 48, length: 56, mode: 64, bytes: 72 } as const;
/** fuse_lseek_in */
export const LSEEK_IN = { offset: 48, whence: 56, bytes: 64 } as const;
