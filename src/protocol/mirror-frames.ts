/**
 * Frames between the mirror processes of two nodes, inside TLS. All have one shape:
 *
 *     0  u16  magic 'TK'      2  u8  version      3  u8  type
 *     4  u8   kind (entries)  5  u8  target       6  u16 zero
 *     8  f64  number: sequence number of an entry; for an ack, the last applied entry
 *    16  u32  length of the payload
 *    20  u32  CRC-32 of bytes 0 to 19, then of the payload
 *    24  ...  payload, then zeros up to a multiple of 8
 *
 * The primary connects. Conversation:
 *
 *     primary                                secondary
 *     hello {epoch, session, ...}      ->
 *                                      <-    hello {session, applied, copy, ...} or refused {why}
 *     start {mode, from} or refused    ->
 *     entry, entry, ...                ->    (applied in order)
 *                                      <-    ack (applied, stable), answer (resync), stored, failed
 *     keepalive                        <->   keepalive
 *
 * The version in the header is that of the frames' layout, common to all copies because they share one
 * ring; what else the ends may say follows from the ranges in both hellos.
 *
 * Entries lie in the primary's shared ring in exactly this form, so that sending is copying. The
 * ring ends a lap with {@link LAP_MAGIC} where a frame would start.
 */
import { type Decoded, decoding, Malformed } from './byte-codec.ts';
import type { Epoch, MirrorId, NodeId } from './ids.ts';
import { type VersionRange, readRange } from './versions.ts';

export const MIRROR_PROTOCOL_VERSION = 1;
export const FRAME_HEADER_BYTES = 24;
/** Longest payload: one change with its data. */
export const FRAME_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024 + 256 * 1024;
/** Longest payload of a frame that is not an entry or an answer of a resync. */
export const CONTROL_PAYLOAD_BYTES_MAX = 16 * 1024;
const MAGIC = 0x4b54;
export const LAP_MAGIC = 0xffff;
const CHECKED_BYTES = 20;
const REASON_CHARACTERS_MAX = 1000;

export const FRAME_TYPES = ['control', 'entry', 'ack', 'keepalive', 'answer'] as const;
export type FrameType = (typeof FRAME_TYPES)[number];

export const ENTRY_KINDS = ['none', 'change', 'resync', 'barrier', 'clean-barrier'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** CRC-32 as in zlib: `checksum(b, checksum(a))` is that of a followed by b. */
export type Checksum = (bytes: Uint8Array, previous?: number) => number;

export interface FrameHeader {
  readonly type: FrameType;
  readonly kind: EntryKind;
  /** Entries: 0 for every copy, otherwise a number that stands for one run of one copy's resync. */
  readonly target: number;
  readonly number: number;
  readonly payloadBytes: number;
}

export interface Frame extends FrameHeader {
  readonly payload: Uint8Array;
}

/** Bytes of a whole frame with such a payload. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + Math.ceil(payloadBytes / 8) * 8;
}

/**
 * Completes a frame whose payload lies already in `frame` behind the header; `frame` has exactly
 * {@link frameBytes} bytes.
 */
export function sealFrame(frame: Uint8Array, header: FrameHeader, checksum: Checksum): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  view.setUint16(0, MAGIC, true);
  view.setUint8(2, MIRROR_PROTOCOL_VERSION);
  view.setUint8(3, FRAME_TYPES.indexOf(header.type));
  view.setUint8(4, ENTRY_KINDS.indexOf(header.kind));
  view.setUint8(5, header.target);
  view.setUint16(6, 0, true);
  view.setFloat64(8, header.number, true);
  view.setUint32(16, header.payloadBytes, true);
  const end = FRAME_HEADER_BYTES + header.payloadBytes;
  view.setUint32(20, frameChecksum(frame, end, checksum), true);
  frame.fill(0, end);
}

function frameChecksum(frame: Uint8Array, end: number, checksum: Checksum): number {
  const head = checksum(frame.subarray(0, CHECKED_BYTES));
  return end === FRAME_HEADER_BYTES
    ? head
    : checksum(frame.subarray(FRAME_HEADER_BYTES, end), head);
}

/** A new frame with a payload that is copied. */
export function makeFrame(
  header: Omit<FrameHeader, 'payloadBytes'>,
  payload: Uint8Array,
  checksum: Checksum,
): Uint8Array {
  const frame = new Uint8Array(frameBytes(payload.length));
  frame.set(payload, FRAME_HEADER_BYTES);
  sealFrame(frame, { ...header, payloadBytes: payload.length }, checksum);
  return frame;
}

/** Reads a header, which says how long the frame is, before its payload is there. */
export function decodeHeader(bytes: Uint8Array): Decoded<FrameHeader> {
  return decoding('frame', () => {
    if (bytes.length < FRAME_HEADER_BYTES) throw new Malformed('shorter than its header');
    const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
    if (view.getUint16(0, true) !== MAGIC) throw new Malformed('no frame starts here');
    const version = view.getUint8(2);
    if (version !== MIRROR_PROTOCOL_VERSION) {
      throw new Malformed(`version ${version}, need ${MIRROR_PROTOCOL_VERSION}`);
    }
    const type = FRAME_TYPES[view.getUint8(3)];
    const kind = ENTRY_KINDS[view.getUint8(4)];
    if (type === undefined) throw new Malformed(`unknown type ${view.getUint8(3)}`);
    if (kind === undefined || (kind === 'none') === (type === 'entry')) {
      throw new Malformed(`unknown kind ${view.getUint8(4)}`);
    }
    const number = view.getFloat64(8, true);
    if (!Number.isSafeInteger(number) || number < 0) throw new Malformed('bad sequence number');
    const payloadBytes = view.getUint32(16, true);
    const limit =
      type === 'entry' || type === 'answer' ? FRAME_PAYLOAD_BYTES_MAX : CONTROL_PAYLOAD_BYTES_MAX;
    if (payloadBytes > limit) {
      throw new Malformed(`${payloadBytes} bytes announced, at most ${limit} expected`);
    }
    return { type, kind, target: view.getUint8(5), number, payloadBytes };
  });
}

/** A whole frame; its payload is a view into `bytes`. */
export function decodeFrame(bytes: Uint8Array, checksum: Checksum): Decoded<Frame> {
  const header = decodeHeader(bytes);
  if (!header.ok) return header;
  const end = FRAME_HEADER_BYTES + header.value.payloadBytes;
  if (bytes.length < frameBytes(header.value.payloadBytes)) {
    return { ok: false, reason: 'malformed frame: shorter than announced' };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES);
  if (view.getUint32(20, true) !== frameChecksum(bytes, end, checksum)) {
    return { ok: false, reason: 'malformed frame: its checksum does not fit' };
  }
  const payload = bytes.subarray(FRAME_HEADER_BYTES, end);
  return { ok: true, value: { ...header.value, payload } };
}

/** What the copy of the sender is worth; see `CopyState` in ports/replica.ts. */
export type CopyWorth =
  /** `kept`: has changes that were given up by force; from version 2 of the protocol on. */
  | { readonly state: 'empty' | 'foreign' | 'dirty' | 'kept' }
  | { readonly state: 'clean'; readonly epoch: Epoch; readonly seq: number };

/**
 * Up to that entry of that stream, everything is on the copy's stable storage; of what came behind it,
 * some may be. Void once the copy has failed or is torn.
 */
export interface Checkpoint {
  readonly epoch: Epoch;
  readonly session: string;
  readonly seq: number;
}

/**
 * A part of what a node changed as the primary: that run of it, behind the entry `first`. What it changed
 * there, and in the runs that it names with it, is in its activity log.
 */
export interface ActivitySegment {
  readonly epoch: Epoch;
  readonly session: string;
  readonly first: number;
}

/** Of those that a hello names. */
export const ACTIVITY_SEGMENTS_MAX = 8;

export type RefusalCode = 'stale' | 'sealed' | 'not-following' | 'foreign' | 'protocol' | 'failed';

export type MirrorControl =
  | {
      readonly type: 'hello';
      readonly cluster: string;
      readonly mirror: MirrorId;
      readonly node: NodeId;
      /** Primary: its own. Secondary: of the stream that it followed last, 0 for none. */
      readonly epoch: Epoch;
      /** Names one run of one primary at one epoch; empty when there is none. */
      readonly session: string;
      /** Secondary: the last entry of that session that was applied. */
      readonly applied: number;
      readonly copy: CopyWorth;
      /** Secondary: of the stream that its process before this one followed, too. */
      readonly checkpoint?: Checkpoint | undefined;
      /**
       * Secondary: it was the primary in these runs, with nothing of another primary in between or
       * since, and knows what it changed in them.
       */
      readonly activity?: readonly ActivitySegment[] | undefined;
      /** The versions of the cluster protocol that the sender speaks; undefined: the first one. */
      readonly speaks?: VersionRange | undefined;
    }
  /**
   * `resume`: the same session goes on behind `from`. `follow`: a new session, the copies are equal
   * at its start. `resync`: a new session, the copy is brought up to date first.
   */
  | {
      readonly type: 'start';
      readonly mode: 'resume' | 'follow' | 'resync';
      readonly from: number;
      /** The number before that of the session's first entry. */
      readonly first: number;
      /** `resync`: the copy is to say where it changed something as the primary. */
      readonly own?: boolean | undefined;
    }
  /** Secondary: everything up to that entry is on its stable storage. */
  | { readonly type: 'stored'; readonly seq: number }
  | { readonly type: 'refused'; readonly why: RefusalCode; readonly message: string }
  /** The copy cannot follow any more. */
  | { readonly type: 'failed'; readonly reason: string };

export function encodeControl(message: MirrorControl, checksum: Checksum): Uint8Array {
  const payload = asciiBytes(JSON.stringify(message));
  return makeFrame({ type: 'control', kind: 'none', target: 0, number: 0 }, payload, checksum);
}

export function decodeControl(payload: Uint8Array): Decoded<MirrorControl> {
  return decoding('message', () => {
    let value: unknown;
    try {
      value = JSON.parse(asciiText(payload));
    } catch {
      throw new Malformed('it is not JSON');
    }
    return checkControl(value);
  });
}

export interface Ack {
  readonly applied: number;
  readonly stable: number;
}

export function encodeAck(ack: Ack, checksum: Checksum): Uint8Array {
  const payload = new Uint8Array(8);
  new DataView(payload.buffer).setFloat64(0, ack.stable, true);
  const header = { type: 'ack', kind: 'none', target: 0, number: ack.applied } as const;
  return makeFrame(header, payload, checksum);
}

export function decodeAck(frame: Frame): Decoded<Ack> {
  return decoding('acknowledgement', () => {
    const { payload, number } = frame;
    if (payload.length !== 8) throw new Malformed('it has not the right length');
    const view = new DataView(payload.buffer, payload.byteOffset, 8);
    const stable = view.getFloat64(0, true);
    if (!Number.isSafeInteger(stable) || stable < 0 || stable > number) {
      throw new Malformed('its positions contradict each other');
    }
    return { applied: number, stable };
  });
}

function checkControl(value: unknown): MirrorControl {
  const message = objectOf(value);
  switch (message['type']) {
    case 'hello':
      return {
        type: 'hello',
        cluster: textOf(message['cluster']),
        mirror: textOf(message['mirror']) as MirrorId,
        node: textOf(message['node']) as NodeId,
        epoch: countOf(message['epoch']) as Epoch,
        session: textOf(message['session']),
        applied: countOf(message['applied']),
        copy: worthOf(message['copy']),
        ...checkpointOf(message['checkpoint']),
        ...activityOf(message['activity']),
        ...spokenOf(message['speaks']),
      };
    case 'start':
      return {
        type: 'start',
        mode: oneOf(message['mode'], ['resume', 'follow', 'resync']),
        from: countOf(message['from']),
        first: countOf(message['first']),
        ...(message['own'] === true ? { own: true } : {}),
      };
    case 'stored':
      return { type: 'stored', seq: countOf(message['seq']) };
    case 'refused':
      return {
        type: 'refused',
        why: oneOf(message['why'], [
          'stale',
          'sealed',
          'not-following',
          'foreign',
          'protocol',
          'failed',
        ]),
        message: textOf(message['message']),
      };
    case 'failed':
      return { type: 'failed', reason: textOf(message['reason']) };
    default:
      throw new Malformed('unknown message');
  }
}

function worthOf(value: unknown): CopyWorth {
  const copy = objectOf(value);
  const state = oneOf(copy['state'], ['empty', 'foreign', 'dirty', 'kept', 'clean']);
  if (state !== 'clean') return { state };
  return { state, epoch: countOf(copy['epoch']) as Epoch, seq: countOf(copy['seq']) };
}

function checkpointOf(said: unknown): { readonly checkpoint?: Checkpoint | undefined } {
  if (said === undefined) return {};
  const { epoch, session, seq } = objectOf(said);
  const checkpoint = {
    epoch: countOf(epoch) as Epoch,
    session: textOf(session),
    seq: countOf(seq),
  };
  return { checkpoint };
}

function activityOf(said: unknown): {
  readonly activity?: readonly ActivitySegment[] | undefined;
} {
  if (said === undefined) return {};
  if (!Array.isArray(said) || said.length > ACTIVITY_SEGMENTS_MAX) {
    throw new Malformed('no list of runs');
  }
  const activity = said.map((each: unknown) => {
    const { epoch, session, first } = objectOf(each);
    return { epoch: countOf(epoch) as Epoch, session: textOf(session), first: countOf(first) };
  });
  return { activity };
}

function spokenOf(said: unknown): { readonly speaks?: VersionRange | undefined } {
  if (said === undefined) return {};
  const speaks = readRange(said);
  if (speaks === undefined) throw new Malformed('no range of versions');
  return { speaks };
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Malformed('no object');
  return value as Record<string, unknown>;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string' || value.length > REASON_CHARACTERS_MAX) {
    throw new Malformed('a text is missing or too long');
  }
  return value;
}

function countOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new Malformed('a number is missing or not whole');
  }
  return value;
}

function oneOf<const T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new Malformed('unknown word');
  return found;
}

/** Cuts a reason so that the other end accepts it. */
export function shortReason(reason: string): string {
  return reason.slice(0, REASON_CHARACTERS_MAX);
}

/** JSON in which everything beyond ASCII is escaped, so that no text codec is needed. */
function asciiBytes(json: string): Uint8Array {
  const ascii = json.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Uint8Array.from(ascii, (unit) => unit.charCodeAt(0));
}

function asciiText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
