/**
 * Replies on their way from the capture worker to the main thread, which holds them until they may
 * go. They travel in a shared ring of their own, in records of the same shape as frames:
 *
 *     4  u8  kind (0 change, 1 sync)   5  u8  data only   8  f64  sequence number
 *    16  u32 length of the reply      20  i32  descriptor to sync        24 ...  the reply
 */
import { frameBytes, FRAME_HEADER_BYTES } from '../../../protocol/mirror-frames.ts';
import type { SharedRing } from './shared-ring.ts';

export interface HeldRecord {
  readonly kind: 'change' | 'sync';
  readonly seq: number;
  /** The whole message for /dev/fuse. */
  readonly reply: Uint8Array;
  /** Syncs: what to sync; -1 for changes. */
  readonly fd: number;
  readonly dataOnly: boolean;
}

/** Takes the ring's lock itself. False when the ring is closed: nobody waits for the reply. */
export function pushHeld(ring: SharedRing, held: HeldRecord): boolean {
  const bytes = frameBytes(held.reply.length);
  ring.lock();
  try {
    const record = ring.reserve(bytes);
    if (record === undefined) return false;
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    view.setUint32(0, 0, true);
    view.setUint8(4, held.kind === 'sync' ? 1 : 0);
    view.setUint8(5, held.dataOnly ? 1 : 0);
    view.setFloat64(8, held.seq, true);
    view.setUint32(16, held.reply.length, true);
    view.setInt32(20, held.fd, true);
    record.set(held.reply, FRAME_HEADER_BYTES);
    ring.commit(bytes);
    return true;
  } finally {
    ring.unlock();
  }
}

/** The reply is copied out of the ring. */
export function readHeld(record: Uint8Array): HeldRecord {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const length = view.getUint32(16, true);
  return {
    kind: view.getUint8(4) === 1 ? 'sync' : 'change',
    dataOnly: view.getUint8(5) === 1,
    seq: view.getFloat64(8, true),
    fd: view.getInt32(20, true),
    reply: record.slice(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length),
  };
}
