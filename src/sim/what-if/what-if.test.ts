import { describe, expect, test } from 'vitest';
import type { ClusterStatus } from '../../protocol/api.ts';
import type { Config } from '../../protocol/config.ts';
import { simConfig } from '../sim-config.ts';
import { type Prediction, whatIf } from './what-if.ts';

const config = simConfig({
  nodes: ['n1', 'n2'],
  witness: 'w1',
  groups: [{ id: 'db', nodes: ['n1', 'n2'] }],
});

interface Given {
  readonly owner?: string;
  readonly inSync?: readonly string[];
  readonly lost?: readonly string[];
  readonly restarts?: number;
  readonly want?: 'online' | 'offline';
  readonly voters?: readonly string[];
}

function statusOf(given: Given = {}): ClusterStatus {
  const { owner = 'n1', inSync = ['n1', 'n2'], lost = [], want = 'online' } = given;
  return {
    cluster: 'sim',
    node: owner,
    time: '2026-11-22T16:07:00.000Z',
    nodes: ['n1', 'n2', 'w1'].map((id) => ({
      id,
      state: lost.includes(id) ? 'lost' : 'up',
      links: [],
    })),
    groups: [
      {
        id: 'db',
        state: want === 'online' ? 'online' : 'stopped',
        owner,
        want,
        inSync: { data: inSync },
        voters: given.voters ?? ['n1', 'n2', 'w1'],
        resources: [{ id: 'program', agent: 'process', restarts: given.restarts ?? 0 }],
      },
    ],
  } as unknown as ClusterStatus;
}

function ask(words: string, given: Given = {}, of: Config = config): Prediction {
  return whatIf(of, statusOf(given), words.split(' '));
}

describe('from the state that is told', () => {
  test('a lost owner is replaced within the promised time, for its cable has no carrier', () => {
    const { steps, differences } = ask('lose n2 then wait 3s', { owner: 'n2' });
    expect(differences).toEqual([]);
    const [outcome] = steps[0]?.outcomes ?? [];
    expect(outcome).toMatchObject({ before: 'n2', after: 'n1', why: undefined });
    expect(outcome?.awayMs).toBeGreaterThan(200);
    expect(outcome?.awayMs).toBeLessThan(500);
  });

  test('a copy that is not in sync does not take over', () => {
    const given = { inSync: ['n1'] };
    const { steps, differences } = ask('lose n1 then wait 3s', given);
    expect(differences).toEqual([]);
    expect(steps[0]?.outcomes[0]).toMatchObject({ before: 'n1', after: undefined });
    expect(steps[0]?.outcomes[0]?.why).toMatchInlineSnapshot(
      `"n2: n1 is lost: silent on mirror, lan for 2.30 s, and the carrier of mirror is gone, but the copy of "data" on n2 is not in sync; waiting for n1"`,
    );
  });

  test('counted restarts count', () => {
    const restarts = 3;
    const worn = ask('fail db/program then wait 5s', { restarts }).steps[0]?.outcomes[0];
    expect(worn).toMatchObject({ after: 'n2' });
  });

  test('a stopped group stays down when its node is lost, and starts when it is asked to', () => {
    const given = { want: 'offline' } as const;
    const { steps, differences } = ask('lose n1 then wait 3s then start db then wait 3s', given);
    expect(differences).toEqual([]);
    expect(steps.map(({ outcomes }) => outcomes[0]?.after)).toEqual([undefined, 'n2']);
  });

  test('a node that is lost already is lost', () => {
    const given = { inSync: ['n1'], voters: ['n1'], lost: ['n2'] };
    const { steps, differences } = ask('return n2 then wait 5s then lose n1', given);
    expect(differences).toEqual([]);
    expect(steps.map(({ outcomes }) => outcomes[0]?.after)).toEqual(['n1', 'n2']);
  });
});

test('what it cannot start from it tells', () => {
  const { differences } = ask('lose n2 then wait 1s', { voters: ['n2'] });
  expect(differences).toEqual(['Group db: votes: n2; simulated from: n1, n2, w1']);
});

test('the same question has the same answer', () => {
  expect(ask('cut lan then wait 1s')).toEqual(ask('cut lan then wait 1s'));
});

test.each([
  ['lose n9', 'there is no node "n9"'],
  ['move shop n1', 'there is no group "shop"'],
  ['wait 3s', '"wait" stands after'],
  ['explode', '"explode" is no step'],
  ['fail db/data', 'is no resource that is a program'],
  ['fail db/program 1000', 'is no number from 1 to 100'],
  ['lose n1 then wait 3h', 'is no duration of at most 600 s'],
])('%s is refused', (words, message) => {
  expect(() => ask(words)).toThrow(message);
});
