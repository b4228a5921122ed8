/**
 * Netlink and announcements on the real kernel, in a network namespace that this test process
 * enters and that vanishes with it.
 */
import { execFileSync } from 'node:child_process';
import koffi from 'koffi';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { must } from '../../base/assert.ts';
import { Announcer } from '../neighbour/announcer.ts';
import { parseAddress } from '../ip-address.ts';
import { AF_PACKET, closeSocket, openSocket, receive, waitReadable } from '../raw-socket.ts';
import { Netlink } from './netlink.ts';

const CLONE_NEWNET = 0x40000000;
const ETH_P_ALL_BIG_ENDIAN = 0x0300;
const FOREVER = { valid: 0xffffffff, preferred: 0xffffffff };
const ip = (args: string): string => execFileSync('ip', args.split(' '), { encoding: 'utf8' });

let netlink: Netlink;

beforeAll(() => {
  const unshare = koffi.load(null).func('unshare', 'int', ['int']) as unknown as (
    flags: number,
  ) => number;
  expect(unshare(CLONE_NEWNET)).toBe(0);
  ip('link set lo up');
  ip('link add va type veth peer name vb');
  ip('addr add 192.0.2.1/24 dev va');
  ip('-6 addr add 2001:db8::1/64 dev va nodad');
  ip('link set va up');
  ip('link set vb up');
  netlink = new Netlink();
});
afterAll(() => netlink.close());
beforeEach(() => {
  netlink.poll();
});

/** The index of the interface that has the link's address. */
function index(): number {
  return must(netlink.interfaceOf('192.0.2.1'), 'beforeAll added it').index;
}

async function waitFor(condition: () => boolean, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!condition()) {
    const waited = performance.now() - start;
    if (waited > limitMs) throw new Error(`not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - start;
}

test('finds the interface of an address, in any spelling', () => {
  expect(netlink.interfaceOf('192.0.2.1')).toMatchObject({ name: 'va', carrier: true });
  expect(netlink.interfaceOf('2001:0db8::0001')).toMatchObject({ name: 'va' });
  expect(netlink.interfaceOf('192.0.2.99')).toBeUndefined();
  expect(netlink.interfaceOf('127.0.0.1')?.name).toBe('lo');
});

test('notices within 30 ms that the carrier goes and comes back', async () => {
  const va = index();
  execFileSync('ip', ['link', 'set', 'vb', 'down']);
  const lost = await waitFor(() => (netlink.poll(), netlink.link(va)?.carrier === false), 1000);
  execFileSync('ip', ['link', 'set', 'vb', 'up']);
  await waitFor(() => (netlink.poll(), netlink.link(va)?.carrier === true), 2000);
  expect(lost).toBeLessThan(30);
});

test('notices addresses that come and go', () => {
  ip('addr add 192.0.2.7/24 dev va');
  expect(netlink.poll()).toBe(true);
  expect(netlink.placesOf('192.0.2.7')).toEqual([
    { address: '192.0.2.7', prefixLength: 24, index: index() },
  ]);
  ip('addr del 192.0.2.7/24 dev va');
  netlink.poll();
  expect(netlink.placesOf('192.0.2.7')).toEqual([]);
});

test.each(['198.51.100.9', '2001:db8::9'])('adds, renews and drops %s', (address) => {
  const place = { address, prefixLength: address.includes(':') ? 64 : 24, index: index() };
  expect(netlink.hold(place, { valid: 3, preferred: 3 })).toBe('added');
  expect(netlink.hold(place, { valid: 100, preferred: 100 })).toBe('renewed');
  const shown = ip('addr show dev va scope global');
  expect(shown).toContain(address);
  expect(shown).toMatch(/valid_lft (?:100|99)sec/u);
  expect(shown).not.toContain('tentative');
  expect(netlink.drop(place)).toBe(true);
  expect(netlink.drop(place)).toBe(false);
  expect(ip('addr show dev va')).not.toContain(address);
});

test.each(['198.51.100.10', '2001:db8::10'])('the kernel drops %s by itself', async (address) => {
  const place = { address, prefixLength: address.includes(':') ? 64 : 24, index: index() };
  netlink.hold(place, { valid: 1, preferred: 1 });
  await waitFor(() => (netlink.poll(), netlink.placesOf(address).length === 1), 400);
  const gone = await waitFor(
    () => (netlink.poll(), netlink.placesOf(address).length === 0),
    10_000,
  );
  expect(gone).toBeGreaterThan(500);
  expect(gone).toBeLessThan(2500);
});

test('errors have the name that the kernel gave them', () => {
  const place = { address: '198.51.100.11', prefixLength: 24, index: 9999 };
  expect(() => netlink.hold(place, FOREVER)).toThrow('Cannot add address 198.51.100.11/24: ENODEV');
  expect(netlink.drop(place)).toBe(false);
});

test('an interface that vanishes is known to be gone', () => {
  ip('link add gone type veth peer name gone2');
  ip('addr add 203.0.113.1/24 dev gone');
  netlink.poll();
  expect(netlink.interfaceOf('203.0.113.1')?.name).toBe('gone');
  ip('link del gone');
  netlink.poll();
  expect(netlink.interfaceOf('203.0.113.1')).toBeUndefined();
});

test('a bridge that loses a port is not mistaken for a lost link', () => {
  ip('link add name br0 type bridge');
  ip('link add port type veth peer name port2');
  ip('link set port master br0');
  netlink.poll();
  ip('addr add 203.0.113.5/24 dev port');
  ip('link set port nomaster');
  netlink.poll();
  expect(netlink.interfaceOf('203.0.113.5')?.name).toBe('port');
});

test('a lot of notices at once lose nothing', () => {
  for (let i = 1; i <= 200; i += 1) ip(`addr add 10.9.${i}.1/24 dev va`);
  netlink.poll();
  netlink.poll();
  netlink.poll();
  netlink.poll();
  expect(netlink.interfaceOf('10.9.200.1')?.name).toBe('va');
});

test('looking when nothing is there costs microseconds', () => {
  const start = performance.now();
  for (let i = 0; i < 1000; i += 1) netlink.poll();
  expect((performance.now() - start) / 1000).toBeLessThan(0.1);
});

test('announcements reach the other end of the wire', () => {
  const sniffer = openSocket(AF_PACKET, ETH_P_ALL_BIG_ENDIAN);
  const announcer = new Announcer();
  const va = must(netlink.link(index()), 'it is there');
  const from = { index: va.index, hardwareAddress: va.hardwareAddress };
  expect(announcer.announce('192.0.2.50', from)).toBeUndefined();
  expect(announcer.announce('2001:db8::50', from)).toBeUndefined();
  const frames: string[] = [];
  const buffer = Buffer.alloc(2048);
  while (waitReadable(sniffer, 300) > 0) {
    const size = receive(sniffer, buffer);
    if (size > 0) frames.push(buffer.subarray(0, size).toString('hex'));
  }
  const mac = va.hardwareAddress.toString('hex');
  const v4 = parseAddress('192.0.2.50').bytes.toString('hex');
  const v6 = parseAddress('2001:db8::50').bytes.toString('hex');
  expect(frames).toContain(`ffffffffffff${mac}08060001080006040001${mac}${v4}000000000000${v4}`);
  expect(
    frames.some((frame) => frame.startsWith(`ffffffffffff${mac}0806000108000604000${2}`)),
  ).toBe(true);
  expect(
    frames.some((frame) => frame.startsWith('333300000001') && frame.includes(`${v6}0201${mac}`)),
  ).toBe(true);
  closeSocket(sniffer);
  announcer.close();
});

test('an advertisement is believed by the neighbour', async () => {
  const announcer = new Announcer();
  ip('netns add tako-nb-test');
  try {
    ip('link add pa type veth peer name pb');
    ip('link set pb netns tako-nb-test');
    ip('addr add 192.0.3.1/24 dev pa');
    ip('-6 addr add 2001:db8:3::1/64 dev pa nodad');
    ip('link set pa up');
    ip('-n tako-nb-test addr add 192.0.3.2/24 dev pb');
    ip('-n tako-nb-test -6 addr add 2001:db8:3::2/64 dev pb nodad');
    ip('-n tako-nb-test link set pb up');
    for (const [family, address] of [
      ['-4', '192.0.3.77'],
      ['-6', '2001:db8:3::77'],
    ] as const) {
      ip(
        `-n tako-nb-test ${family} neigh add ${address} lladdr 02:00:00:00:00:01 nud stale dev pb`,
      );
    }
    netlink.poll();
    const pa = must(netlink.interfaceOf('192.0.3.1'), 'added above');
    await waitFor(() => (netlink.poll(), netlink.link(pa.index)?.carrier === true), 2000);
    const mac = (pa.hardwareAddress.toString('hex').match(/../gu) ?? []).join(':');
    const neighbours = (): string => ip('-n tako-nb-test neigh show dev pb');
    await waitFor(() => {
      announcer.announce('192.0.3.77', pa);
      announcer.announce('2001:db8:3::77', pa);
      return new RegExp(`192\\.0\\.3\\.77 lladdr ${mac}[^]*2001:db8:3::77 lladdr ${mac}`, 'u').test(
        neighbours(),
      );
    }, 3000);
  } finally {
    ip('netns del tako-nb-test');
    announcer.close();
  }
});
