/** A resync worker's way into the stream: entries that are for one run of one copy's resync. */
import { assert } from '../../../base/assert.ts';
import type { ResyncEntry, ResyncStream } from '../../../ports/resync.ts';
import { EntryWriter } from './entry-writer.ts';
import type { SharedRing } from './shared-ring.ts';

/** A resync runs ahead of its copy by this part of the ring at most. */
const AHEAD_PART = 8;

export interface ResyncStreamOptions {
  readonly ring: SharedRing;
  /** Names the run; never {@link EVERY_COPY}. */
  readonly target: number;
  /** True once the run is over. */
  readonly cancelled: () => boolean;
}

export class RingResyncStream implements ResyncStream {
  readonly #ring: SharedRing;
  readonly #cancelled: () => boolean;
  readonly #writer: EntryWriter;

  constructor({ ring, target, cancelled }: ResyncStreamOptions) {
    assert(target > 0, 'a run of a resync has a number');
    this.#ring = ring;
    this.#cancelled = cancelled;
    this.#writer = new EntryWriter(ring, target, cancelled);
  }

  enter(): void {
    // The resync leaves most of the ring to the live changes, which would wait behind it.
    this.#ring.waitForReaders(this.#ring.capacity / AHEAD_PART, this.#cancelled);
    this.#ring.lock();
  }

  leave(): void {
    this.#ring.unlock();
  }

  append(entry: ResyncEntry): boolean {
    if (this.#cancelled()) return false;
    const seq =
      entry.kind === 'change'
        ? this.#writer.change(entry.change)
        : this.#writer.message(entry.body);
    return seq !== undefined;
  }

  finish(): boolean {
    this.enter();
    try {
      return !this.#cancelled() && this.#writer.barrier(false) !== undefined;
    } finally {
      this.leave();
    }
  }
}
