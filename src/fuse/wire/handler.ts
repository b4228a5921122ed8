/**
 * What the reader of the device and those who do what it reads agree on. Types only, so that neither
 * needs to know the other.
 */
import type { Reply } from './reply.ts';
import type { Request } from './request.ts';

/**
 * How a request ended: a negated error number, or the length of the payload that was written into
 * the reply (both are sent at once), or {@link ANSWERED}.
 */
export type Outcome = number;

/** The answer is in other hands, or none is due. */
export const ANSWERED: Outcome = Number.MAX_SAFE_INTEGER;

/** What the session gives to the handler of its requests. */
export interface SessionWiring {
  /** Where payloads are written. */
  readonly reply: Reply;
  /** INIT_FLAG bits that both sides have. */
  readonly flags: number;
  /** Sends a notification to the kernel. */
  readonly notify: (message: Uint8Array) => void;
}

export interface RequestHandler {
  /** Does what the request asks for. Never throws because of the request or of the store. */
  handle(request: Request): Outcome;
  /** Lets go of everything that is open. */
  close(): void;
}
