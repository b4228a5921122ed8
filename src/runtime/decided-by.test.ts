/** What is said of each arrangement of voters, from the file on. */
import { expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import { judgeConfig } from '../protocol/config-check.ts';
import type { NodeCore } from '../core/node/node-core.ts';
import type { DecidedBy } from '../protocol/api.ts';
import type { Config } from '../protocol/config.ts';
import { instant } from '../base/time.ts';
import { decidedBy } from './decided-by.ts';
import { clusterStatus } from './status-view.ts';

function fileOf(nodes: readonly string[], witness: boolean): Config {
  const members = nodes.map((id, at) => [id, { lan: `10.0.0.${at + 1}` }] as const);
  const { config } = judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: Object.fromEntries(members),
    ...(witness ? { witness: { w1: { lan: '10.0.0.99' } } } : {}),
    groups: { db: { nodes, resources: { app: { agent: 'process', command: ['app'] } } } },
  });
  return must(config, 'the file is good');
}

function said(nodes: readonly string[], witness: boolean): DecidedBy {
  return decidedBy(fileOf(nodes, witness));
}

test('a witness, or three nodes and more, bear no risk to name', () => {
  expect(said(['n1', 'n2'], true)).toEqual({ by: 'witness', risk: undefined });
  expect(said(['n1', 'n2', 'n3'], false)).toEqual({ by: 'nodes', risk: undefined });
});

test('two nodes by themselves must both be up', () => {
  const { by, risk } = said(['n1', 'n2'], false);
  expect(by).toBe('both-nodes');
  expect(risk).toContain('nothing fails over');
});

test('a single node has nowhere to go, and a witness makes it need two machines', () => {
  expect(said(['n1'], false)).toEqual({
    by: 'one-node',
    risk: 'there is no other node to fail over to',
  });
  expect(said(['n1'], true).risk).toContain('it needs the witness');
});

test('the status of the cluster carries it', () => {
  const config = fileOf(['n1', 'n2'], false);
  const status = clusterStatus({
    me: must(config.nodes[0], 'it has two').id,
    config,
    core: {
      ...{ group: () => undefined, instance: () => undefined },
      quarantined: () => [],
    } as unknown as NodeCore,
    peers: [],
    mirrors: new Map(),
    onlineSince: new Map(),
    reported: new Map(),
    now: instant(0),
    time: '2026-11-22T16:07:00.000Z',
  });
  expect(status.decidedBy).toEqual(decidedBy(config));
  expect(status.decidedBy?.by).toBe('both-nodes');
});
