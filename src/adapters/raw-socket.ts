/**
 * The system calls for sockets that Node.js has no API for (netlink, raw frames). All descriptors
 * are non-blocking, so that no call can hold up the heart. Results are the call's, or the negated
 * error number.
 */
import koffi from 'koffi';

export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

const libc = koffi.load(null);
const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const bindCall = libc.func('int bind(int fd, const void *address, uint32_t length)');
const closeCall = libc.func('int close(int fd)');
const setsockoptCall = libc.func(
  'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
);
const sendtoCall = libc.func(
  'intptr_t sendto(int fd, const void *data, size_t size, int flags, const void *to, uint32_t n)',
);
const recvCall = libc.func('intptr_t recv(int fd, void *into, size_t size, int flags)');
const pollCall = libc.func('int poll(void *fds, uint64_t count, int timeout)');

type Call = (...args: readonly unknown[]) => unknown;

function invoke(call: unknown, ...args: readonly unknown[]): number {
  const result = Number((call as Call)(...args));
  return result < 0 ? -koffi.errno() : result;
}

export function openSocket(domain: number, protocol: number): number {
  return invoke(socketCall, domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

export function bindSocket(fd: number, address: Uint8Array): number {
  return invoke(bindCall, fd, address, address.length);
}

export function closeSocket(fd: number): number {
  return invoke(closeCall, fd);
}

export function setOption(fd: number, level: number, name: number, value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return invoke(setsockoptCall, fd, level, name, bytes, bytes.length);
}

export function sendTo(fd: number, data: Uint8Array, to: Uint8Array): number {
  return invoke(sendtoCall, fd, data, data.length, 0, to, to.length);
}

/** -EAGAIN when nothing is there. */
export function receive(fd: number, into: Uint8Array): number {
  return invoke(recvCall, fd, into, into.length, 0);
}

/** Waits until something can be read; 0 when the time is over first. */
export function waitReadable(fd: number, timeoutMs: number): number {
  const POLLIN = 1;
  const fds = Buffer.alloc(8);
  fds.writeInt32LE(fd, 0);
  fds.writeInt16LE(POLLIN, 4);
  return invoke(pollCall, fds, 1, timeoutMs);
}
