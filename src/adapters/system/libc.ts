/**
 * The C library's calls that Node.js lacks, declared once. Each returns what the C function
 * returns; after -1, {@link lastError} tells why. Strings are byte arrays that end with a zero
 * byte. Works in worker threads; every call blocks its thread.
 */
import koffi from 'koffi';

type Bytes = Uint8Array;

const library = koffi.load(null);

/** Fixed arguments in place of the C declaration's `...`: the calling conventions agree for integers. */
function declare<F>(name: string, result: string, args: readonly string[]): F {
  // The one place where the declared C types become TypeScript's: a codec at the border.
  return library.func(name, result, [...args]) as unknown as F;
}

/** The error number of this thread's last call that failed. */
export function lastError(): number {
  return koffi.errno();
}

export const libc = {
  close: declare<(fd: number) => number>('close', 'int', ['int']),
  /** openat2(2) and getdents64(2) have no wrapper in older C libraries. */
  openat2: declare<(nr: number, at: number, path: Bytes, how: Bytes, size: number) => number>(
    'syscall',
    'intptr_t',
    ['long', 'int', 'void *', 'void *', 'size_t'],
  ),
  getdents64: declare<(nr: number, fd: number, into: Bytes, size: number) => number>(
    'syscall',
    'intptr_t',
    ['long', 'int', 'void *', 'size_t'],
  ),
  open: declare<(path: Bytes, flags: number, mode: number) => number>('open', 'int', [
    'void *',
    'int',
    'uint32_t',
  ]),
  statx: declare<(at: number, path: Bytes, flags: number, mask: number, into: Bytes) => number>(
    'statx',
    'int',
    ['int', 'void *', 'int', 'uint32_t', 'void *'],
  ),
  fstatvfs: declare<(fd: number, into: Bytes) => number>('fstatvfs', 'int', ['int', 'void *']),
  poll: declare<(polled: Bytes, count: number, timeoutMs: number) => number>('poll', 'int', [
    'void *',
    'unsigned long',
    'int',
  ]),
  read: declare<(fd: number, into: Bytes, size: number) => number>('read', 'intptr_t', [
    'int',
    'void *',
    'size_t',
  ]),
  write: declare<(fd: number, data: Bytes, size: number) => number>('write', 'intptr_t', [
    'int',
    'void *',
    'size_t',
  ]),
  pread: declare<(fd: number, into: Bytes, size: number, offset: number) => number>(
    'pread',
    'intptr_t',
    ['int', 'void *', 'size_t', 'int64_t'],
  ),
  pwrite: declare<(fd: number, data: Bytes, size: number, offset: number) => number>(
    'pwrite',
    'intptr_t',
    ['int', 'void *', 'size_t', 'int64_t'],
  ),
  ftruncate: declare<(fd: number, size: number) => number>('ftruncate', 'int', ['int', 'int64_t']),
  fallocate: declare<(fd: number, mode: number, offset: number, length: number) => number>(
    'fallocate',
    'int',
    ['int', 'int', 'int64_t', 'int64_t'],
  ),
  lseek: declare<(fd: number, offset: number, whence: number) => number>('lseek', 'int64_t', [
    'int',
    'int64_t',
    'int',
  ]),
  fsync: declare<(fd: number) => number>('fsync', 'int', ['int']),
  fdatasync: declare<(fd: number) => number>('fdatasync', 'int', ['int']),
  syncfs: declare<(fd: number) => number>('syncfs', 'int', ['int']),
  mknodat: declare<(at: number, name: Bytes, mode: number, device: number) => number>(
    'mknodat',
    'int',
    ['int', 'void *', 'uint32_t', 'uint64_t'],
  ),
  mkdirat: declare<(at: number, name: Bytes, mode: number) => number>('mkdirat', 'int', [
    'int',
    'void *',
    'uint32_t',
  ]),
  symlinkat: declare<(target: Bytes, at: number, name: Bytes) => number>('symlinkat', 'int', [
    'void *',
    'int',
    'void *',
  ]),
  linkat: declare<(fromAt: number, from: Bytes, toAt: number, to: Bytes, flags: number) => number>(
    'linkat',
    'int',
    ['int', 'void *', 'int', 'void *', 'int'],
  ),
  unlinkat: declare<(at: number, name: Bytes, flags: number) => number>('unlinkat', 'int', [
    'int',
    'void *',
    'int',
  ]),
  renameat2: declare<
    (fromAt: number, from: Bytes, toAt: number, to: Bytes, flags: number) => number
  >('renameat2', 'int', ['int', 'void *', 'int', 'void *', 'uint32_t']),
  readlinkat: declare<(at: number, name: Bytes, into: Bytes, size: number) => number>(
    'readlinkat',
    'intptr_t',
    ['int', 'void *', 'void *', 'size_t'],
  ),
  chmod: declare<(path: Bytes, mode: number) => number>('chmod', 'int', ['void *', 'uint32_t']),
  fchownat: declare<(at: number, name: Bytes, uid: number, gid: number, flags: number) => number>(
    'fchownat',
    'int',
    ['int', 'void *', 'uint32_t', 'uint32_t', 'int'],
  ),
  utimensat: declare<(at: number, path: Bytes, times: Bytes, flags: number) => number>(
    'utimensat',
    'int',
    ['int', 'void *', 'void *', 'int'],
  ),
  getxattr: declare<(path: Bytes, name: Bytes, into: Bytes, size: number) => number>(
    'getxattr',
    'intptr_t',
    ['void *', 'void *', 'void *', 'size_t'],
  ),
  setxattr: declare<
    (path: Bytes, name: Bytes, value: Bytes, size: number, flags: number) => number
  >('setxattr', 'int', ['void *', 'void *', 'void *', 'size_t', 'int']),
  removexattr: declare<(path: Bytes, name: Bytes) => number>('removexattr', 'int', [
    'void *',
    'void *',
  ]),
  listxattr: declare<(path: Bytes, into: Bytes, size: number) => number>('listxattr', 'intptr_t', [
    'void *',
    'void *',
    'size_t',
  ]),
  mount: declare<
    (
      source: Bytes | null,
      target: Bytes,
      type: Bytes | null,
      flags: number,
      data: Bytes | null,
    ) => number
  >('mount', 'int', ['void *', 'void *', 'void *', 'unsigned long', 'void *']),
  umount2: declare<(target: Bytes, flags: number) => number>('umount2', 'int', ['void *', 'int']),
  unshare: declare<(flags: number) => number>('unshare', 'int', ['int']),
  umask: declare<(mask: number) => number>('umask', 'uint32_t', ['uint32_t']),
} as const;
