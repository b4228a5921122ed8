/** Wakes the caller later. Every timer has an owner who clears it. */
export interface Timers {
  /** Calls `wake` once, at least `ms` from now; returns how to take it back. */
  after(ms: number, wake: () => void): () => void;
}
