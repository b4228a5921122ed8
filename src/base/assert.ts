/**
 * Invariants that stay on in production. A broken one means that the program no longer knows what
 * it does: nobody catches it to go on; the process stops acknowledging and ends.
 */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws {@link InvariantError} unless `condition` holds. `message` says what should have held. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Returns `value`, which the caller knows to be there; `why` says how it knows. */
export function must<T>(value: T | undefined | null, why: string): T {
  if (value === undefined || value === null) throw new InvariantError(`missing value: ${why}`);
  return value;
}

/** Ends an exhaustive `switch`: a forgotten case does not compile. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
