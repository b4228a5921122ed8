import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import type { Config, ResourceConfig } from '../../protocol/config.ts';
import { formatProblem } from '../../protocol/config-problem.ts';
import { checkConfig, loadConfig } from './load-config.ts';

const GOOD = `cluster: trading
key-file: /etc/tako/cluster.key
links:
  mirror: { kind: udp, direct: true }
  lan: { kind: udp }
nodes:
  n1: { mirror: 10.78.0.1, lan: 10.77.0.1 }
  n2: { mirror: 10.78.0.2, lan: 10.77.0.2 }
witness:
  w1: { lan: 10.77.0.3 }
groups:
  ledger:
    nodes: [n1, n2]
    resources:
      data: { agent: mirror, path: /srv/ledger }
      program: { agent: process, command: [node, /opt/l.js], ready-port: 8080 }
      address: { agent: virtual-ip, address: 10.77.0.100/24, link: lan }
`;

/** Lines of `GOOD` by what they hold, so that the tests read as "in this line". */
const lineOf = (part: string): number => GOOD.slice(0, GOOD.indexOf(part)).split('\n').length;

function problemsOf(text: string): string[] {
  return checkConfig('F', text).errors.map((problem) => formatProblem(problem));
}

function change(from: string, to: string): string {
  expect(GOOD).toContain(from);
  return GOOD.replace(from, to);
}

function configOf(text: string): Config {
  const { config, errors } = checkConfig('F', text);
  return must(config, errors.map(formatProblem).join('\n'));
}

function resource(config: Config, id: string): ResourceConfig {
  return must(
    config.groups.flatMap(({ resources }) => resources).find((r) => r.id === id),
    'the resource is there',
  );
}

describe('a good file', () => {
  test('becomes the configuration that the programs use', () => {
    const report = checkConfig('F', GOOD);
    expect(report.warnings).toEqual([]);
    expect(report.config).toMatchObject({
      cluster: 'trading',
      keyFile: '/etc/tako/cluster.key',
      basePort: 8256,
      timing: {
        heartbeatMs: 50,
        leaseMs: 300,
        nodeLostMs: 1000,
        secondaryLostMs: 400,
        clockDrift: 0.01,
        addressLifeSeconds: 3,
        suspendGraceMs: 10_000,
      },
      links: [
        { id: 'mirror', kind: 'udp', direct: true },
        { id: 'lan', kind: 'udp', direct: false },
      ],
      nodes: [
        { id: 'n1', addresses: { mirror: '10.78.0.1', lan: '10.77.0.1' } },
        { id: 'n2', addresses: { mirror: '10.78.0.2', lan: '10.77.0.2' } },
      ],
      witness: { id: 'w1', addresses: { lan: '10.77.0.3' } },
    });
  });

  test('starts each resource after the one before, unless told otherwise', () => {
    expect(configOf(GOOD).groups[0]?.resources.map(({ after }) => after)).toEqual([
      [],
      ['data'],
      ['program'],
    ]);
    const free = change('link: lan }', 'link: lan, after: [] }');
    expect(resource(configOf(free), 'address').after).toEqual([]);
    const both = change('link: lan }', 'link: lan, after: [data, program] }');
    expect(resource(configOf(both), 'address').after).toEqual(['data', 'program']);
  });

  test('has times, restarts, environment and addresses in one form', () => {
    const config = configOf(
      `${change('10.77.0.100/24', '"FD00:0:0::0064/64"').replace(
        'ready-port: 8080 }',
        'restarts: 5 within 2m, monitor: 500ms, stop-timeout: 1h, ' +
          'environment: { PORT: 8080, DEBUG: true, NAME: x }, user: ledger, directory: /opt }',
      )}timing: { heartbeat: 20ms, lease: 1s, node-lost: 2s, address-life: 4s }\nbase-port: 5000\n`,
    );
    expect(config.timing).toMatchObject({ heartbeatMs: 20, leaseMs: 1000, addressLifeSeconds: 4 });
    expect(resource(config, 'program')).toMatchObject({
      restarts: { limit: 5, windowMs: 120_000 },
      monitorMs: 500,
      stopTimeoutMs: 3_600_000,
      environment: { PORT: '8080', DEBUG: 'true', NAME: 'x' },
      user: 'ledger',
      directory: '/opt',
      stopSignal: 'SIGTERM',
      readyPort: undefined,
    });
    expect(resource(config, 'address')).toMatchObject({
      address: 'fd00::64',
      prefixLength: 64,
      family: 6,
    });
    const never = configOf(change('ready-port: 8080', 'restarts: never'));
    expect(resource(never, 'program').restarts.limit).toBe(0);
  });

  test('numbers the mirrors of the whole cluster', () => {
    const config = configOf(`${GOOD}  other:
    nodes: [n2, n1]
    resources:
      one: { agent: mirror, path: /srv/one, mode: every-write }
      two: { agent: mirror, path: /srv/two, after: [] }
`);
    const mirrors = config.groups.flatMap(({ resources }) =>
      resources.flatMap((r) => (r.agent === 'mirror' ? [[r.id, r.index, r.mode]] : [])),
    );
    expect(mirrors).toEqual([
      ['data', 0, 'durable'],
      ['one', 1, 'every-write'],
      ['two', 2, 'durable'],
    ]);
  });

  test('may repeat itself by a few aliases', () => {
    const text = change('[n1, n2]', '&all [n1, n2]').concat(
      '  web:\n    nodes: *all\n    resources: { www: { agent: mirror, path: /srv/www } }\n',
    );
    expect(configOf(text).groups[1]?.nodes).toEqual(['n1', 'n2']);
  });
});

describe('a fault of the schema is told with its place', () => {
  test.each([
    ['cluster: trading', 'cluster: Trading', '1:10: cluster: found "Trading", expected a name of'],
    ['cluster: trading', 'cluster: 7', '1:10: cluster: found 7, expected text'],
    ['cluster: trading\n', '', '1:1: found no "cluster", expected text'],
    [
      'cluster: trading',
      'cluser: trading',
      '1:1: cluser: found the unknown key "cluser", expected one of: cluster,',
    ],
    [
      '/etc/tako/cluster.key',
      'etc/key',
      '2:11: key-file: found "etc/key", expected an absolute path',
    ],
    [
      '/etc/tako/cluster.key',
      '/etc/../key',
      '2:11: key-file: found "/etc/../key", expected an absolute path',
    ],
    [
      'lan: { kind: udp }',
      'lan: { kind: tcp }',
      '5:16: links.lan.kind: found "tcp", expected the kind "udp"',
    ],
    ['lan: { kind: udp }', 'lan:', '5:7: links.lan: found nothing, expected a map'],
    [
      'direct: true',
      'direct: yes',
      '4:32: links.mirror.direct: found "yes", expected true or false',
    ],
    ['lan: { kind', 'LAN: { kind', '5:3: links.LAN: found "LAN", expected a name of'],
    [
      'lan: { kind',
      'constructor: { kind',
      '5:3: links.constructor: found "constructor", expected another name',
    ],
    ['lan: { kind', '__proto__: { kind', '5:3: links.__proto__: found the unknown key'],
    [
      '10.77.0.1 }',
      '10.77.0.256 }',
      '7:33: nodes.n1.lan: found "10.77.0.256", expected an IPv4 or IPv6 address',
    ],
    [
      '10.77.0.1 }',
      '224.0.0.1 }',
      '7:33: nodes.n1.lan: found "224.0.0.1", expected an IPv4 or IPv6 address',
    ],
    [
      '10.77.0.1 }',
      '0.0.0.0 }',
      '7:33: nodes.n1.lan: found "0.0.0.0", expected an IPv4 or IPv6 address',
    ],
    [
      'w1: { lan: 10.77.0.3 }',
      '{ w1: { lan: 10.77.0.3 }, w2: { lan: 10.77.0.4 } }',
      '9:1: witness: found a map, expected exactly one witness',
    ],
    [
      'w1: { lan: 10.77.0.3 }',
      'w1: { lan: 10.77.0.333 }',
      '10:14: witness.w1.lan: found "10.77.0.333", expected an IPv4 or IPv6 address',
    ],
    [
      'w1: { lan: 10.77.0.3 }',
      'w1: { share: /mnt/witness, any-filesystem: true }',
      '10:30: witness.w1.any-filesystem: found the unknown key "any-filesystem", expected one of: share, any-file-system',
    ],
    [
      'nodes: [n1, n2]',
      'nodes: []',
      '13:12: groups.ledger.nodes: found an empty list, expected at least one node',
    ],
    [
      'agent: mirror',
      'agent: miror',
      '15:22: groups.ledger.resources.data.agent: found "miror", expected one of the agents',
    ],
    [
      'agent: mirror, ',
      '',
      '15:7: groups.ledger.resources.data: found no "agent", expected one of the agents',
    ],
    [
      'path: /srv/ledger',
      'path: /srv/ledger/',
      '15:36: groups.ledger.resources.data.path: found "/srv/ledger/", expected an absolute path',
    ],
    [
      'path: /srv/ledger',
      'path: /srv/ledger, mode: fast',
      '15:55: groups.ledger.resources.data.mode: found "fast", expected one of: durable, every-write',
    ],
    [
      'path: /srv/ledger',
      'pth: /srv/ledger',
      '15:30: groups.ledger.resources.data.pth: found the unknown key "pth", expected one of: agent, path',
    ],
    [
      '[node, /opt/l.js]',
      '[]',
      '16:43: groups.ledger.resources.program.command: found an empty list, expected the program',
    ],
    [
      '[node, /opt/l.js]',
      'node /opt/l.js',
      '16:43: groups.ledger.resources.program.command: found "node /opt/l.js", expected a list',
    ],
    [
      'ready-port: 8080',
      'ready-port: 0',
      '16:74: groups.ledger.resources.program.ready-port: found 0, expected a TCP port',
    ],
    [
      'ready-port: 8080',
      'monitor: 5',
      '16:71: groups.ledger.resources.program.monitor: found 5, expected text',
    ],
    [
      'ready-port: 8080',
      'monitor: 5 s',
      '16:71: groups.ledger.resources.program.monitor: found "5 s", expected a duration',
    ],
    [
      'ready-port: 8080',
      'restarts: 3',
      '16:72: groups.ledger.resources.program.restarts: found 3, expected text',
    ],
    [
      'ready-port: 8080',
      'restarts: 3 in 60s',
      '16:72: groups.ledger.resources.program.restarts: found "3 in 60s", expected how often',
    ],
    [
      'ready-port: 8080',
      'stop-signal: TERM',
      '16:75: groups.ledger.resources.program.stop-signal: found "TERM", expected one of: SIGTERM',
    ],
    [
      'ready-port: 8080',
      'user: a b',
      '16:68: groups.ledger.resources.program.user: found "a b", expected the name of a local user',
    ],
    [
      'ready-port: 8080',
      'environment: { 1A: x }',
      '16:77: groups.ledger.resources.program.environment.1A: found "1A", expected a variable name',
    ],
    [
      '10.77.0.100/24',
      '10.77.0.100',
      '17:46: groups.ledger.resources.address.address: found "10.77.0.100", expected an address with its prefix',
    ],
    [
      '10.77.0.100/24',
      '10.77.0.100/33',
      '17:46: groups.ledger.resources.address.address: found "10.77.0.100/33", expected an address with its prefix',
    ],
  ])('%s -> %s', (from, to, expected) => {
    const problems = problemsOf(change(from, to));
    expect(
      problems.some((problem) => problem.startsWith(`F:${expected}`)),
      problems.join('\n'),
    ).toBe(true);
  });
});

describe('a contradiction between parts is told with its place', () => {
  const group = (text: string): string =>
    `${GOOD}  other:\n    nodes: [n1, n2]\n    resources:\n${text}`;
  test.each([
    [
      'an unknown link of a node',
      change('n1: { mirror', 'n1: { miror'),
      '7:9: nodes.n1.miror: found the link "miror", which does not exist',
      'Did you mean "mirror"?',
    ],
    [
      'a node without address',
      change('{ mirror: 10.78.0.2, lan: 10.77.0.2 }', '{}'),
      '8:3: nodes.n2: found no address',
      'Write, for example',
    ],
    [
      'no common link',
      change('w1: { lan: 10.77.0.3', 'w1: { mirror: 10.77.0.3').replace(
        'n2: { mirror: 10.78.0.2, lan: 10.77.0.2',
        'n2: { lan: 10.77.0.2',
      ),
      '10:3: witness.w1: found "w1" and "n2" have no link in common',
      'Give both',
    ],
    [
      'an address twice',
      change('10.77.0.2', '10.77.0.1'),
      '8:33: nodes.n2.lan: found 10.77.0.1, which is already the address of "n1" on link "lan"',
      'of its own',
    ],
    [
      'a virtual IP of a node',
      change('10.77.0.100', '10.77.0.3'),
      '17:46: groups.ledger.resources.address.address: found 10.77.0.3, which is already the address of "w1"',
      'of its own',
    ],
    [
      'a virtual IP twice',
      group('      ip: { agent: virtual-ip, address: 10.77.0.100/16, link: lan }\n'),
      '21:41: groups.other.resources.ip.address: found 10.77.0.100, which is already the virtual IP "ledger.address"',
      'of its own',
    ],
    [
      'a virtual IP on an unknown link',
      change('link: lan', 'link: lna'),
      '17:68: groups.ledger.resources.address.link: found the link "lna", which does not exist',
      'Did you mean "lan"?',
    ],
    [
      'a virtual IP on a link that a node lacks',
      change(', lan: 10.77.0.2', '').replace(/witness:\n.*\n/u, ''),
      '15:68: groups.ledger.resources.address.link: found the link "lan", on which "n2" has no address',
      'choose another link',
    ],
    [
      'a witness that is a node',
      change('w1:', 'n2:'),
      '10:3: witness.n2: found "n2", which is also a node',
      'third machine',
    ],
    [
      'an unknown node',
      change('[n1, n2]', '[n1, node3]'),
      '13:17: groups.ledger.nodes.1: found the node "node3", which does not exist',
      'Add it under "nodes"',
    ],
    [
      'a witness that shall run a group',
      change('[n1, n2]', '[n1, w1]'),
      '13:17: groups.ledger.nodes.1: found the witness "w1"',
      'votes and runs nothing',
    ],
    [
      'a node twice',
      change('[n1, n2]', '[n1, n1]'),
      '13:17: groups.ledger.nodes.1: found "n1" for the second time',
      'Remove one',
    ],
    [
      'an unknown resource',
      change('link: lan }', 'link: lan, after: [progam] }'),
      '17:81: groups.ledger.resources.address.after.0: found the resource "progam", which does not exist here',
      'Did you mean "program"?',
    ],
    [
      'itself',
      change('link: lan }', 'link: lan, after: [address] }'),
      '17:81: groups.ledger.resources.address.after.0: found "address" itself',
      'or [] for none',
    ],
    [
      'a circle',
      change('/srv/ledger }', '/srv/ledger, after: [program] }'),
      '15:56: groups.ledger.resources.data.after: found a circle: data after program after data',
      'Change one "after"',
    ],
    [
      'a mirror twice',
      group('      m: { agent: mirror, path: /srv/ledger }\n'),
      '21:33: groups.other.resources.m.path: found /srv/ledger, which is also the mirror "ledger.data"',
      'outer directory',
    ],
    [
      'a mirror inside another',
      group('      m: { agent: mirror, path: /srv/ledger/a }\n'),
      '21:33: groups.other.resources.m.path: found /srv/ledger/a, which lies inside /srv/ledger, the mirror "ledger.data"',
      'outer directory',
    ],
    [
      'a mirror around another',
      group('      m: { agent: mirror, path: /srv }\n'),
      '21:33: groups.other.resources.m.path: found /srv, which contains /srv/ledger, the mirror "ledger.data"',
      'outer directory',
    ],
    [
      'a mirror of the system',
      change('/srv/ledger', '/var/lib'),
      '15:36: groups.ledger.resources.data.path: found /var/lib, a directory of the system',
      'with the data',
    ],
    [
      'a mirror of the kernel',
      change('/srv/ledger', '/proc/sys'),
      '15:36: groups.ledger.resources.data.path: found /proc/sys, a directory of the system',
      'with the data',
    ],
    [
      'the key inside a mirror',
      change('/etc/tako/cluster.key', '/srv/ledger/key'),
      '2:11: key-file: found /srv/ledger/key, which lies inside the mirror "data"',
      'Move the key',
    ],
    [
      'a direct link of three',
      change('w1: { lan: 10.77.0.3', 'w1: { lan: 10.77.0.3, mirror: 10.78.0.3'),
      '4:32: links.mirror.direct: found true for a link with 3 members',
      'Remove "direct"',
    ],
    [
      "a port of Tako's own",
      change('8080', '8266'),
      '16:74: groups.ledger.resources.program.ready-port: found 8266, a port that Tako uses itself',
      'another port',
    ],
    [
      'a short lease',
      `${GOOD}timing: { lease: 199ms }\n`,
      '18:18: timing.lease: found 199ms, expected at least 200ms (four heartbeats)',
      'Raise timing.lease',
    ],
    [
      'a lease too short for slow heartbeats',
      `${GOOD}timing: { heartbeat: 100ms }\n`,
      '18:1: timing: found lease of 300ms, its default, expected at least 400ms',
      'Raise timing.lease',
    ],
    [
      'a hasty judgement',
      `${GOOD}timing: { node-lost: 399ms }\n`,
      '18:22: timing.node-lost: found 399ms, expected at least 400ms (the lease and two heartbeats)',
      'Raise',
    ],
    [
      'a short address life',
      `${GOOD}timing: { lease: 2s, node-lost: 3s }\n`,
      '18:1: timing: found address-life of 3s, its default, expected at least 4s (two leases)',
      'Raise',
    ],
    [
      'half seconds for the kernel',
      `${GOOD}timing: { address-life: 2500ms }\n`,
      '18:25: timing.address-life: found 2500ms, expected whole seconds',
      '3s',
    ],
    [
      'an endless heartbeat',
      `${GOOD}timing: { heartbeat: 0ms }\n`,
      '18:22: timing.heartbeat: found 0ms, expected from 10ms to 5s',
      'in that range',
    ],
    [
      'a short grace',
      `${GOOD}timing: { suspend-grace: 200ms }\n`,
      '18:26: timing.suspend-grace: found 200ms, expected at least 300ms (one lease)',
      'Raise',
    ],
    [
      'a hasty primary',
      `${GOOD}timing: { secondary-lost: 40ms }\n`,
      '18:27: timing.secondary-lost: found 40ms, expected from 50ms',
      'in that range',
    ],
    [
      'a wild clock',
      `${GOOD}timing: { clock-drift: 0.5 }\n`,
      '18:24: timing.clock-drift: found 0.5, expected a fraction',
      'Correct',
    ],
  ])('%s', (_, text, expected, next) => {
    const problems = problemsOf(text);
    const found = problems.find((problem) => problem.startsWith(`F:${expected}`));
    expect(found, problems.join('\n')).toBeDefined();
    expect(found).toContain('  Next: ');
    expect(found).toContain(next);
    expect(problems).toHaveLength(1);
  });

  test('unless two groups can never meet on a node', () => {
    const text = `${GOOD.replace('[n1, n2]', '[n1]')}  other:
    nodes: [n2]
    resources: { m: { agent: mirror, path: /srv/ledger } }
`;
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('records in etcd', () => {
  const witness = 'witness:\n  w1: { lan: 10.77.0.3 }\n';
  const etcd = (words: string): string => change(witness, `registry: { etcd: { ${words} } }\n`);
  const TLS = 'endpoints: [https://10.77.0.21:2379, https://e2.example:2379]';

  test('two nodes and an etcd are whole', () => {
    const { config, errors, warnings } = checkConfig('F', etcd(TLS));
    expect([errors, warnings]).toEqual([[], []]);
    expect(config?.registry?.etcd).toMatchObject({ prefix: '/tako', user: undefined });
  });

  test('more nodes than could vote need it', () => {
    const more = Array.from({ length: 8 }, (_, k) => `  m${k}: { lan: 10.77.1.${k + 1} }\n`);
    const nodes = (text: string): string => text.replace(/( {2}n2:.*\n)/u, `$1${more.join('')}`);
    expect(problemsOf(nodes(etcd(TLS)))).toEqual([]);
    expect(problemsOf(nodes(change(witness, ''))).join()).toContain(
      '10 nodes that decide among themselves, expected at most 9',
    );
  });

  test.each([
    ['a path', 'endpoints: ["https://e1:2379/x"]', 'expected an address such as'],
    ['no port', 'endpoints: ["https://e1"]', 'expected an address such as'],
    ['one twice', 'endpoints: ["https://e1:2379", "https://e1:2379"]', 'a second time'],
    ['a key alone', `${TLS}, key-file: /k`, '"key-file" without "cert-file"'],
    ['a user alone', `${TLS}, user: tako`, '"user" without "password-file"'],
    [
      'a password that everybody can read',
      'endpoints: ["http://e1:2379"], user: tako, password-file: /p',
      'not encrypted, beside',
    ],
    ['a prefix with a slash at its end', `${TLS}, prefix: /tako/`, 'expected a path such as'],
  ])('%s', (_what, words, problem) => {
    expect(problemsOf(etcd(words)).join()).toContain(problem);
  });

  test('a witness beside it is one too many', () => {
    const both = change(witness, `${witness}registry: { etcd: { ${TLS} } }\n`);
    expect(problemsOf(both).join()).toContain('found a registry in etcd beside a witness');
  });
});

describe('a risk is a warning', () => {
  const warningsOf = (text: string): string[] => {
    const { warnings, errors } = checkConfig('F', text);
    expect(errors).toEqual([]);
    return warnings.map(formatProblem);
  };
  const witness = 'witness:\n  w1: { lan: 10.77.0.3 }\n';

  test('a share as the witness: no address, no warning', () => {
    const text = change('w1: { lan: 10.77.0.3 }', 'w1: { share: /mnt/witness }');
    expect(warningsOf(text)).toEqual([]);
    expect(configOf(text).witness).toEqual({
      ...{ id: 'w1', addresses: {} },
      share: { path: '/mnt/witness', anyFileSystem: false },
    });
  });

  test('two nodes without a witness', () => {
    const [warning] = warningsOf(change(witness, ''));
    expect(warning).toContain('F:6:1: nodes: found two voters and no third, expected a witness');
    expect(warning).toContain('both must be up to decide');
    expect(warning).toContain('nothing fails over by itself');
  });

  test('an even number of voters, a single node, a mirror alone, an address on a cable', () => {
    const third = '  n3: { lan: 10.77.0.4 }\nwitness:\n';
    expect(warningsOf(change('witness:\n', third))[0]).toContain('found 4 voters, an even number');
    const alone = GOOD.replace(witness, '')
      .replace(/ {2}n2:.*\n/u, '')
      .replace('[n1, n2]', '[n1]');
    expect(warningsOf(alone)[0]).toContain('found a single node');
    expect(warningsOf(change('[n1, n2]', '[n1]'))[0]).toContain('there is no second copy');
    expect(warningsOf(change('link: lan', 'link: mirror'))[0]).toContain('found the direct link');
  });
});

describe('what is not YAML, or too clever', () => {
  test.each([
    ['an open bracket', change('[n1, n2]', '[n1, n2'), `F:${lineOf('resources:')}:5: not YAML`],
    ['a tab', change('  lan: {', '\tlan: {'), 'F:5:1: not YAML: Tabs are not allowed'],
    ['a key twice', `${GOOD}cluster: b\n`, 'F:18:1: found a key for the second time'],
    ['a second document', `${GOOD}---\na: 1\n`, 'F:18:1: found a second document'],
    ['a tag', change('trading', '!!js/function "x"'), 'F:1:10: not YAML: Unresolved tag'],
    ['a list as key', `${GOOD}? [a]\n: b\n`, 'F:18:3: found a key that is not plain text'],
    ['an unknown alias', change('[n1, n2]', '*all'), 'F:13:12: not YAML: Unresolved alias'],
    ['nothing', '# only a comment\n', 'F:1:1: found nothing, expected a configuration'],
    ['a list', '- a\n', 'F:1:1: found a list, expected a map'],
    ['a word', 'hello\n', 'F:1:1: found "hello", expected a map'],
    ['too many levels', '['.repeat(100_000), 'F:1:'],
  ])('%s', (_, text, expected) => {
    const problems = problemsOf(text);
    expect(
      problems.some((problem) => problem.startsWith(expected)),
      problems.join('\n'),
    ).toBe(true);
  });

  test('a bomb of aliases', () => {
    const row = (name: string, of: string): string =>
      `${name}: &${name} [${Array.from({ length: 10 }, () => of).join(', ')}]\n`;
    const bomb = row('a', 'x') + row('b', '*a') + row('c', '*b') + row('d', '*c') + row('e', '*d');
    expect(problemsOf(bomb)[0]).toMatch(/^F:2:8: found aliases that repeat one another too often/u);
  });

  test('a key twice does not hide the other faults', () => {
    const problems = problemsOf(`${change('udp }', 'tcp }')}cluster: b\n`);
    expect(problems).toHaveLength(2);
  });
});

test('all faults are told at once, in the order of the file', () => {
  const text = GOOD.replace('trading', 'T')
    .replace('kind: udp }', 'kind: tcp }')
    .replace('[n1, n2]', '[n1, nn]')
    .replace('10.77.0.100', '10.77.0.1');
  expect(checkConfig('F', text).errors.map(({ line }) => line)).toEqual([1, 5, 13, 17]);
});

describe('the file itself', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tako-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const errorOf = (file: string): unknown => {
    try {
      return loadConfig(file);
    } catch (error) {
      return error;
    }
  };

  test('loads, with its warnings', () => {
    const file = join(folder, 'tako.yaml');
    writeFileSync(file, GOOD);
    expect(loadConfig(file)).toEqual({ config: configOf(GOOD), warnings: [] });
  });

  test('is refused with all its faults', () => {
    const file = join(folder, 'tako.yaml');
    writeFileSync(file, change('trading', 'T'));
    expect(errorOf(file)).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(`${file}:1:10: cluster: found "T"`) as unknown,
      next: expect.stringContaining('tako config check') as unknown,
      details: { problems: [{ line: 1, column: 10 }] },
    });
  });

  test('is refused when it is no readable text', () => {
    const file = join(folder, 'tako.yaml');
    expect(errorOf(file)).toMatchObject({ code: 'config-unreadable' });
    expect(errorOf(folder)).toMatchObject({ code: 'config-unreadable' });
    writeFileSync(file, Buffer.from([0x61, 0xff, 0xfe]));
    expect(errorOf(file)).toMatchObject({ message: expect.stringContaining('UTF-8') as unknown });
    writeFileSync(file, 'x'.repeat(1024 * 1024 + 1));
    expect(errorOf(file)).toMatchObject({ message: expect.stringContaining('bytes') as unknown });
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    expect(errorOf(join(folder, 'fifo'))).toMatchObject({ code: 'config-unreadable' });
  });

  test.each(['two-nodes.yaml'])('the example %s is good', (name) => {
    const text = readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8');
    expect(checkConfig(name, text)).toMatchObject({ errors: [], warnings: [] });
  });
});
