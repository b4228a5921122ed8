/**
 * /dev/fuse as the session uses it. The descriptor does not block: a thread that waits in read(2)
 * could be ended by nothing but the kernel, and would keep its whole process from exiting.
 */
import type { Fd } from '../../ports/file-system.ts';
import type { FuseDevice } from '../../ports/fuse-device.ts';
import { lastError, libc } from './libc.ts';

const POLLIN = 1;

export class LinuxFuseDevice implements FuseDevice {
  readonly #fd: Fd;
  /** `struct pollfd`: descriptor, events, what happened. */
  readonly #poll = new Uint8Array(8);

  /** `fd` from `openFuseDevice`, mounted; it stays open. */
  constructor(fd: Fd) {
    this.#fd = fd;
    const view = new DataView(this.#poll.buffer);
    view.setInt32(0, fd, true);
    view.setInt16(4, POLLIN, true);
  }

  wait(timeoutMs: number): number {
    return result(libc.poll(this.#poll, 1, timeoutMs));
  }

  read(into: Uint8Array): number {
    return result(libc.read(this.#fd, into, into.length));
  }

  write(message: Uint8Array, length: number): number {
    return result(libc.write(this.#fd, message, length));
  }
}

function result(value: number): number {
  return value < 0 ? -lastError() : value;
}
