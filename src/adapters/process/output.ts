/**
 * What a program writes to stdout and stderr. It writes straight into a file, so that it depends
 * on no process of Tako; whoever watches the program keeps the file bounded: beyond
 * {@link OUTPUT_BYTES_MAX} its last part moves to `NAME.log.1` and it starts again from nothing.
 * The bound holds between two looks, so a program that writes very fast exceeds it for a moment.
 */
import {
  closeSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { messageOf } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import { errnoCode } from '../errno-code.ts';

export const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const KEPT_BYTES = 256 * 1024;
const SHOWN_BYTES = 2048;
const SHOWN_LINES = 5;

/** Opens for appending, as stdout of a program of that user. */
export function openOutput(path: string, owner: { uid: number; gid: number }): number {
  const fd = openSync(path, 'a', 0o640);
  // So that the program may open /dev/stderr anew.
  fchownSync(fd, owner.uid, owner.gid);
  return fd;
}

export function outputSize(path: string): number {
  return withFile(path, 'r', (fd) => fstatSync(fd).size) ?? 0;
}

/** The end of what is behind `from`, at most so many bytes. */
export function endOfOutput(path: string, from: number, bytesMax: number): string {
  const bytes = withFile(path, 'r', (fd) => {
    const { size } = fstatSync(fd);
    // The file was cut short since: all of it is new.
    const start = size < from ? 0 : from;
    return readRange(fd, Math.max(start, size - bytesMax), size);
  });
  return (bytes ?? Buffer.alloc(0)).toString('utf8');
}

/** The last lines behind `from`, on one line. */
export function lastLines(path: string, from: number): string {
  const lines = endOfOutput(path, from, SHOWN_BYTES).split('\n');
  const shown = lines.map((line) => line.trim()).filter((line) => line !== '');
  return shown.slice(-SHOWN_LINES).join(' | ');
}

/** Keeps the file within its bound. */
export function tryBoundOutput(path: string, log: Log): void {
  try {
    withFile(path, 'r+', (fd) => {
      const { size } = fstatSync(fd);
      if (size <= OUTPUT_BYTES_MAX) return;
      const kept = readRange(fd, size - KEPT_BYTES, size);
      writeFileSync(`${path}.1.new`, kept, { mode: 0o640 });
      renameSync(`${path}.1.new`, `${path}.1`);
      ftruncateSync(fd, 0);
    });
  } catch (error) {
    log.warn('cannot bound the output of a program', { path, error: messageOf(error) });
  }
}

function withFile<T>(path: string, flags: string, use: (fd: number) => T): T | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function readRange(fd: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from);
  const count = readSync(fd, bytes, 0, bytes.length, from);
  return bytes.subarray(0, count);
}
