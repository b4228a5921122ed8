/**
 * Two hearts in network namespaces with a cable and a LAN between them: virtual addresses on the
 * real kernel, the carrier as a sign of death, IPv4 and IPv6.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { G, HeartNode, until } from '../../test/heart/heart-node.ts';
import { must } from '../base/assert.ts';
import type { NodeSetup, VirtualIpConfig } from '../protocol/config.ts';
import type { WantedAddress } from '../protocol/heart-ipc.ts';
import type { Epoch, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';

const [A, B] = ['a', 'b'] as NodeId[] as [NodeId, NodeId];
const [LAN, CABLE] = ['lan', 'cable'] as LinkId[] as [LinkId, LinkId];
const E1 = 1 as Epoch;
const LIFE_SECONDS = 3;
const ip = (args: string): string => execFileSync('ip', args.split(' '), { encoding: 'utf8' });
const namespaceOf = (id: NodeId): string => `tako-heart-${process.pid}-${id}`;
const VIPS: readonly WantedAddress[] = [
  { resource: 'v4' as ResourceId, address: '192.0.2.100', prefixLength: 24, family: 4, link: LAN },
  {
    resource: 'v6' as ResourceId,
    address: '2001:db8::100',
    prefixLength: 64,
    family: 6,
    link: LAN,
  },
];

let dir = '';
let nodes: HeartNode[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tako-heart-'));
  writeFileSync(join(dir, 'key'), Buffer.alloc(32, 9).toString('base64'), { mode: 0o600 });
  for (const id of [A, B]) {
    ip(`netns add ${namespaceOf(id)}`);
    ip(`-n ${namespaceOf(id)} link set lo up`);
  }
  for (const link of [LAN, CABLE]) {
    ip(
      `link add ${link} netns ${namespaceOf(A)} type veth peer name ${link} netns ${namespaceOf(B)}`,
    );
  }
  [A, B].forEach((id, i) => {
    const inside = `-n ${namespaceOf(id)}`;
    ip(`${inside} addr add 192.0.2.${i + 1}/24 dev ${LAN}`);
    ip(`${inside} -6 addr add 2001:db8:1::${i + 1}/64 dev ${CABLE} nodad`);
    for (const link of [LAN, CABLE]) ip(`${inside} link set ${link} up`);
  });
});
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.end()));
  nodes = [];
  const there = ip('netns list');
  for (const id of [A, B]) {
    if (there.includes(namespaceOf(id))) ip(`netns del ${namespaceOf(id)}`);
  }
  rmSync(dir, { recursive: true, force: true });
});

/** Both hear each other; `a` has the lease and wants its addresses. */
async function start(): Promise<[HeartNode, HeartNode]> {
  nodes = [A, B].map((id) => {
    const prefix = ['ip', 'netns', 'exec', namespaceOf(id)];
    return new HeartNode(id, setupOf(id), prefix);
  });
  const [a, b] = nodes as [HeartNode, HeartNode];
  await Promise.all([a.hears(B), b.hears(A)]);
  for (const node of nodes) node.records(A, E1);
  await claim(a);
  return [a, b];
}

async function claim(a: HeartNode): Promise<void> {
  a.claim(E1);
  a.send({ type: 'addresses', group: G, epoch: E1, addresses: VIPS });
  for (const { resource } of VIPS) {
    await a.next('address', (m) => m.resource === resource && m.state === 'held');
  }
}

function setupOf(node: NodeId): NodeSetup {
  const common = { after: [], monitorMs: 1000, startTimeoutMs: 1000, stopTimeoutMs: 1000 };
  const watch = { monitorTimeoutMs: 1000, deepMonitor: undefined, unknownLimit: 3 };
  const policy = { restarts: { limit: 1, windowMs: 1000 }, onFailure: 'failover' as const };
  return {
    node,
    runDir: join(dir, node),
    stateDir: join(dir, `${node}-state`),
    configFile: 'none',
    config: {
      cluster: 'test',
      keyFile: join(dir, 'key'),
      basePort: 7800,
      timing: {
        heartbeatMs: 50,
        leaseMs: 300,
        nodeLostMs: 1000,
        secondaryLostMs: 400,
        clockDrift: 0.01,
        addressLifeSeconds: LIFE_SECONDS,
        suspendGraceMs: 10_000,
      },
      links: [
        { id: CABLE, kind: 'udp', direct: true },
        { id: LAN, kind: 'udp', direct: false },
      ],
      nodes: [A, B].map((id, i) => ({
        id,
        addresses: { [LAN]: `192.0.2.${i + 1}`, [CABLE]: `2001:db8:1::${i + 1}` },
      })),
      witness: undefined,
      groups: [
        {
          id: G,
          nodes: [A, B],
          failback: { policy: 'never' },
          resources: VIPS.map(({ resource, ...address }): VirtualIpConfig => ({
            ...common,
            ...watch,
            ...policy,
            id: resource,
            agent: 'virtual-ip',
            ...address,
          })),
        },
      ],
    },
  };
}

/** Which of the virtual addresses the kernel of a node has. */
function addresses(id: NodeId): readonly string[] {
  const shown = ip(`-n ${namespaceOf(id)} addr show dev ${LAN}`);
  return VIPS.map((vip) => vip.address).filter((address) => shown.includes(` ${address}/`));
}

const all = VIPS.map((vip) => vip.address);

test('held with a life of seconds, renewed, and dropped at the release', async () => {
  const [a] = await start();
  expect(addresses(A)).toEqual(all);
  await new Promise((resolve) => setTimeout(resolve, (LIFE_SECONDS + 1.5) * 1000));
  expect(addresses(A)).toEqual(all);
  expect(ip(`-n ${namespaceOf(A)} addr show dev ${LAN}`)).toMatch(
    /192\.0\.2\.100\/24[^\n]*\n\s+valid_lft [23]sec/u,
  );
  a.send({ type: 'release', group: G });
  await a.next('address', (m) => m.resource === VIPS[1]?.resource && m.state === 'withdrawn');
  expect(addresses(A)).toEqual([]);
});

test('neighbours learn at once where the address is', async () => {
  ip(`-n ${namespaceOf(B)} neigh add 192.0.2.100 lladdr 02:00:00:00:00:01 nud stale dev ${LAN}`);
  await start();
  const link = ip(`-n ${namespaceOf(A)} link show dev ${LAN}`);
  const mac = must(/link\/ether (\S+)/u.exec(link)?.[1], 'a veth has an address');
  await until(
    () => ip(`-n ${namespaceOf(B)} neigh show to 192.0.2.100`).includes(mac),
    'the neighbour knows',
  );
});

test('the peer loses power: lost within a lease of the last packet, by the carrier', async () => {
  const [a, b] = await start();
  await b.kill();
  ip(`netns del ${namespaceOf(B)}`);
  const { peers } = await a.next('peers', (m) => m.peers[0]?.state === 'lost');
  const peer = must(peers[0], 'there is one');
  expect(peer.reason).toMatch(
    /^silent on cable, lan for 0\.\d\d s, and the carrier of cable is gone$/u,
  );
});

test('a cut cable alone is no loss', async () => {
  const [a] = await start();
  ip(`-n ${namespaceOf(B)} link set ${CABLE} down`);
  const { peers } = await a.next('peers', (m) =>
    Boolean(m.peers[0]?.links.some((link) => link.link === CABLE && link.state === 'lost')),
  );
  expect(peers[0]).toMatchObject({ state: 'up', reason: 'heard on lan, silent on cable' });
  expect(peers[0]?.links[0]?.carrier).toBe(false);
  ip(`-n ${namespaceOf(B)} link set ${CABLE} up`);
  ip(`-n ${namespaceOf(B)} -6 addr add 2001:db8:1::2/64 dev ${CABLE} nodad`);
  await a.next('peers', (m) => Boolean(m.peers[0]?.links.every((link) => link.state === 'up')));
  expect(addresses(A)).toEqual(all);
});

test.each(['SIGSTOP', 'SIGKILL'] as const)('%s: the kernel drops the addresses', async (signal) => {
  const [a] = await start();
  a.process.kill(signal);
  const start0 = performance.now();
  await until(() => addresses(A).length === 0, 'the addresses are gone');
  expect(performance.now() - start0).toBeLessThan((LIFE_SECONDS + 1.5) * 1000);
  if (signal === 'SIGKILL') return;
  a.process.kill('SIGCONT');
  await until(() => addresses(A).length === all.length, 'the addresses are back');
});

test('what somebody else removes is put back, and reported', async () => {
  const [a] = await start();
  ip(`-n ${namespaceOf(A)} addr del 192.0.2.100/24 dev ${LAN}`);
  const news = await a.next('address', (m) => m.detail.includes('removed by somebody else'));
  expect(news.state).toBe('held');
  expect(addresses(A)).toEqual(all);
});

test('a heart that is started again removes what it does not hold again', async () => {
  const [a] = await start();
  // Without end, as a stranger might have left it.
  ip(`-n ${namespaceOf(A)} addr add 192.0.2.100/32 dev ${LAN}`);
  ip(`-n ${namespaceOf(A)} addr change 192.0.2.100/24 dev ${LAN}`);
  await a.kill();
  a.restart();
  await a.next('welcome');
  await until(() => addresses(A).length === 0, 'removed');
});

test("a link without this node's address: said, and healed", async () => {
  const [a] = await start();
  a.send({ type: 'release', group: G });
  await a.next('address', (m) => m.state === 'withdrawn');
  ip(`-n ${namespaceOf(A)} addr del 192.0.2.1/24 dev ${LAN}`);
  a.claim(E1);
  a.send({ type: 'addresses', group: G, epoch: E1, addresses: VIPS });
  const failed = await a.next('address', (m) => m.state === 'failed');
  expect(failed.detail).toBe("no network interface has this node's address on lan (192.0.2.1)");
  ip(`-n ${namespaceOf(A)} addr add 192.0.2.1/24 dev ${LAN}`);
  await a.next('address', (m) => m.state === 'held');
});
