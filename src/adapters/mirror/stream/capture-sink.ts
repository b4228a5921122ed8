/**
 * The capture worker's {@link ChangeSink}: changes go into the shared ring; replies go to the
 * kernel at once when they may, otherwise to the main thread, which holds them.
 */
import { writeSync } from 'node:fs';
import { assert } from '../../../base/assert.ts';
import type { Change } from '../../../protocol/change.ts';
import type { ChangeSink } from '../../../ports/change-sink.ts';
import type { Clock } from '../../../ports/clock.ts';
import { EntryWriter } from './entry-writer.ts';
import { pushHeld } from './held-records.ts';
import type { LeaseGate } from './lease-gate.ts';
import type { SharedRing } from './shared-ring.ts';

/** Words of the small shared memory between the main thread and the capture worker. */
export const GATE_OPEN_WORD = 0;
/** 1: the session ends, whatever became of the mount. */
export const STOP_WORD = 1;
/**
 * The entry by which a file lost one of several names, the last one. Eight bytes; the capture worker
 * writes it before the entry is in the stream.
 */
const LINK_LOST_AT = 8;
export const GATE_BYTES = 64;

/** No entry did when it is 0. */
export function lastLinkLost(gate: Int32Array): number {
  return Number(Atomics.load(linkLostIn(gate), 0));
}

function linkLostIn(gate: Int32Array): BigInt64Array {
  return new BigInt64Array(gate.buffer, gate.byteOffset + LINK_LOST_AT, 1);
}

export interface CaptureSinkOptions {
  readonly fuseFd: number;
  /** False in mode `every-write`: each reply to a change waits for the copies. */
  readonly answerAtOnce: boolean;
}

export interface CaptureSinkDeps {
  readonly stream: SharedRing;
  readonly held: SharedRing;
  /** {@link GATE_OPEN_WORD} is 1 while replies may go out without asking the main thread. */
  readonly gate: Int32Array;
  readonly lease: LeaseGate;
  readonly clock: Clock;
  /** Called before each change, with the entry behind which it will be. */
  readonly entered: (last: number) => void;
}

export class CaptureSink implements ChangeSink {
  readonly #options: CaptureSinkOptions;
  readonly #deps: CaptureSinkDeps;
  readonly #writer: EntryWriter;
  readonly #linkLost: BigInt64Array;

  constructor(options: CaptureSinkOptions, deps: CaptureSinkDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#writer = new EntryWriter(deps.stream);
    this.#linkLost = linkLostIn(deps.gate);
  }

  enter(): void {
    const { stream, entered } = this.#deps;
    stream.lock();
    entered(stream.last);
  }

  append(change: Change): number {
    const seq = this.#writer.change(change);
    // Closed: the mirror was aborted. No reply goes out any more, and the number goes nowhere.
    return seq ?? this.#deps.stream.last;
  }

  linkLost(): void {
    Atomics.store(this.#linkLost, 0, BigInt(this.#deps.stream.last + 1));
  }

  last(): number {
    return this.#deps.stream.last;
  }

  leave(): void {
    this.#deps.stream.unlock();
  }

  answer(reply: Uint8Array, seq: number): void {
    const { gate, lease, clock, held } = this.#deps;
    const open = this.#options.answerAtOnce && Atomics.load(gate, GATE_OPEN_WORD) === 1;
    if (open && lease.valid(clock.now())) {
      writeReply(this.#options.fuseFd, reply);
      return;
    }
    pushHeld(held, { kind: 'change', seq, reply, fd: -1, dataOnly: false });
  }

  answerSync(reply: Uint8Array, seq: number, fd: number, dataOnly: boolean): void {
    assert(fd >= 0, 'a sync names an open file');
    pushHeld(this.#deps.held, { kind: 'sync', seq, reply, fd, dataOnly });
  }
}

const NOBODY_WAITS: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ENOTCONN', 'ECONNABORTED']);

/**
 * One write is one reply. The kernel refuses it when nobody waits for it any more (the connection
 * was aborted, or the request was given up), which is no error of ours.
 */
export function writeReply(fuseFd: number, reply: Uint8Array): void {
  try {
    writeSync(fuseFd, reply);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined || !NOBODY_WAITS.has(code)) throw error;
  }
}
