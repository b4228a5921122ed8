/** The words for hooks: what they become, and what is told of wrong ones. */
import { describe, expect, test } from 'vitest';
import { must } from '../base/assert.ts';
import { judgeConfig } from './config-check.ts';

function file(hooks: unknown, resource: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: { n1: { lan: '10.0.0.1' }, n2: { lan: '10.0.0.2' } },
    witness: { w1: { lan: '10.0.0.3' } },
    groups: {
      db: {
        nodes: ['n1', 'n2'],
        ...(hooks === undefined ? {} : { hooks }),
        resources: { app: { agent: 'process', command: ['app'], ...resource } },
      },
    },
  };
}

function faults(hooks: unknown, resource?: Readonly<Record<string, unknown>>): readonly string[] {
  const { findings } = judgeConfig(file(hooks, resource));
  return findings.map(({ path, found, expected }) => `${path.join('.')}: ${found} -> ${expected}`);
}

describe('hooks of a group', () => {
  test('become what is called, with a time that suits the point', () => {
    const { config } = judgeConfig(
      file(
        {
          'before-start': { command: ['/h', 'x'] },
          'after-start': {
            url: 'https://ops.example:8443/tako?x=1',
            'token-file': '/etc/t',
            'ca-file': '/etc/ca',
          },
          'on-failure': { command: ['/h'], user: 'ops', timeout: '500ms' },
        },
        { 'failure-hook': { command: ['/own'] }, 'report-silence': 'failed' },
      ),
    );
    const group = must(config?.groups[0], 'it is good');
    const command = (words: readonly string[], user?: string): object => {
      return { type: 'command', command: words, user };
    };
    const url = 'https://ops.example:8443/tako?x=1';
    const http = { type: 'http', url, tokenFile: '/etc/t', caFile: '/etc/ca' };
    expect(group.hooks).toEqual({
      'before-start': { timeoutMs: 2000, call: command(['/h', 'x']) },
      'after-start': { timeoutMs: 30_000, call: http },
      'on-failure': { timeoutMs: 500, call: command(['/h'], 'ops') },
    });
    expect(group.resources[0]).toMatchObject({
      failureHook: { timeoutMs: 2000, call: command(['/own']) },
      reportSilence: 'failed',
    });
  });

  test('may be left out', () => {
    const { config } = judgeConfig(file(undefined));
    expect(config?.groups[0]?.hooks).toBeUndefined();
  });
});

const AT = 'groups.db.hooks.before-start';

describe('what is told of a wrong one', () => {
  test.each([
    [{ 'before-strat': {} }, 'groups.db.hooks.before-strat: the unknown key "before-strat"'],
    [{ 'before-start': {} }, `${AT}: an empty map -> either "command" or "url"`],
    [
      { 'before-start': { command: ['/h'], url: 'http://a/' } },
      `${AT}: a map -> either "command" or "url"`,
    ],
    [{ 'before-start': { url: 'http://a/', user: 'x' } }, `${AT}: a map -> "user" only beside`],
    [
      { 'before-start': { command: ['/h'], 'token-file': '/t' } },
      `${AT}: a map -> "token-file" only beside "url"`,
    ],
    [
      { 'before-start': { url: 'http://a/', 'ca-file': '/ca' } },
      `${AT}: a map -> "ca-file" only beside a "url" with https`,
    ],
    [{ 'before-start': { comand: ['/h'] } }, `${AT}.comand: the unknown key "comand"`],
    [{ 'before-start': { command: [] } }, `${AT}.command: an empty list -> the program and`],
    [
      { 'before-start': { command: ['/h'], timeout: '2m' } },
      `${AT}.timeout: "2m" -> a duration from 200ms to 1m`,
    ],
    [
      { 'before-start': { command: ['/h'], timeout: 'soon' } },
      `${AT}.timeout: "soon" -> a duration such as`,
    ],
    [{ 'before-start': '/h' }, `${AT}: "/h" -> a map of keys and values`],
  ])('%j', (hooks, told) => {
    expect(faults(hooks).some((fault) => fault.startsWith(told))).toBe(true);
  });

  test.each([
    'ftp://a/',
    'https://user:secret@a/',
    'https://user@a/',
    '/tako',
    'http://',
    'http://a b/',
    'http://a/#part',
  ])('the address %s', (url) => {
    expect(faults({ 'before-start': { url } })).toHaveLength(1);
  });

  test('of a resource', () => {
    const [told] = faults(undefined, { 'failure-hook': { comand: ['/h'] } });
    expect(told).toContain('groups.db.resources.app.failure-hook.comand: the unknown key "comand"');
    expect(faults(undefined, { 'report-silence': 'dead' })).toHaveLength(1);
  });
});
