import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { shedFilePages, unchangedFileMappings } from './shed-pages.ts';

const mapping = (head: string, anonymousKiB: number): string =>
  `${head}\nSize:  1024 kB\nRss:  512 kB\nAnonymous:  ${anonymousKiB} kB\nLocked:  0 kB\n`;

test('only files that are mapped read-only and were never written to', () => {
  const smaps = [
    mapping('00400000-00500000 r-xp 00000000 fe:00 77     /usr/bin/node', 0),
    mapping('00500000-00600000 r--p 00100000 fe:00 77     /usr/bin/node', 0),
    mapping('00600000-00700000 r--p 00200000 fe:00 77     /usr/bin/node', 8),
    mapping('00700000-00800000 rw-p 00300000 fe:00 77     /usr/bin/node', 0),
    mapping('00800000-00900000 r--s 00000000 fe:00 78     /shared', 0),
    mapping('00900000-00a00000 r-xp 00000000 00:00 0', 0),
    mapping('7ffc0000-7ffc2000 r-xp 00000000 00:00 0      [vdso]', 0),
  ].join('');
  expect(unchangedFileMappings(smaps)).toEqual([
    { start: 0x400000n, end: 0x500000n },
    { start: 0x500000n, end: 0x600000n },
  ]);
});

test('the program lives on without them, smaller', () => {
  const resident = (): number =>
    Number(/^RssFile:\s+(\d+)/mu.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]);
  const before = resident();
  shedFilePages();
  expect(resident()).toBeLessThan(before);
  expect(JSON.parse('{"a": [1, 2]}')).toEqual({ a: [1, 2] });
});
