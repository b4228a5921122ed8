/**
 * Gives up pages of the program's own files (code and constants) that were needed to start, and
 * are mapped for good otherwise: for Node.js they are two thirds of a small process. What is used
 * again comes back from the page cache, at the price of a page fault; nothing is lost, because only
 * mappings are touched that hold nothing but what is in the file.
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';

const MADV_DONTNEED = 4;

const madvise = koffi
  .load(null)
  .func('madvise', 'int', ['uintptr_t', 'size_t', 'int']) as unknown as (
  address: bigint,
  length: bigint,
  advice: number,
) => number;

interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
}

/** To be called before memory is locked: the kernel gives up no locked page. */
export function shedFilePages(): void {
  for (const { start, end } of unchangedFileMappings(readFileSync('/proc/self/smaps', 'utf8'))) {
    // Best effort: a mapping that stays costs memory, nothing else.
    madvise(start, end - start, MADV_DONTNEED);
  }
}

/**
 * Read-only mappings of files in which no page was ever written. Pages that were (by the dynamic
 * linker, before it closed them to writing) count as anonymous, and would be lost.
 */
export function unchangedFileMappings(smaps: string): readonly Mapping[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/u).flatMap((text) => {
    const head = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p [0-9a-f]+ \S+ [1-9][0-9]* +\//u.exec(text);
    const [, start, end] = head ?? [];
    if (start === undefined || end === undefined || !/^Anonymous: +0 kB$/mu.test(text)) return [];
    return [{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) }];
  });
}
