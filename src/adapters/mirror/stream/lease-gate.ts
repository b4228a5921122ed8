/**
 * Whether this primary may acknowledge at this moment: the heart's lease mark for its group is of
 * its epoch and has not run out, nor has the machine slept since. Cheap while that is so: the file is
 * read only when the instant remembered has passed. Anything but a whole, fresh mark of the right
 * epoch means no.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Instant, instant, plus } from '../../../base/time.ts';
import type { Epoch } from '../../../protocol/ids.ts';
import { decodeLeaseMark, LEASE_MARK_BYTES } from '../../../protocol/lease-mark.ts';

/** An expired or missing mark is looked at again after this time, not at every reply. */
const LOOK_AGAIN_MS = 5;
/** An expired mark may have been replaced by another file: the path is opened anew this often. */
const OPEN_AGAIN_MS = 100;
/** Well above what two readings of the clocks differ by. */
const SLEEP_MS_MIN = 20;
const NO_LEASE = instant(Number.NEGATIVE_INFINITY);

export interface LeaseGateOptions {
  readonly path: string;
  readonly epoch: Epoch;
}

export class LeaseGate {
  readonly #options: LeaseGateOptions;
  readonly #bytes = new Uint8Array(LEASE_MARK_BYTES);
  #fd: number | undefined;
  readonly #slept: () => number;
  #validUntil = NO_LEASE;
  /** What the machine had slept when the mark that was read was written. */
  #sleptMs = 0;
  #lookAgainAt = NO_LEASE;
  #openAgainAt = NO_LEASE;

  /** `slept`: the milliseconds that the machine has slept since it was started. */
  constructor(options: LeaseGateOptions, slept: () => number) {
    this.#options = options;
    this.#slept = slept;
  }

  valid(now: Instant): boolean {
    if (this.#fresh(now)) return true;
    if (now < this.#lookAgainAt) return false;
    this.#look(now);
    if (this.#fresh(now)) return true;
    this.#lookAgainAt = plus(now, LOOK_AGAIN_MS);
    return false;
  }

  #fresh(now: Instant): boolean {
    return now < this.#validUntil && this.#slept() - this.#sleptMs <= SLEEP_MS_MIN;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#validUntil = NO_LEASE;
  }

  #look(now: Instant): void {
    if (this.#fd !== undefined && this.#read(this.#fd, now)) return;
    if (now < this.#openAgainAt) return;
    this.#openAgainAt = plus(now, OPEN_AGAIN_MS);
    this.close();
    this.#fd = tryOpen(this.#options.path);
    if (this.#fd !== undefined) this.#read(this.#fd, now);
  }

  /** True when the mark is fresh. */
  #read(fd: number, now: Instant): boolean {
    let read = 0;
    try {
      read = readSync(fd, this.#bytes, 0, LEASE_MARK_BYTES, 0);
    } catch {
      // Unreadable is like missing: no lease.
      read = 0;
    }
    const mark = decodeLeaseMark(this.#bytes.subarray(0, read));
    const mine = mark?.epoch === this.#options.epoch;
    this.#validUntil = mark !== undefined && mine ? mark.validUntil : NO_LEASE;
    this.#sleptMs = mark?.sleptMs ?? 0;
    return this.#fresh(now);
  }
}

/** Undefined when it is not there (yet): the heart makes it when it holds the lease. */
function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
