/** What a person is told to do about a group that waits for members who are lost. */
import { describe, expect, test } from 'vitest';
import { instant } from '../base/time.ts';
import type { GroupCore } from '../core/node/group-core.ts';
import type { GroupConfig } from '../protocol/config.ts';
import type { PeerReport } from '../protocol/heart-ipc.ts';
import type { Epoch, NodeId, ResourceId, SeatId } from '../protocol/ids.ts';
import type { OwnershipRecord } from '../protocol/record.ts';
import { byHand } from './by-hand.ts';

const [N1, N2] = ['n1', 'n2'] as [NodeId, NodeId];
const DATA = 'data' as ResourceId;
const voter = (node: NodeId) => ({ node, seat: `${node}-1` as SeatId });
const RECORD: OwnershipRecord = {
  epoch: 4 as Epoch,
  owner: N1,
  inSync: { [DATA]: [N1, N2] },
  want: 'online',
  voters: [voter(N1), voter(N2)],
};
const STALE = { ...RECORD, inSync: { [DATA]: [N1] } };
const LOST = { node: N1, state: 'lost', lastHeardAt: instant(5000) } as unknown as PeerReport;
const UP = { ...LOST, state: 'up' as const };
const GROUP = {
  id: 'db',
  nodes: [N1, N2],
  resources: [{ id: DATA, agent: 'mirror' }],
} as unknown as GroupConfig;

function told(
  given: { record?: OwnershipRecord; phase?: string; hasRead?: boolean },
  peers: readonly PeerReport[] = [LOST],
): readonly string[] | undefined {
  const core = { record: RECORD, phase: 'claiming', hasRead: true, ...given };
  return byHand({
    me: N2,
    group: GROUP,
    core: core as unknown as GroupCore,
    accepted: undefined,
    peers,
    now: instant(35_000),
  });
}

describe('a group that waits for a lost node', () => {
  test('whole copy: for whom, what to make sure of, the command, and that nothing is lost', () => {
    const lines = told({}) ?? [];
    expect(lines[0]).toContain('waits for n1: n1 was heard last 30 s ago');
    expect(lines[1]).toContain('make sure that n1 is off');
    expect(lines[2]?.trim()).toBe('tako force voters db --off n1');
    expect(lines[3]).toContain('nothing that was acknowledged');
  });

  test('outdated copy: what is given up, and the command that says so', () => {
    const lines = told({ record: STALE, phase: 'waiting' }) ?? [];
    expect(lines[2]?.trim()).toBe('tako force takeover db --off n1 --accept-data-loss');
    expect(lines[3]).toContain('what "data" on n1 has and n2 lacks');
  });

  test('after a start nobody knows whether the copy is whole', () => {
    const lines = told({ hasRead: false, phase: 'probing' }) ?? [];
    expect(lines[2]).toContain('--accept-data-loss');
    expect(lines[3]).toContain('it has not heard since it started');
  });
});

test.each([
  ['it serves here', { phase: 'owning' }, [LOST]],
  ['it is wanted offline', { record: { ...RECORD, want: 'offline' as const } }, [LOST]],
  ['nobody is lost', {}, [UP]],
  ['it needs nobody who is lost', { record: { ...RECORD, voters: [voter(N2)] } }, [LOST]],
])('nothing is told when %s', (_name, given, peers) => {
  expect(told(given, peers)).toBeUndefined();
});
