/** UDP links in a network namespace of this test process: addresses that come late and go. */
import { execFileSync } from 'node:child_process';
import koffi from 'koffi';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { LinkId, NodeId } from '../../protocol/ids.ts';
import { createLog } from '../log.ts';
import { UdpLinks } from './udp-links.ts';

const CLONE_NEWNET = 0x40000000;
const PORT = 7800;
const WAIT_MS = 10_000;
const [A, B] = ['a', 'b'] as NodeId[] as [NodeId, NodeId];
const LAN = 'lan' as LinkId;
const ip = (args: string): string => execFileSync('ip', args.split(' '), { encoding: 'utf8' });
const log = createLog({ name: 'test', level: 'silent' });
let open: UdpLinks[] = [];

beforeAll(() => {
  const unshare = koffi.load(null).func('unshare', 'int', ['int']) as unknown as (
    flags: number,
  ) => number;
  expect(unshare(CLONE_NEWNET)).toBe(0);
  ip('link set lo up');
});
afterEach(() => {
  for (const links of open) links.close();
  open = [];
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface End {
  readonly links: UdpLinks;
  readonly got: { readonly text: string; readonly from: NodeId | undefined }[];
}

function end(self: string, peer: NodeId, peerAddress: string): End {
  const got: End['got'] = [];
  const links = new UdpLinks({
    port: PORT,
    links: [{ id: LAN, address: self, peers: new Map([[peer, peerAddress]]) }],
    log,
    onDatagram: (_link, datagram, from) => {
      got.push({ text: Buffer.from(datagram).toString(), from });
    },
  });
  open.push(links);
  return { links, got };
}

/** Sends until one arrives. */
async function reaches(from: End, to: NodeId, target: End, text: string): Promise<void> {
  await until(() => {
    from.links.send(LAN, to, Buffer.from(text));
    return target.got.some((item) => item.text === text);
  }, `${text} arrives`);
}

test.each([
  ['IPv4', '192.0.2.1', '192.0.2.2', 32],
  ['IPv6', '2001:db8::1', '2001:0db8:0::2', 128],
])('%s: an address that comes late, goes and comes back', async (_, one, two, prefix) => {
  const family = one.includes(':') ? '-6 ' : '';
  const option = family === '' ? '' : ' nodad';
  ip(`${family}addr add ${two}/${prefix} dev lo${option}`);
  const a = end(one, B, two);
  const b = end(two, A, one);
  await until(() => (a.links.meters[0]?.sendErrors ?? 0) > 0, 'the first attempt to bind fails');
  ip(`${family}addr add ${one}/${prefix} dev lo${option}`);
  await reaches(a, B, b, 'late');
  expect(b.got[0]?.from).toBe(A);
  ip(`${family}addr del ${one}/${prefix} dev lo`);
  a.links.send(LAN, B, Buffer.from('lost'));
  ip(`${family}addr add ${one}/${prefix} dev lo${option}`);
  await reaches(a, B, b, 'back');
  await reaches(b, A, a, 'answer');
});

test('nobody there, no route: counted, not fatal', async () => {
  ip('addr add 192.0.3.1/32 dev lo');
  const a = end('192.0.3.1', B, '203.0.113.1');
  await until(() => {
    a.links.send(LAN, B, Buffer.from('x'));
    return /ENETUNREACH/u.test(a.links.meters[0]?.lastError ?? '');
  }, 'the error is counted');
  a.links.send('none' as LinkId, B, Buffer.from('x'));
  a.links.send(LAN, 'c' as NodeId, Buffer.from('x'));
});

test('an interface that goes down and comes back', async () => {
  ip('link add va type veth peer name vb');
  ip('addr add 192.0.4.1/24 dev va');
  ip('link set va up');
  ip('link set vb up');
  ip('addr add 192.0.4.2/32 dev lo');
  const a = end('192.0.4.1', B, '192.0.4.2');
  const b = end('192.0.4.2', A, '192.0.4.1');
  await reaches(a, B, b, 'before');
  ip('link set va down');
  a.links.send(LAN, B, Buffer.from('meanwhile'));
  ip('link set va up');
  await reaches(a, B, b, 'after');
});
