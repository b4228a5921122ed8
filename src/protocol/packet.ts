/**
 * Datagrams between hearts: the header that travels in the clear, and the bodies that travel
 * encrypted behind it. Pure; `src/adapters/crypto` encrypts and judges freshness.
 *
 *     header:  0  u32  magic 'TAKO'    4  u8  version    5  u8  length n of the sender's name
 *              6  16 bytes  boot id of the sender       22  u64  counter, never twice per boot
 *             30  n bytes  name of the sender, ASCII
 *     then AES-256-GCM (the header is authenticated too) of:
 *              0  16 bytes  boot id of the receiver, as the sender knows it; zero: unknown
 *             16  the body as JSON
 *     then the tag of 16 bytes.
 *
 * The version is that of header and encryption. What the bodies may say is agreed upon by the ranges
 * in the hellos, whose form therefore never changes.
 *
 * Decoders take anything and return undefined for what is not well-formed; they never throw.
 */
import type { BootId, Epoch, GroupId, LinkId, NodeId, SeatId } from './ids.ts';
import { type VersionRange, readRange } from './versions.ts';

export const PACKET_VERSION = 1;
/** Largest datagram; bounds the `message` bodies. */
export const PACKET_BYTES_MAX = 16 * 1024;
export const BOOT_BYTES = 16;
export const TAG_BYTES = 16;
/** Nobody may ask for a promise that binds longer. */
export const TERM_MS_MAX = 120_000;
/** Claims, promises and links in one packet. */
export const PACKET_LIST_MAX = 128;

const MAGIC = 0x54414b4f;
const HEADER_FIXED_BYTES = 30;
const TOKEN = /^[0-9a-f]{16}$/u;
const NAME = /^[\x21-\x7e]{1,63}$/u;

export interface PacketHeader {
  readonly sender: NodeId;
  readonly boot: BootId;
  readonly counter: number;
}

export interface Claim {
  readonly group: GroupId;
  readonly epoch: Epoch;
}

export interface HelloBody {
  readonly kind: 'hello';
  /** To be sent back by the receiver, to prove that it lives; undefined: no proof is needed. */
  readonly challenge: string | undefined;
  /** The challenge that the receiver had sent. */
  readonly echo: string | undefined;
  /** The versions of the cluster protocol that the sender speaks; undefined: the first one. */
  readonly speaks?: VersionRange | undefined;
}

export interface HeartbeatBody {
  readonly kind: 'heartbeat';
  /** Grows with every round of heartbeats of this boot. */
  readonly round: number;
  /** Groups for which the sender seeks or renews the lease: all of them, each time. */
  readonly claims: readonly Claim[];
  /** Links on which the sender hears at least one other member. */
  readonly hearsOn: readonly LinkId[];
  /** Claimed groups whose lease the sender does not hold; versions before this one do not tell. */
  readonly without?: readonly GroupId[] | undefined;
  /**
   * So long at least a promise in the answer must bind: the lease that the sender counts on, and
   * what clocks may differ. Undefined: as long as the voter's own settings say.
   */
  readonly termMs?: number | undefined;
}

export interface AnswerBody {
  readonly kind: 'answer';
  readonly round: number;
  /** The memory of the sender's acceptor; undefined as long as the heart does not know it. */
  readonly seat: SeatId | undefined;
  /** Claims of that round that the sender, as a voter, promises to uphold. */
  readonly promises: readonly Claim[];
  /** Claimed groups for which the voter has an older record than claimed, or none. */
  readonly behind: readonly GroupId[];
  /** Claimed groups that have a newer epoch in the voter's record. */
  readonly ahead: readonly Claim[];
}

export interface MessageBody {
  readonly kind: 'message';
  /** Grows with every message of this boot; copies on several links have the same. */
  readonly id: number;
  readonly body: unknown;
}

export type PacketBody = HelloBody | HeartbeatBody | AnswerBody | MessageBody;

export function encodeHeader(header: PacketHeader): Uint8Array {
  const name = header.sender;
  const bytes = new Uint8Array(HEADER_FIXED_BYTES + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint8(4, PACKET_VERSION);
  view.setUint8(5, name.length);
  bytes.set(bootBytes(header.boot), 6);
  view.setBigUint64(22, BigInt(header.counter));
  for (let i = 0; i < name.length; i += 1) bytes[HEADER_FIXED_BYTES + i] = name.charCodeAt(i);
  return bytes;
}

/** The header and its length; the rest of the datagram is the encrypted part and the tag. */
export function decodeHeader(
  datagram: Uint8Array,
): { readonly header: PacketHeader; readonly length: number } | undefined {
  if (datagram.length > PACKET_BYTES_MAX || datagram.length < HEADER_FIXED_BYTES) return undefined;
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (view.getUint32(0) !== MAGIC || view.getUint8(4) !== PACKET_VERSION) return undefined;
  const length = HEADER_FIXED_BYTES + view.getUint8(5);
  if (datagram.length < length + BOOT_BYTES + TAG_BYTES) return undefined;
  const counter = Number(view.getBigUint64(22));
  if (!Number.isSafeInteger(counter) || counter < 1) return undefined;
  const sender = String.fromCharCode(...datagram.subarray(HEADER_FIXED_BYTES, length));
  if (!NAME.test(sender)) return undefined;
  const boot = bootFromBytes(datagram.subarray(6, 6 + BOOT_BYTES));
  return { header: { sender: sender as NodeId, boot, counter }, length };
}

export function bootBytes(boot: BootId): Uint8Array {
  const bytes = new Uint8Array(BOOT_BYTES);
  for (let i = 0; i < BOOT_BYTES; i += 1) {
    bytes[i] = Number.parseInt(boot.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

export function bootFromBytes(bytes: Uint8Array): BootId {
  let text = '';
  for (let i = 0; i < BOOT_BYTES; i += 1) text += (bytes[i] ?? 0).toString(16).padStart(2, '0');
  return text as BootId;
}

export function encodeBody(body: PacketBody): string {
  return JSON.stringify(body);
}

export function decodeBody(text: string): PacketBody | undefined {
  const value = parse(text);
  if (!isObject(value)) return undefined;
  switch (value['kind']) {
    case 'hello':
      return decodeHello(value);
    case 'heartbeat':
      return decodeHeartbeat(value);
    case 'answer':
      return decodeAnswer(value);
    case 'message':
      return isCount(value['id'])
        ? { kind: 'message', id: value['id'], body: value['body'] }
        : undefined;
    default:
      return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function decodeHello(value: Fields): HelloBody | undefined {
  const { challenge, echo } = value;
  if (!isToken(challenge) || !isToken(echo)) return undefined;
  if (value['speaks'] === undefined) return { kind: 'hello', challenge, echo };
  const speaks = readRange(value['speaks']);
  return speaks === undefined ? undefined : { kind: 'hello', challenge, echo, speaks };
}

function decodeHeartbeat(value: Fields): HeartbeatBody | undefined {
  const { round } = value;
  const claims = claimsOf(value['claims']);
  const hearsOn = namesOf<LinkId>(value['hearsOn']);
  if (!isCount(round) || claims === undefined || hearsOn === undefined) return undefined;
  const { termMs } = value;
  const without = namesOf<GroupId>(value['without'] ?? []);
  if (without === undefined || !(termMs === undefined || isTerm(termMs))) return undefined;
  const told = value['without'] === undefined ? undefined : without;
  return { kind: 'heartbeat', round, claims, hearsOn, without: told, termMs };
}

function decodeAnswer(value: Fields): AnswerBody | undefined {
  const { round } = value;
  const promises = claimsOf(value['promises']);
  const behind = namesOf<GroupId>(value['behind']);
  const ahead = claimsOf(value['ahead']);
  const { seat } = value;
  if (!isCount(round) || !promises || !behind || !ahead) return undefined;
  if (seat !== undefined && !isName(seat)) return undefined;
  return { kind: 'answer', round, seat: seat as SeatId | undefined, promises, behind, ahead };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller counts it as malformed.
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTerm(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= TERM_MS_MAX;
}

function isToken(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && TOKEN.test(value));
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME.test(value);
}

function namesOf<Name extends string>(value: unknown): readonly Name[] | undefined {
  if (!Array.isArray(value) || value.length > PACKET_LIST_MAX) return undefined;
  return value.every(isName) ? (value as Name[]) : undefined;
}

function claimsOf(value: unknown): readonly Claim[] | undefined {
  if (!Array.isArray(value) || value.length > PACKET_LIST_MAX) return undefined;
  const claims: Claim[] = [];
  for (const item of value as unknown[]) {
    if (!isObject(item) || !isName(item['group']) || !isCount(item['epoch'])) return undefined;
    claims.push({ group: item['group'] as GroupId, epoch: item['epoch'] as Epoch });
  }
  return claims;
}
