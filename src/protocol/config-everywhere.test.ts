/** Groups of type `everywhere` in the configuration: what they become, and what they can't have. */
import { describe, expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import { judgeConfig } from './config-check.ts';
import { isEverywhere } from './config.ts';

type Words = Readonly<Record<string, unknown>>;
const NGINX = { agent: 'process', command: ['/usr/sbin/nginx'] };

function judge(group: Words, resources: Readonly<Record<string, Words>> = { nginx: NGINX }) {
  return judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } },
    groups: { web: { nodes: ['n1', 'n2'], resources, ...group } },
  });
}

function told(group: Words, resources?: Readonly<Record<string, Words>>): readonly string[] {
  const { findings } = judge({ type: 'everywhere', ...group }, resources);
  return findings.map(({ path, found }) => `${path.slice(2).join('.')}: ${found}`);
}

test.each([
  [{ type: 'everywhere' }, {}, true, 'retry'],
  [{ type: 'everywhere' }, { 'on-failure': 'stop' }, true, 'stop'],
  [{ type: 'failover' }, {}, false, 'failover'],
  [{}, {}, false, 'failover'],
] as const)('%j with %j', (group, words, everywhere, onFailure) => {
  const { config, findings } = judge(group, { nginx: { ...NGINX, ...words } });
  const [web] = must(config, JSON.stringify(findings)).groups;
  expect(isEverywhere(must(web, 'a group'))).toBe(everywhere);
  expect(web?.resources[0]?.onFailure).toBe(onFailure);
  expect(findings).toEqual([]);
});

describe('what it cannot have', () => {
  const FOUND = 'in a group with "type: everywhere"';

  test('data and addresses that only one node may have', () => {
    const data = { agent: 'mirror', path: '/srv/web' };
    const address = { agent: 'virtual-ip', address: '10.0.0.9/24', link: 'lan' };
    expect(told({}, { data, nginx: NGINX, address })).toEqual([
      `resources.data: a mirror ${FOUND}`,
      `resources.address: a virtual IP ${FOUND}`,
    ]);
    const { findings } = judge({ type: 'everywhere' }, { data });
    expect(findings[0]?.next).toContain('in a group of its own without "type"');
  });

  test('places to go to', () => {
    const nginx = { ...NGINX, 'on-failure': 'failover' };
    const hooks = { 'before-failback': { command: ['/h'] }, 'before-start': { command: ['/h'] } };
    const failback = { failback: 'when-in-sync', 'failback-after': '5m' };
    expect(told({ ...failback, hooks }, { nginx })).toEqual([
      `resources.nginx.on-failure: failover ${FOUND}`,
      `failback: "failback" ${FOUND}`,
      `failback-after: "failback-after" ${FOUND}`,
      `hooks.before-failback: the hook "before-failback" ${FOUND}, which never moves`,
    ]);
  });

  test('relations, but that others come after it where it runs', () => {
    expect(told({ after: ['web'], needs: { memory: 1 } })).toContain(`after: "after" ${FOUND}`);
    const withDb = (word: string, nodes: readonly string[]): readonly string[] => {
      const given = {
        cluster: 'c',
        'key-file': '/etc/tako/key',
        links: { lan: { kind: 'udp' } },
        nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } },
        groups: {
          web: { type: 'everywhere', nodes: ['n1'], resources: { nginx: NGINX } },
          db: { nodes, [word]: ['web'], resources: { nginx: NGINX } },
        },
      };
      return judgeConfig(given).findings.map(({ path, found }) => `${path.join('.')}: ${found}`);
    };
    expect(withDb('after', ['n1'])).toEqual([]);
    expect(withDb('after', ['n1', 'n2'])).toEqual([
      'groups.db.after.0: "web", which does not run on n2',
    ]);
    expect(withDb('apart', ['n1'])).toEqual([
      'groups.db.apart.0: the group "web", which runs on each of its nodes',
    ]);
  });

  test('and what only it can have', () => {
    const nginx = { ...NGINX, 'on-failure': 'retry' };
    expect(told({ type: 'failover' }, { nginx })).toEqual([
      'resources.nginx.on-failure: retry in a group without "type: everywhere"',
    ]);
    expect(told({ type: 'evrywhere' })).toEqual(['type: "evrywhere"']);
  });
});
