/**
 * One slot of a node's file on a share: a sheet, compressed, of fixed size, that nobody without the
 * cluster key can make, change, or move to another place.
 *
 *      0  32 bytes  HMAC-SHA256 of the rest, by a key of this cluster, seat, node and slot
 *     32  u32  magic 'TKSH'     36  u32  version       40  u64  life      48  u64  sequence
 *     56  u32  length n         60  n bytes  the sheet as JSON, deflated
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { SeatId } from '../../protocol/ids.ts';
import type { Sheet } from '../../protocol/share-sheet.ts';
import { FORMATS } from '../../protocol/versions.ts';

export const SLOT_BYTES = 16 * 1024;
/** Each life of a node writes into a region of its own, one slot after the other. */
export const REGIONS = 3;
export const SLOTS = 2;
export const FILE_BYTES = REGIONS * SLOTS * SLOT_BYTES;
const MAGIC = 0x544b5348;
const MAC_BYTES = 32;
const HEADER_BYTES = 60;
const SHEET_BYTES_MAX = 1024 * 1024;

/** Which life of the node wrote it, and which of its writes it is. */
export interface SlotPlace {
  readonly life: number;
  readonly sequence: number;
}

export interface Slot extends SlotPlace {
  readonly sheet: unknown;
}

export interface SlotName {
  readonly key: Uint8Array;
  readonly cluster: string;
  readonly seat: SeatId;
  readonly node: string;
}

/** For one slot of one node's file; `info` of anything else that the share keeps. */
export function shareKey({ key, cluster, seat, node }: SlotName, info: string): Buffer {
  const context = JSON.stringify(['tako share', cluster, seat, node, info]);
  return Buffer.from(hkdfSync('sha256', key, '', context, MAC_BYTES));
}

/** Undefined when the sheet is too large. */
export function encodeSlot(
  sheet: Sheet,
  { life, sequence }: SlotPlace,
  macKey: Uint8Array,
): Buffer | undefined {
  const body = deflateRawSync(Buffer.from(JSON.stringify(sheet)));
  if (HEADER_BYTES + body.length > SLOT_BYTES) return undefined;
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt32BE(MAGIC, 32);
  slot.writeUInt32BE(FORMATS.share, 36);
  slot.writeBigUInt64BE(BigInt(life), 40);
  slot.writeBigUInt64BE(BigInt(sequence), 48);
  slot.writeUInt32BE(body.length, 56);
  body.copy(slot, HEADER_BYTES);
  macOf(slot, macKey).copy(slot, 0);
  return slot;
}

/** Undefined for what is torn, of another version, or was not written with the key. */
export function decodeSlot(slot: Buffer, macKey: Uint8Array): Slot | undefined {
  if (slot.length !== SLOT_BYTES || slot.readUInt32BE(32) !== MAGIC) return undefined;
  if (!timingSafeEqual(slot.subarray(0, MAC_BYTES), macOf(slot, macKey))) return undefined;
  if (slot.readUInt32BE(36) !== FORMATS.share) return undefined;
  const length = slot.readUInt32BE(56);
  if (HEADER_BYTES + length > SLOT_BYTES) return undefined;
  const body = slot.subarray(HEADER_BYTES, HEADER_BYTES + length);
  const text = inflateRawSync(body, { maxOutputLength: SHEET_BYTES_MAX }).toString();
  const sheet: unknown = JSON.parse(text);
  const life = Number(slot.readBigUInt64BE(40));
  return { life, sequence: Number(slot.readBigUInt64BE(48)), sheet };
}

/** Positive when `a` was written after `b`. */
export function comparePlaces(a: SlotPlace, b: SlotPlace): number {
  return a.life - b.life || a.sequence - b.sequence;
}

function macOf(slot: Buffer, macKey: Uint8Array): Buffer {
  return createHmac('sha256', macKey).update(slot.subarray(MAC_BYTES)).digest();
}
