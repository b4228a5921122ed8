/** Names of error numbers, for messages to people. Numbers are the kernel's, of this machine. */
import { constants } from 'node:os';

const NAMES: ReadonlyMap<number, string> = new Map(
  // Where two names share a number (EAGAIN and EWOULDBLOCK), the first in the alphabet is kept.
  Object.entries(constants.errno)
    .toSorted(([a], [b]) => (a < b ? 1 : -1))
    .map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2 and for -2; the number itself where it has no name. */
export function errorName(number: number): string {
  const positive = Math.abs(number);
  return NAMES.get(positive) ?? `error ${positive}`;
}
