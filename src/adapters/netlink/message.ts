/**
 * rtnetlink messages (rtnetlink(7)): as much as is needed to know network interfaces and addresses,
 * and to add and remove addresses. Numbers are in the byte order of the host, taken for
 * little-endian: Tako runs on no other.
 */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

export const NLM_F_REQUEST = 1;
export const NLM_F_ACK = 4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;
export const NLM_F_DUMP_INTR = 0x10;

export const IFF_UP = 1;
export const IFF_LOWER_UP = 0x10000;

const AF_UNSPEC = 0;
const HEADER_BYTES = 16;
const LINK_BYTES = 16;
const ADDRESS_BYTES = 8;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  /** Administratively up, and with a carrier. */
  readonly carrier: boolean;
  readonly hardwareAddress: Buffer;
}

export interface AddressInfo {
  readonly index: number;
  readonly family: number;
  readonly prefixLength: number;
  /** 4 or 16 bytes. */
  readonly local: Buffer;
}

export interface AddressChange {
  readonly index: number;
  /** AF_INET or AF_INET6. */
  readonly family: number;
  readonly prefixLength: number;
  readonly local: Uint8Array;
  /** Seconds; undefined for a removal. */
  readonly life: { readonly valid: number; readonly preferred: number } | undefined;
}

export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(sequence, 8);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** What follows the header in a request for all links or addresses. */
export function dumpPayload(type: number): Buffer {
  return Buffer.alloc(type === RTM_GETLINK ? LINK_BYTES : ADDRESS_BYTES);
}

export function addressPayload(change: AddressChange): Buffer {
  const head = Buffer.alloc(ADDRESS_BYTES);
  head.writeUInt8(change.family, 0);
  head.writeUInt8(change.prefixLength, 1);
  head.writeUInt32LE(change.index, 4);
  const parts = [head, attribute(IFA_LOCAL, change.local), attribute(IFA_ADDRESS, change.local)];
  if (change.life !== undefined) {
    const life = Buffer.alloc(16);
    life.writeUInt32LE(change.life.preferred, 0);
    life.writeUInt32LE(change.life.valid, 4);
    const flags = Buffer.alloc(4);
    flags.writeUInt32LE(IFA_F_NODAD, 0);
    parts.push(attribute(IFA_CACHEINFO, life), attribute(IFA_FLAGS, flags));
  }
  return Buffer.concat(parts);
}

/** The messages of one read. Stops at the first that is not well-formed. */
export function decodeMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      sequence: bytes.readUInt32LE(at + 8),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The error number of an acknowledgement, 0 for success; undefined when it is none. */
export function errorOf(message: NetlinkMessage): number | undefined {
  if (message.type !== NLMSG_ERROR || message.payload.length < 4) return undefined;
  return -message.payload.readInt32LE(0);
}

/** Undefined also for what is said of a link by a bridge or by IPv6: that is another matter. */
export function decodeLink(message: NetlinkMessage): LinkInfo | undefined {
  const { payload } = message;
  if (payload.length < LINK_BYTES || payload.readUInt8(0) !== AF_UNSPEC) return undefined;
  const attributes = decodeAttributes(payload, LINK_BYTES);
  const flags = payload.readUInt32LE(8);
  const name = attributes.get(IFLA_IFNAME)?.toString('latin1').replace(/\0.*$/u, '') ?? '';
  return {
    index: payload.readInt32LE(4),
    name,
    carrier: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    hardwareAddress: Buffer.from(attributes.get(IFLA_ADDRESS) ?? []),
  };
}

export function decodeAddress(message: NetlinkMessage): AddressInfo | undefined {
  const { payload } = message;
  if (payload.length < ADDRESS_BYTES) return undefined;
  const attributes = decodeAttributes(payload, ADDRESS_BYTES);
  const local = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (local === undefined) return undefined;
  return {
    family: payload.readUInt8(0),
    prefixLength: payload.readUInt8(1),
    index: payload.readUInt32LE(4),
    local: Buffer.from(local),
  };
}

function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(aligned(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

function decodeAttributes(bytes: Buffer, from: number): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let at = from;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return attributes;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
