/** Relations between groups and capacity: what the words become, and what is refused. */
import { describe, expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import { judgeConfig } from './config-check.ts';

type Words = Readonly<Record<string, unknown>>;

const NODES = { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } };
const PROGRAM = { p: { agent: 'process', command: ['/bin/p'] } };

function judge(
  groups: Readonly<Record<string, Words>>,
  nodes: Readonly<Record<string, Words>> = {},
) {
  return judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: { ...NODES, ...nodes },
    groups: Object.fromEntries(
      Object.entries(groups).map(([id, words]) => [
        id,
        { nodes: ['n1', 'n2'], resources: PROGRAM, ...words },
      ]),
    ),
  });
}

function told(
  groups: Readonly<Record<string, Words>>,
  nodes?: Readonly<Record<string, Words>>,
): readonly string[] {
  return judge(groups, nodes).findings.map(
    ({ severity, path, found }) => `${severity} ${path.join('.')}: ${found}`,
  );
}

test('the words', () => {
  const { config, findings } = judge(
    {
      db: { needs: { memory: 8 }, priority: 5 },
      web: { after: ['db'], 'apart-if-possible': ['db'] },
      log: { together: ['web'], apart: ['db'] },
      mail: {},
    },
    { n1: { lan: '10.0.0.1', capacity: { memory: 16.5 } } },
  );
  expect(findings).toEqual([]);
  const { groups, nodes } = must(config, 'no faults');
  const none = { after: [], apart: [], apartIfPossible: [], needs: {}, priority: 0, together: [] };
  expect(groups.map(({ placement }) => placement)).toEqual([
    { ...none, needs: { memory: 8 }, priority: 5 },
    { ...none, after: ['db'], apartIfPossible: ['db'] },
    { ...none, together: ['web'], apart: ['db'] },
    undefined,
  ]);
  expect(nodes.map(({ addresses, capacity }) => [addresses['lan' as never], capacity])).toEqual([
    ['10.0.0.1', { memory: 16.5 }],
    ['10.0.0.2', undefined],
    ['10.0.0.3', undefined],
  ]);
});

describe('refused', () => {
  test('names that do not exist, oneself, the same twice', () => {
    expect(
      told({ db: {}, web: { after: ['dp'], apart: ['web'], together: ['db', 'db'] } }),
    ).toEqual([
      'error groups.web.after.0: the group "dp", which does not exist',
      'error groups.web.together.1: "db" for the second time',
      'error groups.web.apart.0: "web" itself',
    ]);
  });

  test('circles of groups, and of those that run together', () => {
    expect(told({ a: { after: ['c'] }, b: { after: ['a'] }, c: { after: ['b'] } })).toEqual([
      'error groups.a.after.0: a circle: "a" after "c" after "b" after "a"',
    ]);
    expect(told({ a: { together: ['b'], after: ['c'] }, b: {}, c: { after: ['b'] } })).toEqual([
      'error groups.a.after.0: a circle: "a" with "b" after "c" after "a" with "b"',
    ]);
  });

  test('together and apart, by way of others too', () => {
    expect(told({ a: { together: ['b'] }, b: { together: ['c'] }, c: { apart: ['a'] } })).toEqual([
      'error groups.c.apart.0: "a", with which it must run together by way of others',
    ]);
    expect(told({ a: { together: ['b'], apart: ['b'] }, b: {} })).toEqual([
      'error groups.a.apart.0: "b", with which it must run together',
    ]);
  });

  test('together without a common node, or with data that first start on different ones', () => {
    expect(told({ a: { together: ['b'] }, b: { nodes: ['n3'] } })).toEqual([
      'error groups.a.together: "a", "b" together, without a node that is in "nodes" of each of them',
    ]);
    const mirror = (path: string): Words => ({ d: { agent: 'mirror', path } });
    expect(
      told({
        a: { together: ['b'], resources: mirror('/srv/a') },
        b: { nodes: ['n2', 'n1'], resources: mirror('/srv/b') },
      }),
    ).toEqual(['error groups.b.nodes: "n2" first, but "n1" for "a", which is together with it']);
  });

  test('needs that no node can meet, or that nothing limits', () => {
    const nodes = {
      n1: { lan: '10.0.0.1', capacity: { memory: 4 } },
      n2: { lan: '10.0.0.2', capacity: { memory: 6 } },
    };
    expect(told({ a: { needs: { memory: 8 } } }, nodes)).toEqual([
      'error groups.a.needs.memory: 8, more than any of its nodes has',
    ]);
    expect(told({ a: { needs: { memori: 1 } } }, nodes)).toEqual([
      'warning groups.a.needs.memori: "memori", of which no node has a capacity',
    ]);
    expect(told({ a: { needs: { memory: -1 } } }, nodes)).toEqual([
      'error groups.a.needs.memory: -1',
    ]);
  });

  test('capacity that is no map, and a link of that name', () => {
    expect(told({ a: {} }, { n1: { lan: '10.0.0.1', capacity: 16 } })).toEqual([
      'error nodes.n1.capacity: 16',
    ]);
    const { findings } = judgeConfig({
      cluster: 'c',
      'key-file': '/etc/tako/key',
      links: { lan: { kind: 'udp' }, capacity: { kind: 'udp' } },
      nodes: NODES,
      groups: {},
    });
    expect(findings.map(({ found }) => found)).toEqual(['a link named "capacity"']);
  });
});
