/**
 * The error numbers that the file system gives by itself, as negative numbers, the way the kernel
 * protocol wants them. They are the same on all architectures that Node.js runs on.
 */
export const ENOENT = -2;
export const EINTR = -4;
export const EIO = -5;
export const EBADF = -9;
export const EAGAIN = -11;
export const EEXIST = -17;
export const EXDEV = -18;
export const ENODEV = -19;
export const ENOTDIR = -20;
export const EINVAL = -22;
export const ENOTTY = -25;
export const EFBIG = -27;
export const ENAMETOOLONG = -36;
export const ENOSYS = -38;
export const ERANGE = -34;
export const EPERM = -1;
export const EACCES = -13;
export const EROFS = -30;
export const ETXTBSY = -26;
export const ENXIO = -6;
export const EPROTO = -71;
export const ESTALE = -116;
