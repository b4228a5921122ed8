/**
 * What must survive everything: a map whose changes are on stable storage before they count. The
 * acceptor of the registry keeps its promises and votes here.
 */
export interface StateStore<T> {
  /** Made together with the storage, at random, and lost together with it. */
  readonly id: string;
  /** The last value of every key, including those whose `put` is still under way. */
  entries(): ReadonlyMap<string, T>;
  /**
   * Resolves when the value is on stable storage. Puts become durable in the order of the calls.
   * After the first rejection every later call rejects too: what the storage holds is then known
   * only by opening it again.
   */
  put(key: string, value: T): Promise<void>;
  /** Waits for the puts under way and lets go of the storage. */
  close(): Promise<void>;
}
