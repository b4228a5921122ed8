/**
 * Frames that tell the neighbours on a network where an address is now: gratuitous ARP (RFC 5227,
 * section 3; both as request and as reply, since switches and hosts differ in what they heed) and the
 * unsolicited neighbour advertisement of IPv6 (RFC 4861, section 7.2.6).
 */
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;
const NEXT_HEADER_ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
const FLAG_OVERRIDE = 0x20;
const OPTION_TARGET_LINK_ADDRESS = 2;
const ADVERTISEMENT_BYTES = 32;
const BROADCAST = Buffer.from('ffffffffffff', 'hex');
const ALL_NODES_HARDWARE = Buffer.from('333300000001', 'hex');
const ALL_NODES = Buffer.from('ff020000000000000000000000000001', 'hex');

/** `address` has 4 bytes, `hardware` 6. */
export function gratuitousArps(address: Uint8Array, hardware: Uint8Array): readonly Buffer[] {
  return [ARP_REQUEST, ARP_REPLY].map((operation) => {
    const arp = Buffer.alloc(28);
    arp.writeUInt16BE(1, 0);
    arp.writeUInt16BE(0x0800, 2);
    arp.writeUInt8(6, 4);
    arp.writeUInt8(4, 5);
    arp.writeUInt16BE(operation, 6);
    arp.set(hardware, 8);
    arp.set(address, 14);
    if (operation === ARP_REPLY) arp.set(BROADCAST, 18);
    arp.set(address, 24);
    return ethernet(BROADCAST, hardware, ETHERTYPE_ARP, arp);
  });
}

/** `address` has 16 bytes, `hardware` 6. */
export function neighbourAdvertisement(address: Uint8Array, hardware: Uint8Array): Buffer {
  const icmp = Buffer.alloc(ADVERTISEMENT_BYTES);
  icmp.writeUInt8(NEIGHBOUR_ADVERTISEMENT, 0);
  icmp.writeUInt8(FLAG_OVERRIDE, 4);
  icmp.set(address, 8);
  icmp.writeUInt8(OPTION_TARGET_LINK_ADDRESS, 24);
  icmp.writeUInt8(1, 25);
  icmp.set(hardware, 26);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(icmp.length, 0);
  pseudo.writeUInt8(NEXT_HEADER_ICMPV6, 7);
  icmp.writeUInt16BE(checksum(Buffer.concat([address, ALL_NODES, pseudo, icmp])), 2);
  const ip = Buffer.alloc(8);
  ip.writeUInt8(0x60, 0);
  ip.writeUInt16BE(icmp.length, 4);
  ip.writeUInt8(NEXT_HEADER_ICMPV6, 6);
  ip.writeUInt8(255, 7);
  const packet = Buffer.concat([ip, address, ALL_NODES, icmp]);
  return ethernet(ALL_NODES_HARDWARE, hardware, ETHERTYPE_IPV6, packet);
}

function ethernet(to: Uint8Array, from: Uint8Array, type: number, payload: Buffer): Buffer {
  const kind = Buffer.alloc(2);
  kind.writeUInt16BE(type, 0);
  return Buffer.concat([to, from, kind, payload]);
}

/** The Internet checksum (RFC 1071) of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
