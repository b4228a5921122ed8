/**
 * Whether this primary may acknowledge at this moment: the heart's lease mark for its group is of
 * its epoch and has not run out, nor has the machine slept since. Cheap while that is so: the file is
 * read only when the instant remembered has passed. Anything but a whole, fresh mark of the right
 * epoch means no.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Instant, instant, plus } from '../../../base/time.ts';
import type { Epoch } from '../../../protocol/ids.ts';
import {
  decodeLeaseMark,
  isFreshMark,
  LEASE_MARK_BYTES,
  type LeaseMark,
} from '../../../protocol/lease-mark.ts';

/** An expired or missing mark is looked at again after this time, not at every reply. */
const LOOK_AGAIN_MS = 5;
/** An expired mark may have been replaced by another file: the path is opened anew this often. */
const OPEN_AGAIN_MS = 100;
const NEVER_YET = instant(Number.NEGATIVE_INFINITY);

export interface LeaseGateOptions {
  readonly path: string;
  readonly epoch: Epoch;
}

export class LeaseGate {
  readonly #options: LeaseGateOptions;
  readonly #bytes = new Uint8Array(LEASE_MARK_BYTES);
  #fd: number | undefined;
  readonly #slept: () => number;
  /** As it was last read; none, or one of another epoch: undefined. */
  #mark: LeaseMark | undefined;
  #lookAgainAt = NEVER_YET;
  #openAgainAt = NEVER_YET;

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
    return this.#mark !== undefined && isFreshMark(this.#mark, now, this.#slept());
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#mark = undefined;
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
    this.#mark = mark?.epoch === this.#options.epoch ? mark : undefined;
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
