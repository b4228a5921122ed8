/**
 * The lease mark: how the heart tells a mirror, without any message, that its group's lease lives.
 * A file of 40 bytes on tmpfs (`RUNDIR/lease/GROUP`), overwritten in place by every renewal; the
 * mirror reads it whenever the instant that it remembers has passed.
 *
 *     0  u32  magic 'TKLM'      4  u32  version, 0
 *     8  f64  epoch            16  f64  valid until, CLOCK_MONOTONIC milliseconds
 *    24  f64  epoch + valid until: differs from the sum when a read met a write half-way
 *    32  f64  milliseconds that the machine had slept since it was started
 *
 * CLOCK_MONOTONIC stands still while the machine sleeps, the leases of others do not: a mark that was
 * written before the machine slept is void.
 */
import { type Instant, instant } from '../base/time.ts';
import type { Epoch } from './ids.ts';
import { FORMATS } from './versions.ts';

const MAGIC = 0x544b4c4d;
/** Well above what two readings of the clocks differ by. */
const SLEEP_MS_MIN = 20;
export const LEASE_MARK_BYTES = 40;

export interface LeaseMark {
  readonly epoch: Epoch;
  readonly validUntil: Instant;
  readonly sleptMs: number;
}

/** Whether it is good at that moment, on a machine that has slept so long since it was started. */
export function isFreshMark(mark: LeaseMark, now: Instant, sleptMs: number): boolean {
  return now < mark.validUntil && sleptMs - mark.sleptMs <= SLEEP_MS_MIN;
}

export function encodeLeaseMark(mark: LeaseMark): Uint8Array {
  const bytes = new Uint8Array(LEASE_MARK_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, FORMATS.leaseMark, true);
  view.setFloat64(8, mark.epoch, true);
  view.setFloat64(16, mark.validUntil, true);
  view.setFloat64(24, mark.epoch + mark.validUntil, true);
  view.setFloat64(32, mark.sleptMs, true);
  return bytes;
}

/** Undefined for anything but a whole mark: no lease is the safe reading. */
export function decodeLeaseMark(bytes: Uint8Array): LeaseMark | undefined {
  if (bytes.length < LEASE_MARK_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  if (view.getUint32(4, true) > FORMATS.leaseMark) return undefined;
  const epoch = view.getFloat64(8, true);
  const validUntil = view.getFloat64(16, true);
  if (view.getFloat64(24, true) !== epoch + validUntil) return undefined;
  const sleptMs = view.getFloat64(32, true);
  return { epoch: epoch as Epoch, validUntil: instant(validUntil), sleptMs };
}
