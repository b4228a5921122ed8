/** A group that runs everywhere, on three real nodes: a small web server, beside a ledger. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { GroupStatus } from '../../src/protocol/api.ts';
import { Cluster } from '../demo/cluster.ts';
import { ledgerApp } from '../demo/ledger-app.ts';
import { until } from '../hosts/wait.ts';

/** A node that comes back has to boot first, on a machine that may be busy. */
const TIMEOUT_MS = 90_000;
const PORT = 7080;
const NODES = ['n1', 'n2', 'n3'];
/** Answers with the id of its process. */
const SERVER =
  "require('node:http').createServer((_, answer) => answer.end(String(process.pid))).listen(7080)";
const ASK = `fetch('http://127.0.0.1:${PORT}').then((r) => r.text()).then(console.log)`;

let cluster: Cluster;

beforeEach(async () => {
  cluster = await Cluster.start({
    ...{ app: ledgerApp, nodes: NODES, clusterNodes: 3, witness: false, mirrorLink: 'switched' },
    moreGroups: [
      'web:',
      '  type: everywhere',
      `  nodes: [${NODES.join(', ')}]`,
      '  resources:',
      '    server:',
      '      agent: process',
      `      command: [${process.execPath}, -e, "${SERVER}"]`,
      `      ready-port: ${PORT}`,
    ],
  });
});
afterEach(() => cluster.destroy());

async function web(seenBy: string): Promise<GroupStatus | undefined> {
  return (await cluster.status(seenBy))?.groups.find(({ id }) => id === 'web');
}

/** As that node tells the states of all instances, in the order of the nodes. */
async function shows(seenBy: string, ...states: readonly string[]): Promise<void> {
  const seen = async (): Promise<boolean> => {
    const instances = (await web(seenBy))?.instances ?? [];
    return instances.map(({ state }) => state).join() === states.join();
  };
  await until(`${seenBy} shows ${states.join(', ')}`, seen, { timeoutMs: TIMEOUT_MS });
}

/** The process that answers on that node; undefined when none does. */
async function serves(name: string): Promise<string | undefined> {
  const command = [process.execPath, '-e', ASK];
  const { code, stdout } = await cluster.lab.host(name).run(command, { allowFailure: true });
  return code === 0 ? stdout.trim() : undefined;
}

async function servedOn(): Promise<readonly string[]> {
  const answers = await Promise.all(
    NODES.map(async (name) => ((await serves(name)) === undefined ? [] : [name])),
  );
  return answers.flat();
}

it('runs on each node, restarts there, and stops where it is told to', async () => {
  await shows('n1', 'online', 'online', 'online');
  expect(await servedOn()).toEqual(NODES);

  // A program that dies is restarted where it is; control that dies is not noticed.
  const [first, other] = [await serves('n2'), await serves('n1')];
  await cluster.lab.host('n2').run(['pkill', '-KILL', '-f', 'createServer']);
  const restarted = async (): Promise<boolean> => {
    const now = await serves('n2');
    return now !== undefined && now !== first;
  };
  await until('n2 serves again', restarted, { timeoutMs: TIMEOUT_MS });
  await cluster.killDaemon('n1', 'control');
  await shows('n1', 'online', 'online', 'online');
  expect(await serves('n1')).toBe(other);

  const stopped = await cluster.tako('n1', 'group', 'stop', 'web', '--node', 'n2');
  expect(stopped.stdout).toBe('"web" is stopped on n2, until it is started there\n');
  expect(await servedOn()).toEqual(['n1', 'n3']);
  const refused = await cluster.tako('n1', 'move', 'web', 'n2');
  expect(refused).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain('it runs on each of its nodes at once');
  const shown = await cluster.tako('n3', 'group', 'show', 'web');
  expect(shown.stdout).toContain('banned from: n2');

  const started = await cluster.tako('n3', 'group', 'start', 'web', '--node', 'n2');
  expect(started.stdout).toBe('"web" is online on n2\n');
  expect(await servedOn()).toEqual(NODES);
});

it('a node that is cut off goes on, one that is off does not start what was stopped', async () => {
  await shows('n1', 'online', 'online', 'online');
  for (const link of ['mirror', 'lan']) await cluster.lab.host('n3').cut(link, 'unplug');
  await shows('n1', 'online', 'online', 'unknown');
  await cluster.lab.host('n2').powerOff();
  await shows('n3', 'unknown', 'unknown', 'online');
  expect(await serves('n3')).toBeDefined();

  // Without a majority nothing can be recorded, and what runs goes on.
  const alone = await cluster.tako('n1', 'group', 'stop', 'web');
  expect(alone.stderr).toContain('Cannot record what is wanted');
  expect(await serves('n1')).toBeDefined();

  for (const link of ['mirror', 'lan']) await cluster.lab.host('n3').mend(link);
  await shows('n1', 'online', 'unknown', 'online');
  const stopped = await cluster.tako('n1', 'group', 'stop', 'web');
  expect(stopped.stdout).toBe(
    '"web" is stopped on n1; "web" is stopped on n3; ' +
      'n2 does not answer: it stops it when it is back\n',
  );
  await cluster.bringBack('n2');
  await shows('n2', 'stopped', 'stopped', 'stopped');
  expect(await servedOn()).toEqual([]);

  expect((await cluster.tako('n2', 'group', 'start', 'web')).code).toBe(0);
  await shows('n3', 'online', 'online', 'online');
  await cluster.settled();
  const { lost, duplicates, violations } = await cluster.client.audit();
  expect({ lost, duplicates, violations }).toEqual({ lost: 0, duplicates: 0, violations: [] });
});
