/** Calls back after a time; returns how to call it off. For code that has no timers of its own. */
export interface Timer {
  after(ms: number, run: () => void): () => void;
}
