/** The times and the policy of a resource: defaults, bounds, what needs what. */
import { describe, expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import { judgeConfig } from './config-check.ts';
import type { ResourceConfig } from './config.ts';

type Words = Readonly<Record<string, unknown>>;

function judge(program: Words, others: Readonly<Record<string, Words>> = {}) {
  return judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } },
    groups: {
      g: {
        nodes: ['n1', 'n2'],
        resources: {
          data: { agent: 'mirror', path: '/srv/data' },
          program: { agent: 'process', command: ['/bin/p'], ...program },
          address: { agent: 'virtual-ip', address: '10.0.0.9/24', link: 'lan' },
          ...others,
        },
      },
    },
  });
}

function resources(program: Words): readonly ResourceConfig[] {
  const { config, findings } = judge(program);
  return must(config?.groups[0], JSON.stringify(findings)).resources;
}

function findings(program: Words, others?: Readonly<Record<string, Words>>): readonly string[] {
  return judge(program, others).findings.map(
    ({ severity, path, found }) => `${severity} ${path.slice(3).join('.')}: ${found}`,
  );
}

describe('defaults', () => {
  test('each agent has its limits; only a program that says how is checked deeply', () => {
    const shown = resources({}).map((r) => [
      r.agent,
      r.monitorMs,
      r.monitorTimeoutMs,
      r.startTimeoutMs,
      r.stopTimeoutMs,
      r.deepMonitor,
      r.unknownLimit,
      r.onFailure,
    ]);
    expect(shown).toEqual([
      ['mirror', 1000, 10_000, 60_000, 30_000, undefined, 3, 'failover'],
      ['process', 1000, 10_000, 30_000, 10_000, undefined, 3, 'failover'],
      ['virtual-ip', 1000, 5000, 5000, 5000, undefined, 3, 'failover'],
    ]);
    const checked = resources({ 'check-command': ['/bin/check'] })[1];
    expect(checked).toMatchObject({
      checkCommand: ['/bin/check'],
      deepMonitor: { everyMs: 30_000, timeoutMs: 20_000 },
    });
  });

  test('what the file says', () => {
    const program = resources({
      'check-command': ['/bin/check', '--fast'],
      'deep-monitor': '1m',
      'deep-monitor-timeout': '5s',
      'monitor-timeout': '500ms',
      'unknown-limit': 'never',
      'on-failure': 'stay',
    })[1];
    expect(program).toMatchObject({
      deepMonitor: { everyMs: 60_000, timeoutMs: 5000 },
      monitorTimeoutMs: 500,
      unknownLimit: undefined,
      onFailure: 'stay',
    });
    expect(resources({ 'unknown-limit': 7 })[1]?.unknownLimit).toBe(7);
  });
});

describe('faults', () => {
  test.each([
    [{ monitor: '0s' }, 'error program.monitor: 0ms'],
    [{ monitor: '2h' }, 'error program.monitor: 2h'],
    [{ 'monitor-timeout': '10ms' }, 'error program.monitor-timeout: 10ms'],
    [{ 'start-timeout': '0s' }, 'error program.start-timeout: 0ms'],
    [{ 'stop-timeout': '25h' }, 'error program.stop-timeout: 25h'],
    [{ 'on-failure': 'fence' }, 'error program.on-failure: "fence"'],
    [{ 'unknown-limit': 0 }, 'error program.unknown-limit: 0'],
    [{ 'unknown-limit': 'often' }, 'error program.unknown-limit: "often"'],
    [{ 'deep-monitor': '30s' }, 'error program.deep-monitor: 30s without "check-command"'],
    [
      { 'check-command': ['/c'], 'deep-monitor': '2s', monitor: '5s' },
      'error program.deep-monitor: 2s between deep checks, 5s between others',
    ],
    [
      { 'check-command': ['/c'], 'deep-monitor': '500ms', monitor: '100ms' },
      'error program.deep-monitor: 500ms',
    ],
    [{ 'check-command': [] }, 'error program.check-command: an empty list'],
  ])('%j', (program, expected) => {
    expect(findings(program)).toEqual([expected]);
  });

  test('a mirror has no deep check', () => {
    const second = { agent: 'mirror', path: '/srv/more', 'deep-monitor': '30s' };
    expect(findings({}, { second }).join()).toContain('deep-monitor');
  });
});

describe('failback', () => {
  const group = (words: Words) => {
    const resources = { program: { agent: 'process', command: ['/bin/p'] } };
    return judgeConfig({
      cluster: 'c',
      'key-file': '/etc/tako/key',
      links: { lan: { kind: 'udp' } },
      nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' }, n3: { lan: '10.0.0.3' } },
      groups: { g: { nodes: ['n1', 'n2'], ...words, resources } },
    });
  };

  test.each<[Words, unknown]>([
    [{}, { policy: 'never' }],
    [{ failback: 'never' }, { policy: 'never' }],
    [{ failback: 'when-in-sync' }, { policy: 'when-in-sync', healthyForMs: 300_000 }],
    [
      { failback: 'when-in-sync', 'failback-after': '10s' },
      { policy: 'when-in-sync', healthyForMs: 10_000 },
    ],
    [
      { failback: 'when-in-sync', 'failback-windows': ['sat 02:00-04:00'] },
      {
        policy: 'when-in-sync',
        healthyForMs: 300_000,
        windows: [{ days: [5], opens: 120, lengthMinutes: 120 }],
      },
    ],
  ])('%j', (words, expected) => {
    expect(group(words).config?.groups[0]?.failback).toEqual(expected);
  });

  test.each<[Words, string]>([
    [{ failback: 'always' }, '"always"'],
    [{ 'failback-after': '10s' }, '10s without "failback: when-in-sync"'],
    [{ failback: 'never', 'failback-after': '10s' }, '10s without "failback: when-in-sync"'],
    [{ failback: 'when-in-sync', 'failback-after': '10ms' }, '10ms'],
    [{ failback: 'when-in-sync', 'failback-after': '200h' }, '200h'],
    [{ failback: 'when-in-sync', 'failback-after': 'soon' }, '"soon"'],
    [{ 'failback-windows': ['02:00-04:00'] }, 'windows without "failback: when-in-sync"'],
    [{ failback: 'when-in-sync', 'failback-windows': [] }, 'an empty list'],
    [{ failback: 'when-in-sync', 'failback-windows': ['2-4'] }, '"2-4"'],
  ])('%j', (words, expected) => {
    expect(group(words).findings.map(({ found }) => found)).toEqual([expected]);
  });
});

describe('what comes after a resource that may be left failed', () => {
  const stay = { 'on-failure': 'stay' };
  const report = { agent: 'process', command: ['/bin/r'] };

  test('goes down with it: a warning, unless it is left as well or is an address', () => {
    expect(findings(stay, { report: { ...report, after: ['data'] } })).toEqual([]);
    expect(findings(stay, { report: { ...report, ...stay, after: ['program'] } })).toEqual([]);
    const named = findings(stay, { report: { ...report, after: ['program'] } });
    expect(named).toEqual([expect.stringMatching(/^warning report.after: "report" after/u)]);
    const last = { agent: 'process', command: ['/bin/l'], ...stay };
    expect(findings({}, { last, report }).join()).toMatch(
      /^warning report: "report" after "last"/u,
    );
  });
});
