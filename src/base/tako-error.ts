/**
 * An operational error: expected, explained, with a machine-readable code (see `error-codes.ts`).
 * `message` says what was attempted, what was found and what was wanted; `next` is the next step
 * for a person.
 */
import type { ErrorCode } from './error-codes.ts';

export interface TakoErrorOptions {
  readonly next?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export class TakoError extends Error {
  override readonly name = 'TakoError';
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: TakoErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.next = options.next;
    this.details = options.details ?? {};
  }
}

/** A short text for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
