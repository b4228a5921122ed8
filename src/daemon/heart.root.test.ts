/**
 * Real heart processes on loopback, each with a client in the place of control: leases, death and
 * freeze of processes, revocation, strangers. Times are measured by the lease mark, as a mirror does.
 */
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../adapters/clock.ts';
import { newBoot, PacketGuard } from '../adapters/crypto/packet-guard.ts';
import { connectLines } from '../adapters/line-socket.ts';
import { createLog } from '../adapters/log.ts';
import { must } from '../base/assert.ts';
import type { NodeSetup } from '../protocol/config.ts';
import type { FromHeart } from '../protocol/heart-ipc.ts';
import type { Epoch, LinkId, NodeId } from '../protocol/ids.ts';
import { G, HeartNode, until } from '../../test/heart/heart-node.ts';

const [A, B, C] = ['a', 'b', 'c'] as NodeId[] as [NodeId, NodeId, NodeId];
const E1 = 1 as Epoch;
const E2 = 2 as Epoch;
const LINKS = ['lan', 'cable'] as LinkId[];
const LEASE_MS = 300;
const log = createLog({ name: 'test', level: 'silent' });

let dir = '';
let port = 0;
let nodes: HeartNode[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tako-heart-'));
  writeFileSync(join(dir, 'key'), Buffer.alloc(32, 9).toString('base64'), { mode: 0o600 });
  port = await freePort();
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.end()));
  nodes = [];
  rmSync(dir, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createSocket('udp4');
  const found = await new Promise<number>((resolve) => {
    probe.bind(0, '127.0.0.1', () => resolve(probe.address().port));
  });
  await new Promise<void>((resolve) => {
    probe.close(() => resolve());
  });
  return found;
}

function start(...ids: readonly NodeId[]): HeartNode[] {
  const address = (id: NodeId, link: number): string =>
    `127.0.${100 + link}.${ids.indexOf(id) + 1}`;
  nodes = ids.map((id) => {
    const setup: NodeSetup = {
      node: id,
      runDir: join(dir, id),
      stateDir: join(dir, `${id}-state`),
      configFile: 'none',
      config: {
        cluster: 'test',
        keyFile: join(dir, 'key'),
        basePort: port,
        timing: {
          heartbeatMs: 50,
          leaseMs: LEASE_MS,
          nodeLostMs: 1000,
          secondaryLostMs: 400,
          clockDrift: 0.01,
          addressLifeSeconds: 3,
          suspendGraceMs: 10_000,
        },
        links: LINKS.map((link) => ({ id: link, kind: 'udp', direct: false })),
        nodes: ids.map((node) => ({
          id: node,
          addresses: Object.fromEntries(LINKS.map((link, i) => [link, address(node, i)])),
        })),
        witness: undefined,
        groups: [],
      },
    };
    return new HeartNode(id, setup);
  });
  return nodes;
}

/** All hear each other, and `a` has the lease of the group. */
async function startOwned(...ids: readonly NodeId[]): Promise<HeartNode[]> {
  const all = start(...ids);
  await Promise.all(all.map((node) => node.hears(...ids.filter((id) => id !== node.id))));
  for (const node of all) node.records(A, E1);
  const [a] = all;
  must(a, 'at least one').claim(E1);
  await a?.next('lease', (lease) => lease.held && lease.epoch === E1);
  return all;
}

/** Asks until this voter may vote against the owner; gives the id of the last question. */
async function freeToVote(voter: HeartNode, owner: NodeId): Promise<number> {
  let id = 1;
  await until(() => {
    id += 1;
    voter.send({ type: 'revoke', id, group: G, owner });
    return voter.received.some((m) => m.type === 'revoked' && m.ok);
  }, 'the vote is free');
  return id;
}

const three = async (): Promise<[HeartNode, HeartNode, HeartNode]> =>
  (await startOwned(A, B, C)) as [HeartNode, HeartNode, HeartNode];

test('hearts find each other; the owner gets its lease and a mark', async () => {
  const [a] = await three();
  expect(a.marked(E1)).toBe(true);
  expect(a.marked(E2)).toBe(false);
  const lost = a.received.filter((m) => m.type === 'lease' && !m.held);
  expect(lost).toEqual([]);
});

test('a vote against a living owner is refused, and allowed once it is over', async () => {
  const [a, b] = await three();
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
  const refused = await b.ask(1, A);
  expect(refused).toMatchObject({ ok: false, why: 'promise' });
  expect(refused.remainingMs).toBeGreaterThan(0);
  expect(refused.remainingMs).toBeLessThanOrEqual(LEASE_MS * 1.01);
  await a.kill();
  await until(() => !a.marked(E1), 'the mark of the dead owner ends');
  await freeToVote(b, A);
  expect(a.marked(E1)).toBe(false);
});

test('a frozen owner has no mark before a majority may vote, and gives up before it speaks', async () => {
  const [a, b, c] = await three();
  a.process.kill('SIGSTOP');
  // One voter alone elects nobody: the other two may have upheld the lease a round longer.
  const id = await freeToVote(b, A);
  await freeToVote(c, A);
  expect(a.marked(E1)).toBe(false);
  // While the vote may be under way, the owner that thaws gets nothing from these voters.
  a.process.kill('SIGCONT');
  await a.next('lease', (lease) => !lease.held);
  b.records(B, E2, id);
  b.claim(E2);
  await a.next('ahead', (ahead) => ahead.node === B && ahead.epoch === E2);
});

test('a short freeze costs the owner a moment of its lease, nothing else', async () => {
  const [a, b] = await three();
  a.process.kill('SIGSTOP');
  await until(() => !a.marked(E1), 'the mark ends');
  a.process.kill('SIGCONT');
  await a.next('lease', (lease) => !lease.held);
  await a.next('lease', (lease) => lease.held && lease.epoch === E1);
  await until(() => a.marked(E1), 'the mark is back');
  const reports = b.received.filter((m) => m.type === 'peers');
  expect(reports.every((m) => m.peers.find((p) => p.node === A)?.state !== 'lost')).toBe(true);
});

test('a voter that was killed is quiet for one lease, and the lease lives on', async () => {
  const [a, b] = await three();
  await b.kill();
  b.restart();
  const { startedAt } = await b.next('welcome');
  b.records(A, E1);
  const answer = await b.ask(1, A);
  expect(answer).toMatchObject({ ok: false, why: 'starting' });
  expect(answer.remainingMs).toBeLessThanOrEqual(
    startedAt + LEASE_MS * 1.01 - systemClock.now() + 50,
  );
  await a.hears(B);
  expect(a.received.filter((m) => m.type === 'lease' && !m.held)).toEqual([]);
  expect(a.marked(E1)).toBe(true);
});

test('with two voters both are needed: the lease ends with the other, and comes back', async () => {
  const [a, b] = (await startOwned(A, B)) as [HeartNode, HeartNode];
  await b.kill();
  const lost = await a.next('lease', (lease) => !lease.held);
  expect(lost.reason).toMatch(/^1 of 2 voters uphold it: a \(2 needed; without b\)$/u);
  await a.next('peers', ({ peers }) => peers[0]?.state === 'lost');
  expect(a.marked(E1)).toBe(false);
  b.restart();
  await b.next('welcome');
  b.records(A, E1);
  await a.next('lease', (lease) => lease.held);
});

test('a release frees the voters at once', async () => {
  const [a, b, c] = await three();
  a.send({ type: 'release', group: G });
  await a.next('lease', (lease) => !lease.held && lease.reason === 'released');
  expect(a.marked(E1)).toBe(false);
  const start = performance.now();
  for (const node of [a, b, c]) node.records(B, E2);
  b.claim(E2);
  await b.next('lease', (lease) => lease.held && lease.epoch === E2);
  expect(performance.now() - start).toBeLessThan(LEASE_MS / 2);
});

test('a voter that is behind is reported', async () => {
  const [a] = await three();
  a.claim(E2);
  expect(await a.next('behind', ({ node }) => node === B)).toMatchObject({ group: G });
});

test('messages arrive once, though they travel on every link', async () => {
  const [a, b] = await three();
  for (let i = 0; i < 20; i += 1) a.send({ type: 'send', to: B, body: { i } });
  await b.next('message', (m) => (m.body as { i: number }).i === 19);
  await b.next('meters');
  a.send({ type: 'send', to: A, body: 'myself' });
  expect(await a.next('message')).toMatchObject({ from: A, body: 'myself' });
  expect(b.received.filter((m) => m.type === 'message')).toEqual([]);
});

test('strangers, other keys and garbage are counted and change nothing', async () => {
  const [a] = (await startOwned(A, B)) as [HeartNode, HeartNode];
  const options = { cluster: 'test', self: B, boot: newBoot(), peers: [A] };
  const guard = new PacketGuard({ ...options, key: Buffer.alloc(32, 1) });
  const beat = must(guard.seal(A, { kind: 'heartbeat', round: 1, claims: [], hearsOn: [] }), 'ok');
  // From a stranger's address, and from the address of b itself, at another port.
  for (const from of ['127.0.100.77', '127.0.100.2']) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => {
      socket.bind(0, from, () => resolve());
    });
    for (const datagram of [beat, Buffer.from('garbage'), Buffer.alloc(0)]) {
      await new Promise((resolve) => socket.send(datagram, port, '127.0.100.1', resolve));
    }
    await new Promise<void>((resolve) => {
      socket.close(() => resolve());
    });
  }
  const { meters } = await a.next('meters', (m) => m.meters.forged > 0 && m.meters.unknown >= 3);
  expect(meters).toMatchObject({ forged: 1, unknown: 3, malformed: 2 });
  expect(a.marked(E1)).toBe(true);
  expect(meters.links.every((link) => link.received > 0 && link.sent > 0)).toBe(true);
});

test('a second control is turned away; nonsense on the socket ends that connection', async () => {
  const [a] = (await startOwned(A, B)) as [HeartNode, HeartNode];
  let closed = 0;
  for (const hello of [
    { type: 'hello', role: 'control', name: 'control', pid: 1 },
    { type: 'claim', group: 5 },
    { type: 'claim', group: G, epoch: 9 },
  ]) {
    const other = connectLines<FromHeart, object>({
      path: join(a.setup.runDir, 'heart.sock'),
      log,
      onOpen: (client) => client.send(hello),
      onMessage: () => undefined,
      onClose: (client) => {
        closed += 1;
        client.close();
      },
    });
    const before = closed;
    await until(() => closed > before, 'turned away');
    other.close();
  }
  expect(a.marked(E1)).toBe(true);
});

test('SIGTERM gives everything up and leaves no socket behind', async () => {
  const [a] = (await startOwned(A, B)) as [HeartNode, HeartNode];
  const code = new Promise((resolve) => a.process.once('exit', resolve));
  a.process.kill('SIGTERM');
  expect(await code).toBe(0);
  for (const left of ['heart.sock', join('lease', G)]) {
    expect(existsSync(join(a.setup.runDir, left))).toBe(false);
  }
});
