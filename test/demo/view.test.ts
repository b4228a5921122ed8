import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { GroupStatus } from '../../src/protocol/api.ts';
import type { DemoView, HostView } from './model.ts';
import { clip, drawView } from './view.ts';

const group = {
  id: 'ledger',
  state: 'online',
  owner: 'n1',
  epoch: 4,
  want: 'online',
  reason: 'n1 took over because n2 was lost',
  inSync: { data: ['n1'] },
  voters: ['n1', 'n2', 'w1'],
  resources: [
    {
      id: 'data',
      agent: 'mirror',
      state: 'online',
      detail: '',
      restarts: 0,
      mirror: {
        role: 'primary',
        mounted: true,
        frozen: undefined,
        sequence: 7,
        peers: [
          {
            node: 'n2',
            state: 'resync',
            behindBytes: 5,
            resync: { filesDone: 0, filesTotal: 1, bytesDone: 25, bytesTotal: 100 },
            detail: '',
          },
        ],
      },
    },
  ],
} as unknown as GroupStatus;

function host(name: string, more: Partial<HostView> = {}): HostView {
  const status = { groups: [group] } as unknown as NonNullable<HostView['status']>;
  const links = [
    { name: 'lan', cut: false },
    { name: 'mirror', cut: true },
  ];
  return { name, powered: true, frozen: false, fullDisk: false, links, status, ...more };
}

const view: DemoView = {
  title: 'ledger on two nodes and a witness',
  group: 'ledger',
  records: 'records',
  address: '10.90.1.100:7000',
  hosts: [
    host('n1'),
    host('n2', { fullDisk: true }),
    host('w1', { powered: false, status: undefined, links: [{ name: 'lan', cut: false }] }),
  ],
  client: {
    type: 'stats',
    at: 1000,
    acknowledged: 12_345,
    lost: 0,
    violations: [],
    lastAckAt: 990,
    instance: 'abc',
    opening: 2,
    lastOutage: { from: 0, to: 410, ms: 410, instances: ['a', 'b'] },
  },
  rates: [0, 5, 10],
  longestOutageMs: 410,
  events: [],
  message: 'Powered off n2.',
};
const keys = [
  { key: 'o', what: 'power off the owner' },
  { key: 'q', what: 'quit' },
];

describe('the live screen', () => {
  it('shows who owns what, how the copies stand, and what clients see', () => {
    const text = drawView(view, keys, { columns: 100, rows: 40 }).map(stripVTControlCharacters);
    expect(text.join('\n')).toMatchInlineSnapshot(`
      "Tako: ledger on two nodes and a witness   clients use 10.90.1.100:7000

      n1  owner                     ● lan  ✖ mirror cut
      n2  copy, behind, disk full   ● lan  ✖ mirror cut
      w1  no power                  ○ lan

      ledger is online on n1, epoch 4
        why: n1 took over because n2 was lost
        data     mirror      online    n2 catches up █████░░░░░░░░░░░░░░░ 25 %

      12,345 records acknowledged, 0 lost; answers come
      last outage 0.41 s, longest 0.41 s   ▄█

      What happened, and why

      o power off the owner            q quit                           
      Powered off n2."
    `);
  });

  it('fits into any terminal', () => {
    for (const size of [
      { columns: 20, rows: 5 },
      { columns: 80, rows: 24 },
    ]) {
      const lines = drawView(view, keys, size).map(stripVTControlCharacters);
      expect(lines.length).toBeLessThanOrEqual(size.rows);
      for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(size.columns);
    }
  });

  it('is cut by letters, not by colours', () => {
    expect(clip('\x1b[31mabcdef\x1b[39m', 3)).toBe('\x1b[31mabc\x1b[39m');
  });
});
