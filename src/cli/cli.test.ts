/** The commands against a fake steering through the real API socket, all in this process. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApiClient } from '../adapters/api-client/api-client.ts';
import { createClusterKey } from '../adapters/config/cluster-key.ts';
import { checkConfigFile } from '../adapters/config/load-config.ts';
import { type ReportSocket, listenForReports } from '../adapters/report-socket.ts';
import { readClusterKey } from '../adapters/tls-psk.ts';
import { askWitness } from '../adapters/witness-client.ts';
import { type Api, createApi } from '../api/create-api.ts';
import { TakoError } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { Steering } from '../ports/steering.ts';
import type { ClusterStatus } from '../protocol/api.ts';
import type { TakoEvent } from '../protocol/event.ts';
import type { Epoch, GroupId, LinkId, NodeId, SeatId } from '../protocol/ids.ts';
import { type ReportMessage, reportSocketPath } from '../protocol/report.ts';
import type { WitnessClusterStatus } from '../protocol/witness.ts';
import { createRealWorld } from './real-world.ts';
import { renderStatus } from './render/status.ts';
import { runCli } from './run-cli.ts';
import type { CliWorld, LaunchRequest } from './world.ts';

const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const EVENTS = [
  {
    id: 7,
    node: 'n2',
    time: '2026-11-22T14:03:11.123Z',
    level: 'warning',
    kind: 'failover',
    group: 'ledger',
    text: 'Taking over from n1: silent for 1.0 s',
  },
  {
    id: 8,
    node: 'n2',
    time: '2026-11-22T14:03:11.400Z',
    level: 'info',
    kind: 'online',
    group: 'ledger',
    resource: 'program',
    text: 'Said "\u001B[31mred\u001B[0m"',
  },
] as unknown as readonly TakoEvent[];

const STATUS = {
  cluster: 'trading',
  node: 'n2',
  time: '2026-11-22T16:07:00.000Z',
  summary: 'All groups are online; the copy of ledger/data on n1 is being brought up to date',
  level: 'warning',
  nodes: [
    {
      id: 'n1',
      role: 'node',
      state: 'up',
      reason: 'heard on 2 links',
      links: [
        { link: 'mirror', state: 'up', roundTripMs: 0.31, carrier: true },
        { link: 'lan', state: 'lost', roundTripMs: undefined, carrier: true },
      ],
    },
    { id: 'n2', role: 'node', state: 'up', reason: 'this node', links: [] },
    {
      id: 'w1',
      role: 'witness',
      state: 'lost',
      reason: 'silent on lan for 12 s',
      links: [{ link: 'lan', state: 'lost', roundTripMs: undefined, carrier: false }],
    },
  ],
  groups: [
    {
      id: 'ledger',
      state: 'online',
      owner: 'n2',
      epoch: 7,
      since: '2026-11-22T14:03:11.400Z',
      want: 'online',
      reason: 'Took over from n1, which was lost: silent on lan, mirror for 1.0 s',
      inSync: { data: ['n2'] },
      voters: ['n2'],
      resources: [
        {
          id: 'data',
          agent: 'mirror',
          state: 'online',
          detail: '/srv/帳簿 is mounted',
          restarts: 0,
          mirror: {
            role: 'primary',
            epoch: 7,
            mounted: true,
            frozen: undefined,
            sequence: 4711,
            peers: [
              {
                node: 'n1',
                state: 'resync',
                behindBytes: 734_003_200,
                resync: {
                  filesDone: 311,
                  filesTotal: 500,
                  bytesDone: 1_288_490_188,
                  bytesTotal: 2_040_109_465,
                },
                detail: '',
              },
            ],
          },
        },
        {
          id: 'program',
          agent: 'process',
          state: 'online',
          detail: 'process 4242 accepts on port 8080',
          restarts: 2,
          mirror: undefined,
        },
        {
          id: 'address',
          agent: 'virtual-ip',
          state: 'online',
          detail: '10.77.0.100/24 on lan',
          restarts: 0,
          mirror: undefined,
        },
      ],
    },
  ],
} as unknown as ClusterStatus;

let folder: string;
let api: Api;
let calls: unknown[];
let listeners: Set<(event: TakoEvent) => void>;
let zone: string | undefined;

const steering: Steering = {
  status: () => STATUS,
  move: async (group, to) => {
    calls.push(['move', group, to]);
    if (to === 'n1') {
      throw new TakoError(
        'copy-stale',
        'Cannot move "ledger" to "n1": its copy is 700 MiB behind',
        {
          next: 'Wait until "tako status" shows it in sync',
        },
      );
    }
    if (group !== 'ledger') throw new TakoError('no-such-group', `There is no group "${group}"`);
    return 'Group ledger is online on n2 (epoch 8).';
  },
  startGroup: async (group) => `Group ${group} is online.`,
  stopGroup: async () => {
    throw new RangeError('unexpected inside');
  },
  standby: async (node, on) => {
    calls.push(['standby', node, on]);
    return on ? `${node} is in standby: leaving it: "ledger"` : `${node} is no longer in standby`;
  },
  ban: async (group, node, on) => {
    calls.push(['ban', group, node, on]);
    return `"${group}" is ${on ? '' : 'no longer '}banned from ${node}`;
  },
  verify: async (group, bytesPerSecond) => {
    calls.push(['verify', group, bytesPerSecond]);
    return 'comparing the copies of "data" on n2';
  },
  clearNode: async (node) => {
    calls.push(['clear', node]);
    return `${node} is cleared, as far as n1, n2 can tell`;
  },
  maintain: async (request) => {
    calls.push(['maintain', request]);
    return 'the cluster is in maintenance';
  },
  why: async (group) => ({
    group,
    sentence: 'ledger is on n2 since n1 was lost.',
    events: EVENTS.slice(0, 1),
  }),
  forceStakes: (group, off) => ({
    group,
    node: 'n2' as NodeId,
    off: off ?? (['n1'] as NodeId[]),
    lines: ['Last known owner: n1, at epoch 5'],
  }),
  force: async (group, force) => {
    calls.push(['force', group, force]);
    return `${group} was forced onto n2`;
  },
  fence: async (node, action) => {
    calls.push(['fence', node, action]);
    return `${node} is ${action === 'off' ? 'off' : 'on'}: the fence was asked`;
  },
  events: async (limit) => EVENTS.slice(-limit),
  follow: (listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  reload: async () => {
    throw new TakoError('config-invalid', 'tako.yaml:3:1: linkz: found the unknown key', {
      next: 'Correct the file',
    });
  },
};

beforeEach(async () => {
  zone = process.env['TZ'];
  process.env['TZ'] = 'UTC';
  folder = mkdtempSync(join(tmpdir(), 'tako-cli-'));
  calls = [];
  listeners = new Set();
  api = createApi(steering, log);
  await api.listen(join(folder, 'api.sock'));
});

afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function makeWorld(over: Partial<CliWorld> = {}): {
  world: CliWorld;
  said: { out: string; err: string };
} {
  const said = { out: '', err: '' };
  const world: CliWorld = {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    colours: false,
    terminal: false,
    environment: { TAKO_RUN_DIR: folder },
    interrupted: new AbortController().signal,
    prepareShare: async (file, { replace }) => `made for ${file}${replace ? ' anew' : ''}`,
    pause: () => Promise.resolve(),
    ask: () => Promise.resolve(undefined),
    client: async (socketPath) => createApiClient(socketPath),
    reportHealth: createRealWorld(new AbortController().signal).reportHealth,
    askAway: createRealWorld(new AbortController().signal).askAway,
    readText: createRealWorld(new AbortController().signal).readText,
    keptConfig: createRealWorld(new AbortController().signal).keptConfig,
    recordings: createRealWorld(new AbortController().signal).recordings,
    recordingFile: createRealWorld(new AbortController().signal).recordingFile,
    saveRecording: createRealWorld(new AbortController().signal).saveRecording,
    checkConfigFile: async (file) => checkConfigFile(file),
    createKey: async (file) => createClusterKey(file),
    launch: () => Promise.resolve(0),
    becomeWitness: () => Promise.resolve(),
    askWitness: (runDir, question, last) => askWitness(runDir, question, last),
    ...over,
  };
  return { world, said };
}

async function tako(words: string, over: Partial<CliWorld> = {}): Promise<Outcome> {
  const { world, said } = makeWorld(over);
  const code = await runCli(words.split(' '), world);
  return { code, out: said.out, err: said.err };
}

describe('tako status', () => {
  test('is a table that a person likes to read', async () => {
    const { code, out } = await tako('status');
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "▲ All groups are online; the copy of ledger/data on n1 is being brought up to date

      Cluster trading, as n2 sees it at 2026-11-22 16:07:00

      GROUP   STATE   OWNER  EPOCH  SINCE
      ledger  online  n2     7      2 h 3 min
        Took over from n1, which was lost: silent on lan, mirror for 1.0 s
        votes: n2; without n1, w1

        RESOURCE  AGENT       STATE   DETAIL
        data      mirror      online  /srv/帳簿 is mounted
                                      copies in sync: n2
                  → n1        resync  ████████████░░░░░░░░ 63 %  1.2 GiB of 1.9 GiB, 311 of 500 files
        program   process     online  process 4242 accepts on port 8080 (restarted 2 times)
        address   virtual-ip  online  10.77.0.100/24 on lan

      NODE          STATE  LINKS
      n1            up     mirror 0.3 ms, lan lost
      n2            up     (this node)
      w1 (witness)  lost   lan no carrier           silent on lan for 12 s
      "
    `);
  });

  test('names the risk of two nodes without a witness, and none where there is none', () => {
    const alone = {
      ...STATUS,
      decidedBy: { by: 'both-nodes', risk: 'nothing fails over \u001B[31m' },
    } as const;
    const shown = renderStatus(alone, false);
    const line = 'Risk: Decided by both nodes together: nothing fails over ';
    expect(shown).toContain(`at 2026-11-22 16:07:00\n\n${line}`);
    expect(shown).not.toContain('\u001B');
    const safe = { ...STATUS, decidedBy: { by: 'witness', risk: undefined } } as const;
    expect(renderStatus(safe, false)).toBe(renderStatus(STATUS, false));
  });

  test('is coloured for a terminal only', async () => {
    const { out } = await tako('status', { colours: true });
    expect(out).toContain('\u001B[32monline\u001B[39m');
    expect(out).toContain('\u001B[1mledger\u001B[22m');
  });

  test('is the whole truth as JSON', async () => {
    const { out } = await tako('status --json');
    expect(JSON.parse(out)).toEqual(JSON.parse(JSON.stringify(STATUS)));
  });

  test('is repeated by --watch, also while Tako is away', async () => {
    const interrupt = new AbortController();
    let rounds = 0;
    const { code, out } = await tako('status --watch', {
      terminal: true,
      interrupted: interrupt.signal,
      pause: async () => {
        rounds += 1;
        if (rounds === 1) await api.close();
        if (rounds === 2) interrupt.abort();
      },
    });
    expect(code).toBe(0);
    expect(out).toContain('Cluster trading');
    expect(out).toContain('Cannot reach Tako');
  });
});

describe('tako fence', () => {
  test('asks whether a node is on', async () => {
    const done = await tako('fence test n2');
    expect(done).toEqual({ code: 0, out: 'n2 is on: the fence was asked\n', err: '' });
    expect(calls).toEqual([['fence', 'n2', 'status']]);
  });

  test('turns a node off only when its name is typed', async () => {
    const wrong = await tako('fence off n2', { ask: async () => 'y' });
    expect(wrong.code).toBe(1);
    expect(wrong.err).toContain('Nothing was done: "n2" was not typed');
    expect(calls).toEqual([]);
    expect((await tako('fence off n2', { ask: async () => 'n2\n' })).code).toBe(0);
    expect((await tako('fence off n2 --yes')).out).toBe('n2 is off: the fence was asked\n');
    const off = ['fence', 'n2', 'off'];
    expect(calls).toEqual([off, off]);
  });
});

describe('tako force', () => {
  test('spells out what is at stake and goes on only when the name is typed', async () => {
    const asked: string[] = [];
    const ask = async (question: string): Promise<string> => {
      asked.push(question);
      return 'ledger\n';
    };
    const done = await tako('force takeover ledger --accept-data-loss', { ask });
    expect(done).toEqual({
      code: 0,
      out:
        'To be forced: "ledger" onto n2\n  - Last known owner: n1, at epoch 5\n' +
        'ledger was forced onto n2\n',
      err: '',
    });
    expect(asked).toHaveLength(1);
    expect(calls).toEqual([['force', 'ledger', { off: ['n1'], acceptDataLoss: true }]]);
  });

  test.each([undefined, '', 'yes', 'ledge'])('does nothing on the answer %j', async (answer) => {
    const ask = async (): Promise<string | undefined> => answer;
    const done = await tako('force takeover ledger --accept-data-loss', { ask });
    expect(done.code).toBe(1);
    expect(done.err).toContain('Nothing was done: "ledger" was not typed');
    expect(calls).toEqual([]);
  });

  test('needs the flag for the loss, also with --yes', async () => {
    expect((await tako('force takeover ledger --yes')).code).toBe(2);
    expect(calls).toEqual([]);
    await tako('force voters ledger --yes --off n1 w1');
    expect(calls).toEqual([['force', 'ledger', { off: ['n1', 'w1'], acceptDataLoss: false }]]);
  });
});

describe('tako move, group, why, config reload', () => {
  test('tell the outcome in one sentence', async () => {
    expect(await tako('move ledger n2')).toEqual({
      code: 0,
      out: 'Group ledger is online on n2 (epoch 8).\n',
      err: '',
    });
    expect(calls).toEqual([['move', 'ledger', 'n2']]);
    expect(await tako('group start ledger')).toMatchObject({ out: 'Group ledger is online.\n' });
  });

  test('tell a refusal with its next step', async () => {
    expect(await tako('move ledger n1')).toEqual({
      code: 1,
      out: '',
      err:
        'tako: Cannot move "ledger" to "n1": its copy is 700 MiB behind\n' +
        'Next: Wait until "tako status" shows it in sync\n',
    });
    expect(await tako('move nix n2')).toMatchObject({ code: 2 });
    expect(await tako('config reload')).toMatchObject({ code: 2 });
  });

  test('tell an unexpected failure without its stack', async () => {
    expect(await tako('group stop ledger')).toMatchObject({
      code: 1,
      err: 'tako: Something unexpected failed: unexpected inside\nNext: See the log\n',
    });
  });

  test('explain', async () => {
    const { out } = await tako('why ledger');
    expect(out).toMatchInlineSnapshot(`
      "ledger is on n2 since n1 was lost.

      How it came to that:
        2026-11-22 14:03:11.123  n2    failover          ledger: Taking over from n1: silent for 1.0 s
      "
    `);
  });
});

describe('tako report', () => {
  let heard: ReportMessage[] = [];
  let socket: ReportSocket;

  beforeEach(async () => {
    heard = [];
    const refused = { ok: false, code: 'no-node', text: 'Cannot move "db" away: n2 is lost' };
    socket = await listenForReports({
      path: reportSocketPath(folder, 'db', 'app'),
      user: undefined,
      log,
      onMessage: (message) => {
        heard.push(message);
        return Promise.resolve(message.type === 'away' ? refused : { ok: true, text: 'heard' });
      },
    });
  });
  afterEach(() => socket.close());

  test('tells the health, with a promise and a detail', async () => {
    expect(await tako('report db/app ok --ttl 10s')).toMatchObject({ code: 0, out: 'heard\n' });
    expect((await tako('report db/app failed --detail damaged')).code).toBe(0);
    expect(heard).toEqual([
      { type: 'health', id: undefined, health: 'ok', detail: '', ttlMs: 10_000 },
      { type: 'health', id: undefined, health: 'failed', detail: 'damaged', ttlMs: undefined },
    ]);
  });

  test('asks for a move, and tells why there is none', async () => {
    const { code, err } = await tako('report db/app away --detail slow');
    expect([code, err]).toEqual([
      1,
      'tako: Cannot move "db" away: n2 is lost\nNext: See "tako why db"\n',
    ]);
    expect(heard).toEqual([{ type: 'away', id: undefined, reason: 'slow' }]);
  });

  test.each([
    ['report db ok', 2],
    ['report db/app well', 2],
    ['report db/app ok --ttl soon', 2],
    ['report db/app ok --ttl 2h', 2],
    ['report db/other ok', 3],
  ])('%s ends with exit code %i', async (words, code) => {
    expect((await tako(words)).code).toBe(code);
    expect(heard).toEqual([]);
  });
});

describe('tako events', () => {
  test('are one line each, without what would steer the terminal', async () => {
    const { out } = await tako('events -n 5');
    expect(out).toMatchInlineSnapshot(`
      "2026-11-22 14:03:11.123  n2    failover          ledger: Taking over from n1: silent for 1.0 s
      2026-11-22 14:03:11.400  n2    online            ledger/program: Said "�[31mred�[0m"
      "
    `);
  });

  test('are JSON lines for programs', async () => {
    const { out } = await tako('events -n 1 --json');
    expect(JSON.parse(out)).toEqual(EVENTS[1]);
  });

  test('follow shows the past once and each new one', async () => {
    const interrupt = new AbortController();
    const { world, said } = makeWorld({ interrupted: interrupt.signal });
    const running = runCli(['events', '--follow'], world);
    await vi.waitFor(() => expect(said.out.split('\n')).toHaveLength(3));
    for (const listener of listeners) {
      listener({ ...(EVENTS[0] as TakoEvent), id: 9, text: 'A new one' });
    }
    await vi.waitFor(() => expect(said.out).toContain('A new one'));
    interrupt.abort();
    expect(await running).toBe(0);
    await vi.waitFor(() => expect(listeners.size).toBe(0));
  });

  test('follow survives a restart of the API and asks for what it missed', async () => {
    const interrupt = new AbortController();
    const { world, said } = makeWorld({ interrupted: interrupt.signal });
    const running = runCli(['events', '--follow', '-n', '1'], world);
    await vi.waitFor(() => expect(listeners.size).toBe(1));
    for (const listener of listeners) listener(EVENTS[0] as TakoEvent);
    await vi.waitFor(() => expect(said.out).toContain('failover'));
    await api.close();
    await vi.waitFor(() => expect(said.err).toContain('waiting'), { timeout: 5000 });
    api = createApi(steering, log);
    await api.listen(join(folder, 'api.sock'));
    await vi.waitFor(() => expect(said.err).toContain('connected again'), { timeout: 5000 });
    // The event after the last one seen, from the log.
    await vi.waitFor(() => expect(said.out.match(/ledger\/program/gu)).toHaveLength(2));
    interrupt.abort();
    expect(await running).toBe(0);
  });
});

describe('tako config check', () => {
  const good = (): string => {
    const text = readFileSync(new URL('../../examples/two-nodes.yaml', import.meta.url), 'utf8');
    const file = join(folder, 'tako.yaml');
    writeFileSync(file, text);
    return file;
  };

  test('praises a good file', async () => {
    const file = good();
    expect(await tako(`config check ${file}`)).toEqual({
      code: 0,
      out: `${file}: good. Cluster trading: 2 nodes (n1, n2), witness w1, 1 group (ledger)\n`,
      err: '',
    });
  });

  test('tells every fault, for people and for programs', async () => {
    const file = good();
    writeFileSync(file, readFileSync(file, 'utf8').replace('kind: udp }', 'kind: tcp }'));
    const forPeople = await tako(`config check ${file}`);
    expect(forPeople.code).toBe(2);
    expect(forPeople.err).toContain(
      `${file}:9:16: links.lan.kind: found "tcp", expected the kind "udp"`,
    );
    expect(forPeople.err).toContain('1 fault, 0 warnings');
    const forPrograms = await tako(`config check ${file} --json`);
    expect(forPrograms.code).toBe(2);
    expect(JSON.parse(forPrograms.out)).toMatchObject({
      ok: false,
      errors: [{ file, line: 9, column: 16, path: 'links.lan.kind' }],
      warnings: [],
    });
  });

  test('says when there is no such file', async () => {
    const { code, err } = await tako(`config check ${folder}/nix.yaml`);
    expect(code).toBe(2);
    expect(err).toMatch(
      /^tako: Cannot read the configuration ".*": ENOENT.*\nNext: Check the name/u,
    );
  });
});

describe('tako key new', () => {
  test('makes a key that Tako accepts, and never replaces one', async () => {
    const file = join(folder, 'cluster.key');
    expect(await tako(`key new ${file}`)).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const key = readClusterKey(file);
    expect(key).toHaveLength(32);
    const again = await tako(`key new ${file}`);
    expect(again.code).toBe(2);
    expect(again.err).toContain('the file exists');
    expect(readClusterKey(file)).toEqual(key);
  });
});

describe('tako run and version', () => {
  test('hands over to the launcher with its exit code', async () => {
    const requests: LaunchRequest[] = [];
    const launch = async (request: LaunchRequest): Promise<number> => {
      requests.push(request);
      return 7;
    };
    expect(
      await tako('run --config a.yaml --node n1 --run-dir r --state-dir s', { launch }),
    ).toMatchObject({ code: 7 });
    await tako('run', { launch, environment: {} });
    expect(requests).toEqual([
      { configFile: 'a.yaml', node: 'n1', runDir: 'r', stateDir: 's' },
      {
        configFile: '/etc/tako/tako.yaml',
        node: undefined,
        runDir: '/run/tako',
        stateDir: '/var/lib/tako',
      },
    ]);
  });

  test('hands over to the witness', async () => {
    const requests: unknown[] = [];
    const becomeWitness = async (request: unknown): Promise<void> => {
      requests.push(request);
    };
    await tako('witness run --clusters c --run-dir r --state-dir s', { becomeWitness });
    await tako('witness run', { becomeWitness, environment: {} });
    expect(requests).toEqual([
      { clustersDir: 'c', runDir: 'r', stateDir: 's' },
      {
        clustersDir: '/etc/tako/witness',
        runDir: '/run/tako-witness',
        stateDir: '/var/lib/tako-witness',
      },
    ]);
  });

  test('prepares a share', async () => {
    expect((await tako('witness prepare --config c.yaml --replace')).out).toBe(
      'made for c.yaml anew\n',
    );
    expect((await tako('witness prepare')).out).toBe('made for /etc/tako/tako.yaml\n');
  });

  test('knows its version', async () => {
    expect((await tako('version')).out).toMatch(/^tako \d+\.\d+\.\d+ \(Node\.js 24\..*\)\n$/u);
  });
});

describe('tako witness status and reload', () => {
  const meters = {
    links: [],
    malformed: 2,
    unknown: 40,
    forged: 1,
    stale: 9,
    refused: 0,
    latestWakeMs: 1,
  };
  const shop: WitnessClusterStatus = {
    name: 'shop',
    cluster: 'shop',
    self: 'w1' as NodeId,
    state: 'serving',
    detail: '',
    fault: undefined,
    forMs: 120_000,
    failures: 0,
    seat: 'f00d' as SeatId,
    links: [{ link: 'lan' as LinkId, address: '10.77.0.3', port: 8256 }],
    nodes: [
      { node: 'n1' as NodeId, state: 'up', heardMsAgo: 12, reason: 'heard on lan' },
      { node: 'n2' as NodeId, state: 'lost', heardMsAgo: 9000, reason: 'silent on lan for 9 s' },
    ],
    votes: [{ group: 'db' as GroupId, owner: 'n1' as NodeId, epoch: 7 as Epoch }],
    meters,
    dropped: 0,
  };
  const full: WitnessClusterStatus = {
    ...shop,
    name: 'bank',
    state: 'failed',
    detail: 'Cannot write: no space left',
    failures: 3,
    nodes: [],
    votes: [],
    meters: undefined,
  };
  const own = { type: 'process', pid: 7, residentBytes: 50 << 20, directory: '/etc/w' } as const;
  const answer =
    (...clusters: readonly WitnessClusterStatus[]): CliWorld['askWitness'] =>
    () =>
      Promise.resolve([...clusters.map((status) => ({ type: 'cluster' as const, status })), own]);

  test('show who is heard, what was voted and who was turned away', async () => {
    const all = await tako('witness status', { askWitness: answer(shop) });
    expect(all).toMatchObject({ code: 0, err: '' });
    expect(all.out).toContain(
      '✔ 1 cluster served\nProcess 7, 50.0 MiB resident, files in /etc/w\n',
    );
    expect(all.out).toMatch(/shop +serving +2 min +n1; n2 lost, heard 9 s ago +1 +43 +0\n/u);
    const one = await tako('witness status shop', { askWitness: answer(shop, full) });
    expect(one.code).toBe(0);
    expect(one.out).toContain('on lan 10.77.0.3 port 8256, seat f00d');
    expect(one.out).toMatch(/GROUP +VOTED FOR +EPOCH\n +db +n1 +7\n/u);
    expect(one.out).not.toContain('bank');
  });

  test('a cluster that fails is named, and makes the exit code', async () => {
    const { code, out } = await tako('witness status', { askWitness: answer(shop, full) });
    expect(code).toBe(1);
    expect(out).toContain('✖ bank: not as it should be');
    expect(out).toContain('bank: Cannot write: no space left\n');
    const json = await tako('witness status --json', { askWitness: answer(full) });
    expect(JSON.parse(json.out)).toMatchObject({ clusters: [{ name: 'bank', failures: 3 }] });
    expect(await tako('witness status shup', { askWitness: answer(shop) })).toMatchObject({
      code: 2,
      err: 'tako: The witness has no cluster "shup"; it has shop\n',
    });
  });

  test('what a reload did goes to one place, faults to the other', async () => {
    const askWitness: CliWorld['askWitness'] = () =>
      Promise.resolve([{ type: 'reloaded', done: ['shop: as before'], faults: ['bank: bad'] }]);
    expect(await tako('witness reload', { askWitness })).toEqual({
      code: 2,
      out: 'shop: as before\n',
      err: 'bank: bad\n',
    });
  });

  test('nobody at its socket', async () => {
    const { code, err } = await tako(`witness status --run-dir ${folder}`);
    expect(code).toBe(3);
    expect(err).toContain('Next: Start it with "systemctl start tako-witness"');
  });
});

describe('what goes wrong on the way', () => {
  test.each([
    ['statsu', 'unknown command', '(Did you mean status?)'],
    ['move ledger', "missing required argument 'node'", 'Next: tako --help'],
    ['status --jsn', "unknown option '--jsn'", '(Did you mean --json?)'],
    ['events -n many', 'Expected a number from 1 to 10000', 'Next: tako --help'],
  ])('%s is explained', async (words, first, second) => {
    const { code, err } = await tako(words);
    expect(code).toBe(2);
    expect(err).toContain(first);
    expect(err).toContain(second);
  });

  test('nobody at the socket', async () => {
    await api.close();
    const { code, err } = await tako('status');
    expect(code).toBe(3);
    expect(err).toContain('there is no such socket\nNext: Start it');
  });

  test('a dead socket', async () => {
    const dead = join(folder, 'dead');
    const { code, err } = await tako(`status --run-dir ${dead}`);
    expect(code).toBe(3);
    expect(err).toContain(`${dead}/api.sock`);
  });
});
