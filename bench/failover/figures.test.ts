import { describe, expect, it } from 'vitest';
import { summarize, table } from './figures.ts';

describe('figures', () => {
  it('gives the median of odd and even counts, and nothing for nothing', () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3, count: 3 });
    expect(summarize([4, 1, 2, 3])?.median).toBe(2.5);
    expect(summarize([])).toBeUndefined();
  });

  it('makes a table that Markdown understands', () => {
    const tako = { name: 'Tako', gaps: { 'power-off': [0.4, 0.5, 0.3], move: [0.1] } };
    const other = { name: 'keepalived', gaps: { 'power-off': [0.2] } };
    expect(table([tako, other])).toBe(
      [
        '| seconds | Tako | keepalived | Tako / keepalived |',
        '|---|---|---|---|',
        '| power-off, carrier of the direct link gone | 0.400 (0.300 to 0.500) | 0.200 (0.200 to 0.200) | 2.00 |',
        '| power-off, silence alone | - | - | - |',
        '| program killed, restarted on the same node | - | - | - |',
        '| planned move | 0.100 (0.100 to 0.100) | - | - |',
      ].join('\n'),
    );
  });
});
