/** What if, for groups that run everywhere. */
import { expect, test } from 'vitest';
import type { ClusterStatus, GroupStatus } from '../../protocol/api.ts';
import { simConfig } from '../sim-config.ts';
import { type Prediction, whatIf } from './what-if.ts';

const config = simConfig({
  nodes: ['n1', 'n2', 'n3'],
  groups: [{ id: 'web', nodes: ['n1', 'n2', 'n3'], type: 'everywhere' }],
});

function ask(words: string, over: Partial<GroupStatus> = {}, lost?: string): Prediction {
  const instances = ['n1', 'n2', 'n3'].map((node) => {
    const barred = over.want === 'offline' || over.banned?.some((id) => id === node);
    const state = node === lost ? 'unknown' : barred === true ? 'stopped' : 'online';
    return { node, state, reason: '', resources: [] };
  });
  const nodes = ['n1', 'n2', 'n3'].map((id) => {
    return { id, state: id === lost ? 'lost' : 'up', links: [] };
  });
  const group = {
    ...{ id: 'web', type: 'everywhere', state: 'online', want: 'online', inSync: {} },
    ...{ instances, voters: [], resources: [], standby: [], banned: [], ...over },
  };
  const status = { cluster: 'sim', node: 'n1', time: '', nodes, groups: [group] };
  return whatIf(config, status as unknown as ClusterStatus, words.split(' '));
}

test('a lost node takes its instance with it, and nothing else happens', () => {
  const { differences, steps } = ask('lose n2 then wait 3s');
  expect(differences).toEqual([]);
  expect(steps[0]?.outcomes).toEqual([
    {
      ...{ group: 'web', before: undefined, after: undefined, awayMs: 0 },
      instances: { before: ['n1', 'n2', 'n3'], after: ['n1', 'n3'] },
      why: 'n2: it is off',
    },
  ]);
});

test('what is stopped, banned or lost already is so', () => {
  const banned = ask('return n3 then wait 3s', { banned: ['n2' as never] }, 'n3');
  expect(banned.differences).toEqual([]);
  expect(banned.steps[0]?.outcomes[0]).toMatchObject({
    instances: { before: ['n1'], after: ['n1', 'n3'] },
    why: 'n2: n2 is banned from the group',
  });
  const stopped = ask('start web then wait 1s', { want: 'offline' });
  expect(stopped.differences).toEqual([]);
  expect(stopped.steps[0]?.outcomes[0]?.instances).toEqual({
    before: [],
    after: ['n1', 'n2', 'n3'],
  });
});

test('a program that fails is restarted where it is; a move is refused', () => {
  const { steps } = ask('fail web/program then wait 1s then move web n2 then wait 1s');
  expect(steps.map(({ outcomes }) => outcomes[0]?.instances?.after.length)).toEqual([3, 3]);
  const kinds = steps.map(({ happenings }) => happenings.map(({ kind }) => kind));
  expect(kinds).toEqual([['resource-failed', 'resource-online'], ['answer']]);
  expect(steps[1]?.happenings[0]?.text).toContain('there is nothing to move');
});

test('an instance that does not run in the state to start from is told as a difference', () => {
  const instances = [{ node: 'n1', state: 'failed', reason: '', resources: [] }] as never;
  expect(ask('lose n3 then wait 1s', { instances }).differences).toEqual([
    'Group web: where it runs: nowhere; simulated from: n1, n2, n3',
  ]);
});
