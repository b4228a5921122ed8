/** Two nodes without a witness: what may be chosen, what it needs, and the risk that is named. */
import { describe, expect, test } from 'vitest';
import { judgeConfig } from './config-check.ts';
import { fenceInput, isFenceOption, parseFenceOptions, stateOfStatus } from './fence.ts';

type Words = Readonly<Record<string, unknown>>;

const N1 = { n1: { lan: '10.0.0.1' } };
const NODES = { ...N1, n2: { lan: '10.0.0.2' } };
const FENCE = { command: ['/usr/sbin/fence_ipmilan'], options: { ip: '10.9.0.1', lanplus: 1 } };
const FENCES = { 'without-witness': 'fence', fences: { n1: FENCE, n2: FENCE } };

function judge(given: Words) {
  return judgeConfig({
    cluster: 'c',
    'key-file': '/etc/tako/key',
    links: { lan: { kind: 'udp' } },
    nodes: NODES,
    groups: { g: { nodes: ['n1'], resources: { p: { agent: 'process', command: ['/bin/p'] } } } },
    ...given,
  });
}

function errors(given: Words): readonly string[] {
  return judge(given).findings.flatMap(({ found, path, severity }) =>
    severity === 'error' ? [`${path.join('.')}: ${found}`] : [],
  );
}

function warnings(given: Words): readonly string[] {
  return judge(given).findings.flatMap(({ found, severity }) =>
    severity === 'warning' ? [found] : [],
  );
}

describe('the choice', () => {
  test('is by hand when nothing is said, and its risk is named', () => {
    expect(judge({}).config?.withoutWitness).toBeUndefined();
    expect(warnings({})).toEqual(['two voters and no third']);
    const byHand = { 'without-witness': 'by-hand' };
    expect(judge(byHand).config?.withoutWitness).toEqual({ by: 'by-hand' });
    expect(warnings(byHand)).toEqual(['two voters and no third']);
  });

  test('of fences is read with its defaults, and its risk is named', () => {
    const { config } = judge(FENCES);
    expect(config?.withoutWitness).toMatchObject({ by: 'fence', delayMs: 5000 });
    expect(config?.withoutWitness).toMatchObject({
      fences: [
        {
          node: 'n1',
          options: { ip: '10.9.0.1', lanplus: '1' },
          optionsFile: undefined,
          timeoutMs: 30_000,
        },
        { node: 'n2' },
      ],
    });
    expect(warnings(FENCES)).toEqual(['fences in place of a witness']);
  });

  test.each<[string, Words, string]>([
    ['another word', { 'without-witness': 'hope' }, 'without-witness: "hope"'],
    [
      'a witness beside it',
      { 'without-witness': 'by-hand', witness: { w1: { lan: '10.0.0.9' } } },
      'without-witness: a choice for two nodes without a witness, and 2 of them and a witness',
    ],
    [
      'three nodes',
      { ...FENCES, nodes: { ...NODES, n3: { lan: '10.0.0.3' } } },
      'without-witness: a choice for two nodes without a witness, and 3 of them',
    ],
    [
      'a node without a fence',
      { ...FENCES, fences: { n1: FENCE } },
      'without-witness: no fence of n2',
    ],
    [
      'a fence of nobody',
      { ...FENCES, fences: { ...FENCES.fences, n3: FENCE } },
      'fences.n3: a fence of "n3", which is not a node',
    ],
    ['fences that are not used', { fences: FENCES.fences }, 'fences: "fences" without'],
    ['a delay of nothing', { 'fence-delay': '1s' }, 'fence-delay: "fence-delay" without'],
    ['a delay too long', { ...FENCES, 'fence-delay': '1h' }, 'fence-delay: 1h'],
    [
      'no time to answer',
      { ...FENCES, fences: { n1: FENCE, n2: { ...FENCE, timeout: '200ms' } } },
      'fences.n2.timeout: 200ms',
    ],
    [
      'an option that says what to do',
      { ...FENCES, fences: { n1: FENCE, n2: { ...FENCE, options: { action: 'on' } } } },
      'fences.n2.options.action',
    ],
    [
      'an option of two lines',
      { ...FENCES, fences: { n1: FENCE, n2: { ...FENCE, options: { ip: 'a\naction=on' } } } },
      'fences.n2.options.ip',
    ],
  ])('refuses %s', (_name, given, expected) => {
    const found = errors(given);
    expect(
      found.some((line) => line.startsWith(expected)),
      found.join('\n'),
    ).toBe(true);
  });
});

describe('how a fence is talked to', () => {
  test('the action comes last, and nothing else may name it', () => {
    expect(fenceInput([['ip', '10.9.0.1']], 'off')).toBe('ip=10.9.0.1\naction=off\n');
    expect(['ip', 'plug', 'Action', 'option', 'a b', ''].filter(isFenceOption)).toEqual([
      'ip',
      'plug',
    ]);
  });

  test('only 2 says off, and only 0 says on', () => {
    expect([0, 1, 2, 3, 127].map(stateOfStatus)).toEqual([
      'on',
      'unknown',
      'off',
      'unknown',
      'unknown',
    ]);
  });

  test('a file of options has a line for each, and comments', () => {
    expect(parseFenceOptions('# secret\n\npassword=a=b c\nusername=tako\n')).toEqual([
      ['password', 'a=b c'],
      ['username', 'tako'],
    ]);
    expect(parseFenceOptions('password\n')).toBeUndefined();
    expect(parseFenceOptions('action=on\n')).toBeUndefined();
  });
});
