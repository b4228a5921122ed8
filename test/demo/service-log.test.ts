import { describe, expect, it } from 'vitest';
import { type ServiceEntry, overlaps } from './service-log.ts';

const entry = (at: number, opening: number, what: string, node = 'n1'): ServiceEntry => ({
  at,
  node,
  instance: `${node}-${opening}`,
  opening,
  what,
});

describe('overlaps', () => {
  it('finds nothing where one follows the other', () => {
    const entries = [
      entry(1, 1, 'open'),
      entry(2, 1, 'ack c 1'),
      entry(3, 2, 'open', 'n2'),
      entry(4, 1, 'stop'),
      entry(5, 2, 'ack c 2', 'n2'),
    ];
    expect(overlaps(entries)).toEqual([]);
  });

  it('knows what was synced before and only noted later, in one batch', () => {
    const entries = [
      entry(1, 1, 'open'),
      entry(2, 1, 'sync'),
      entry(3, 2, 'open', 'n2'),
      entry(40, 1, 'ack c 1'),
      entry(41, 1, 'sync'),
    ];
    expect(overlaps(entries)).toEqual([]);
    expect(overlaps([...entries, entry(42, 1, 'ack c 2')])).toHaveLength(1);
  });

  it('finds an acknowledgement after the takeover, and two servers of one opening', () => {
    const late = [entry(3, 2, 'open', 'n2'), entry(40, 1, 'ack c 2')];
    expect(overlaps(late)).toEqual([
      'the server on n1 still did "ack c 2" 37 ms after the one on n2 had taken over',
    ]);
    expect(overlaps([entry(3, 2, 'open', 'n2'), entry(4, 2, 'open', 'n1')])).toHaveLength(1);
  });
});
