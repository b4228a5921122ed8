/**
 * Where the captured changes of a mirror go: the one ordered stream.
 *
 * A mutation is done like this, on whichever thread serves the request:
 *
 *     sink.enter()                     nobody else changes the tree or the stream
 *     do it on the store
 *     seq = sink.append(change)        only if it succeeded
 *     sink.leave()
 *     sink.answer(reply, seq)
 *
 * so that the order of the stream is the order of the store, and the change is in the stream
 * before the application hears of it.
 */
import type { Change } from '../protocol/change.ts';

export interface ChangeSink {
  /** Waits for its turn; not reentrant. */
  enter(): void;
  /**
   * Puts the change behind all others and returns its sequence number. Waits while the stream is
   * full. Takes a copy: the bytes in `change` may be overwritten once it returns.
   */
  append(change: Change): number;
  /**
   * The sequence number of the change that was appended last (before any: the one that the stream
   * starts behind). For the answer to a mutation that changed the store but leaves nothing to
   * append, because the file has no name any more.
   */
  last(): number;
  /**
   * Before `append`: by that change a file loses one of several names. What was changed through it is
   * changed under the others, too, which no path in the stream tells.
   */
  linkLost(): void;
  leave(): void;
  /**
   * Sends a reply to the kernel when it may be sent: at once, or, while the lease is out, the
   * stream is frozen, or the mode asks for a copy's acknowledgement first, later and from another
   * thread. `reply` is the whole message for /dev/fuse, its header included; the sink keeps it.
   */
  answer(reply: Uint8Array, seq: number): void;
  /**
   * Like `answer` for fsync and fsyncdir: `seq` is the sequence number of the `sync` change; the
   * reply goes out when `fd` is on stable storage here and that change is on every in-sync copy.
   * The sink syncs `fd` itself, without holding up the caller. When the local sync fails, the
   * error number (negative) is put into the reply instead.
   */
  answerSync(reply: Uint8Array, seq: number, fd: number, dataOnly: boolean): void;
}
