/**
 * Two real clusters of two nodes each, and one witness process for both: one of them fails over
 * while the other one, or its part of the witness, is in trouble.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApiClient } from '../../src/adapters/api-client/api-client.ts';
import type { GroupStatus } from '../../src/protocol/api.ts';
import { type Host, monotonicMs } from '../hosts/host.ts';
import { type Lab, createLab } from '../hosts/lab.ts';
import { until } from '../hosts/wait.ts';

const TAKO = fileURLToPath(new URL('../../bin/tako', import.meta.url));
const RUN_DIR = '/run/tako';
const STATE_DIR = '/var/lib/tako';
const TIMEOUT_MS = 60_000;
/** From power-off to online on the other node: one second of silence, a vote, a start. */
const FAILOVER_MS = 4000;
const CLUSTERS = ['shop', 'bank'] as const;
type Name = (typeof CLUSTERS)[number];
const NODES = { shop: ['s1', 's2'], bank: ['b1', 'b2'] } as const;
const PORTS = { shop: 8256, bank: 8356 } as const;

let lab: Lab;

beforeEach(async () => {
  const nodes = CLUSTERS.flatMap((name) => NODES[name]);
  lab = await createLab({ nodes, client: false, mirrorLink: 'switched' });
  const folder = join(lab.folder, 'witness');
  mkdirSync(folder);
  for (const name of CLUSTERS) {
    await lab.host('w1').run([TAKO, 'key', 'new', join(folder, `${name}.key`)]);
    writeFileSync(join(folder, `${name}.yaml`), textOf(name));
  }
  startWitness();
  for (const name of CLUSTERS) for (const node of NODES[name]) startNode(name, node);
  for (const name of CLUSTERS) await settled(name);
});
afterEach(() => lab.destroy());

function textOf(name: Name): string {
  const at = (host: string): string => `{ lan: ${lab.host(host).address('lan').ipv4} }`;
  const [first, second] = NODES[name];
  const address = lab.virtualAddress(CLUSTERS.indexOf(name));
  return `cluster: ${name}
key-file: ${join(lab.folder, 'witness', `${name}.key`)}
base-port: ${PORTS[name]}
links: { lan: { kind: udp } }
nodes: { ${first}: ${at(first)}, ${second}: ${at(second)} }
witness: { w1: ${at('w1')} }
groups:
  service:
    nodes: [${first}, ${second}]
    resources:
      address: { agent: virtual-ip, address: ${address}/24, link: lan }
      program: { agent: process, command: [/bin/sleep, infinity] }
`;
}

function start(host: Host, words: readonly string[]): void {
  const places = ['--run-dir', RUN_DIR, '--state-dir', STATE_DIR];
  const logFile = join(host.folder, 'tako.log');
  host.spawn([TAKO, ...words, ...places], { logFile }).unref();
}

function startWitness(): void {
  start(lab.host('w1'), ['witness', 'run', '--clusters', join(lab.folder, 'witness')]);
}

function startNode(name: Name, node: string): void {
  const file = join(lab.folder, 'witness', `${name}.yaml`);
  start(lab.host(node), ['run', '--config', file, '--node', node]);
}

async function groupSeenBy(node: string): Promise<GroupStatus | undefined> {
  const host = lab.host(node);
  if (!host.powered) return undefined;
  const status = await createApiClient(host.pathOf(`${RUN_DIR}/api.sock`))
    .status()
    .catch(() => undefined);
  return status?.groups[0];
}

async function onlineOn(name: Name, node: string, timeoutMs = TIMEOUT_MS): Promise<GroupStatus> {
  return until(
    `${name} is online on ${node}`,
    async () => {
      const group = await groupSeenBy(node);
      return group?.owner === node && group.state === 'online' ? group : undefined;
    },
    { timeoutMs },
  );
}

/** Online on its first node, and all three voters in the record. */
async function settled(name: Name): Promise<void> {
  const [first, second] = NODES[name];
  await until(
    `${name} is settled`,
    async () => {
      const group = await groupSeenBy(first);
      return (
        group?.state === 'online' && group.voters.join() === [first, second, 'w1'].toSorted().join()
      );
    },
    { timeoutMs: TIMEOUT_MS },
  );
}

async function failsOver(name: Name): Promise<void> {
  const [first, second] = NODES[name];
  const at = await lab.host(first).powerOff();
  await onlineOn(name, second);
  expect(monotonicMs() - at).toBeLessThan(FAILOVER_MS);
}

/** On a host of the cluster, from an address that the witness knows. */
function floodFrom(node: string, port: number): void {
  const address = lab.host('w1').address('lan').ipv4;
  const program = `
    const socket = require('node:dgram').createSocket('udp4');
    const like = Buffer.concat([Buffer.from('TAKO\\u0001\\u0002', 'latin1'), Buffer.alloc(22),
      Buffer.from([0, 0]), Buffer.from('${node}'), Buffer.alloc(300, 7)]);
    like.writeBigUInt64BE(9n, 22);
    setInterval(() => {
      for (let i = 0; i < 100; i += 1) socket.send(i % 2 ? like : 'rubbish', ${port}, '${address}');
    }, 5);`;
  lab.host(node).spawn([process.execPath, '-e', program], {
    logFile: join(lab.host(node).folder, 'flood.log'),
  });
}

async function witnessStatus(): Promise<string> {
  const words = [TAKO, 'witness', 'status', '--run-dir', RUN_DIR];
  return (await lab.host('w1').run(words, { allowFailure: true })).stdout;
}

describe('one witness for two clusters', () => {
  it('one fails over while the other floods the witness, and keeps running itself', async () => {
    floodFrom('b2', PORTS.bank);
    await until(
      'the flood is felt',
      async () => /bank .* \d{4,} +0$/mu.test(await witnessStatus()),
      {
        timeoutMs: TIMEOUT_MS,
      },
    );
    const before = await onlineOn('bank', 'b1');
    await failsOver('shop');
    expect(await groupSeenBy('b1')).toMatchObject({ owner: 'b1', epoch: before.epoch });
    // And the one that is flooded fails over too.
    await failsOver('bank');
  });

  it('one fails over while the other is cut off from the witness', async () => {
    for (const node of NODES.bank) await lab.host(node).cut('lan', 'mute');
    await until(
      'the witness misses them',
      async () => /b1 lost.*b2 lost/u.test(await witnessStatus()),
      {
        timeoutMs: TIMEOUT_MS,
      },
    );
    await failsOver('shop');
    for (const node of NODES.bank) await lab.host(node).mend('lan');
    await settled('bank');
  });

  it('one fails over while the votes of the other are damaged, which goes on without', async () => {
    const witness = lab.host('w1');
    await witness.signalByPidFile(`${RUN_DIR}/witness.pid`, 'KILL');
    const votes = join(witness.folder, 'state', 'bank');
    for (const file of readdirSync(votes).filter((name) => name.startsWith('acceptor.log'))) {
      writeFileSync(join(votes, file), 'garbage');
    }
    startWitness();
    await until('the damage is told', async () => /bank .*failed/u.test(await witnessStatus()), {
      timeoutMs: TIMEOUT_MS,
    });
    await settled('shop');
    await failsOver('shop');
    expect(await groupSeenBy('b1')).toMatchObject({ owner: 'b1', state: 'online' });
  });
});
