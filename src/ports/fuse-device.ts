/**
 * The session's end of one FUSE mount: requests come out, answers go in. Synchronous, for a thread
 * that does nothing else. Every method returns a number; negative ones are negated error numbers.
 */
export interface FuseDevice {
  /** Waits for a request: 1 when one is there (or the mount has ended), 0 when the time is over. */
  wait(timeoutMs: number): number;
  /** Takes the next request: its length. Never waits; another thread may have been faster. */
  read(into: Uint8Array): number;
  /** Sends the first `length` bytes as one message. */
  write(message: Uint8Array, length: number): number;
}
