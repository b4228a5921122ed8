/** Questions that the planner answers: other configurations, and states too large to simulate. */
import { describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { ClusterStatus } from '../../protocol/api.ts';
import type { Config } from '../../protocol/config.ts';
import type { NodeId } from '../../protocol/ids.ts';
import { type SimGroup, simConfig } from '../sim-config.ts';
import { planIf } from './planned.ts';
import { parseSteps } from './steps.ts';
import { type Prediction, whatIf } from './what-if.ts';

const NODES = ['n1', 'n2', 'n3'];
const GROUPS: readonly SimGroup[] = [
  { id: 'db', nodes: ['n1', 'n2'] },
  { id: 'web', nodes: ['n2', 'n3'] },
];
const config = simConfig({ nodes: NODES, groups: GROUPS });

function statusOf(of: Config, lost: readonly string[] = []): ClusterStatus {
  return {
    cluster: 'sim',
    node: 'n1',
    time: '2026-11-22T16:07:00.000Z',
    nodes: of.nodes.map(({ id }) => ({ id, state: lost.includes(id) ? 'lost' : 'up', links: [] })),
    groups: of.groups.map(({ id, nodes }) => ({
      id,
      state: 'online',
      owner: nodes[0],
      epoch: 3,
      want: 'online',
      inSync: { data: nodes },
      voters: of.nodes.map((node) => node.id),
      resources: [],
    })),
  } as unknown as ClusterStatus;
}

function change(groups: readonly SimGroup[], nodes: readonly string[] = NODES): Prediction {
  const configs = new Map([['new.yaml', simConfig({ nodes, groups })]]);
  return whatIf(config, statusOf(config), ['config', 'new.yaml'], configs);
}

function textsOf({ steps }: Prediction, step = 0): readonly string[] {
  return steps[step]?.happenings.map(({ group, text }) => `${group}: ${text}`) ?? [];
}

describe('another configuration', () => {
  test('that is the same changes nothing', () => {
    const prediction = change(GROUPS);
    expect(prediction.how).toBe('planned');
    expect(textsOf(prediction)).toEqual([': Nothing is changed by it']);
    expect(prediction.steps[0]).toMatchObject({ outcomes: [], unchanged: 2 });
    expect(prediction.unknown.join()).toContain(
      'it takes effect on each node when Tako is started anew',
    );
  });

  test('a new group is started on its first node', () => {
    const prediction = change([...GROUPS, { id: 'mail', nodes: ['n3', 'n1'] }]);
    expect(textsOf(prediction)[0]).toBe(': Group mail is added');
    expect(prediction.steps[0]?.outcomes).toMatchObject([
      { group: 'mail', before: undefined, after: 'n3', why: undefined },
    ]);
  });

  test('a group that it has no more is said to be down', () => {
    const prediction = change(GROUPS.slice(0, 1));
    expect(textsOf(prediction)).toContain(': Group web is taken away');
    expect(prediction.steps[0]?.outcomes).toMatchObject([
      { group: 'web', before: 'n2', after: undefined, why: 'the configuration has it no more' },
    ]);
  });

  test('a group leaves a node that is taken off its list', () => {
    const prediction = change([{ id: 'db', nodes: ['n2'] }, GROUPS[1] ?? { id: '', nodes: [] }]);
    expect(textsOf(prediction)[0]).toBe(': Group db: nodes n2 (before: n1, n2)');
    expect(prediction.steps[0]?.outcomes).toMatchObject([
      { group: 'db', before: 'n1', after: 'n2' },
    ]);
  });

  test('words of placement count: what must be apart', () => {
    const placement = {
      ...{ after: [], together: [], apartIfPossible: [], priority: 0, needs: {} },
      apart: ['web'],
    } as unknown as SimGroup['placement'];
    const both = [
      { id: 'db', nodes: ['n2', 'n1'], placement },
      { id: 'web', nodes: ['n2', 'n3'] },
    ];
    const apart = simConfig({ nodes: NODES, groups: both });
    const configs = new Map([['apart.yaml', apart]]);
    const words = 'lose n1 then wait 1s then config apart.yaml'.split(' ');
    const { steps } = whatIf(config, statusOf(config), words, configs);
    expect(steps[0]?.outcomes).toMatchObject([{ group: 'db', after: 'n2' }]);
    const [db, web] = ['db', 'web'].map(
      (id) => steps[1]?.outcomes.find(({ group }) => group === id)?.after ?? 'n2',
    );
    expect(db).not.toBe(web);
  });

  test('of another cluster is refused, and so are steps that can only be simulated', () => {
    const other = new Map([['x', { ...config, cluster: 'other' }]]);
    const status = statusOf(config);
    expect(() => whatIf(config, status, ['config', 'x'], other)).toThrow('is of cluster "other"');
    const words = 'config x then cut lan'.split(' ');
    expect(() => whatIf(config, status, words, new Map([['x', config]]))).toThrow('planned only');
  });
});

describe('a state too large to simulate', () => {
  const nodes = Array.from({ length: 40 }, (_, index) => `n${index + 1}`);
  const large = simConfig({
    nodes,
    groups: nodes.map((node, at) => ({
      id: `g${at + 1}`,
      nodes: [node, nodes[(at + 1) % nodes.length] ?? ''],
    })),
  });
  const ask = (words: string, lost: readonly string[] = []): Prediction =>
    whatIf(large, statusOf(large, lost), words.split(' '));

  test('the groups of a lost node go to their second, and stay there when it returns', () => {
    const { how, steps, unknown } = ask('lose n7 then return n7');
    expect(how).toBe('planned');
    expect(unknown.join()).toContain('planned, not simulated');
    expect(steps[0]).toMatchObject({
      outcomes: [{ group: 'g7', before: 'n7', after: 'n8', awayMs: undefined }],
      unchanged: 39,
    });
    expect(steps[1]).toMatchObject({ outcomes: [], unchanged: 40 });
  });

  test('moved, stopped and started as asked; a refusal has its reason', () => {
    const { steps } = ask('move g1 n2 then stop g1 then start g1 then move g1 n9');
    expect(steps.map(({ outcomes }) => outcomes.map(({ after }) => after))).toEqual([
      ['n2'],
      [undefined],
      ['n2'],
      [],
    ]);
    expect(steps[3]?.happenings[0]?.text).toBe('Refused: n9 is not among its nodes');
  });

  test('a group that runs everywhere runs on those of its nodes that are up', () => {
    const [first, ...others] = large.groups;
    const agent = { ...must(first, 'it has groups'), type: 'everywhere' as const };
    const config = { ...large, groups: [agent, ...others] };
    const status = statusOf(config);
    const groups = status.groups.map((group) =>
      group.id === 'g1' ? { ...group, type: 'everywhere', owner: undefined } : group,
    );
    const words = 'lose n2 then stop g1'.split(' ');
    const { steps } = whatIf(config, { ...status, groups } as ClusterStatus, words);
    expect(steps[0]?.outcomes).toContainEqual(
      expect.objectContaining({ group: 'g1', instances: { before: ['n1', 'n2'], after: ['n1'] } }),
    );
    expect(steps[1]?.outcomes[0]?.instances).toEqual({ before: ['n1'], after: [] });
  });

  test('without a majority of its voters nothing takes over', () => {
    const half = nodes.slice(0, 21).filter((id) => id !== 'n7' && id !== 'n8');
    const { steps } = ask('lose n7 then lose n8', [...half, 'n39']);
    const why = steps[1]?.outcomes.find(({ group }) => group === 'g7')?.why;
    expect(why).toContain('no majority is left of the votes of');
  });

  test('a stale copy does not take over', () => {
    const status = statusOf(large);
    const groups = status.groups.map((group) => ({
      ...group,
      inSync: { data: ['n1'] as NodeId[] },
    }));
    const { steps } = whatIf(large, { ...status, groups } as ClusterStatus, ['lose', 'n1']);
    const [outcome] = steps[0]?.outcomes ?? [];
    expect(outcome).toMatchObject({ group: 'g1', after: undefined });
    expect(outcome?.why).toContain('the only copy in sync is on n1');
  });
});

test.each([
  'lose n2 then wait 2s then return n2 then wait 2s',
  'move db n2 then wait 1s then stop web then wait 1s then lose n2 then wait 2s',
])('%s: where the groups end is planned as it is simulated', (words) => {
  const both = simConfig({
    nodes: ['n1', 'n2', 'n3'],
    groups: [
      { id: 'db', nodes: ['n1', 'n2'] },
      { id: 'web', nodes: ['n2', 'n3'] },
    ],
  });
  const status = statusOf(both);
  const steps = parseSteps(words.split(' '), both, new Map());
  const simulated = whatIf(both, status, words.split(' '));
  expect(simulated.how).toBe('simulated');
  expect(simulated.differences).toEqual([]);
  const planned = planIf(both, status, steps);
  for (const [at, { outcomes }] of simulated.steps.entries()) {
    for (const { group, before, after } of outcomes) {
      const told = planned.steps[at]?.outcomes.find((each) => each.group === group);
      expect(told === undefined ? before : told.after, `${group} after step ${at}`).toBe(after);
    }
  }
});
