/**
 * What two controls say to each other: frames of JSON, each after its length.
 *
 *     0  u32 (big-endian)  bytes of JSON that follow, at most FRAME_BYTES_MAX
 *     4  JSON, UTF-8
 *
 * `ask` gets exactly one `answer` with the same id on the same connection; `tell` gets none; a
 * `ping` gets a `pong`.
 */
import { messageOf } from '../../base/tako-error.ts';

export const FRAME_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES = 4;
const METHOD_CHARACTERS_MAX = 64;

export type Frame =
  | {
      readonly type: 'ask';
      readonly id: number;
      readonly method: string;
      readonly params: unknown;
    }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly ok: true;
      readonly result: unknown;
    }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
      readonly next: string | undefined;
    }
  | { readonly type: 'tell'; readonly method: string; readonly params: unknown }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' };

/** A peer that does not speak the protocol; the connection is to be closed. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Undefined when the frame would be longer than the peer accepts. */
export function encodeFrame(frame: Frame): Buffer | undefined {
  const json = Buffer.from(JSON.stringify(frame));
  if (json.length > FRAME_BYTES_MAX) return undefined;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + json.length);
  bytes.writeUInt32BE(json.length, 0);
  json.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Cuts a byte stream into frames. Never holds more than one frame and one chunk. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted = HEADER_BYTES;
  #inBody = false;

  /** The frames that are complete with `chunk`. Throws {@link FrameError}. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    while (this.#buffered >= this.#wanted) {
      const part = this.#take(this.#wanted);
      if (this.#inBody) {
        frames.push(decodeFrame(part));
        [this.#inBody, this.#wanted] = [false, HEADER_BYTES];
      } else {
        const length = part.readUInt32BE(0);
        if (length === 0 || length > FRAME_BYTES_MAX) {
          throw new FrameError(`a frame of ${length} bytes`);
        }
        [this.#inBody, this.#wanted] = [true, length];
      }
    }
    return frames;
  }

  #take(count: number): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const bytes = all ?? Buffer.alloc(0);
    this.#chunks = [bytes.subarray(count)];
    this.#buffered -= count;
    return bytes.subarray(0, count);
  }
}

function decodeFrame(bytes: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new FrameError(`a frame that is not JSON: ${messageOf(error)}`);
  }
  const frame = typeof value === 'object' && value !== null ? toFrame({ ...value }) : undefined;
  if (frame === undefined) throw new FrameError('a frame of unknown form');
  return frame;
}

/** Only what is in the protocol gets through, field by field. */
function toFrame(value: Readonly<Record<string, unknown>>): Frame | undefined {
  const { type, id, method, params } = value;
  switch (type) {
    case 'ping':
    case 'pong':
      return { type };
    case 'ask':
      return isId(id) && isMethod(method) ? { type, id, method, params } : undefined;
    case 'tell':
      return isMethod(method) ? { type, method, params } : undefined;
    case 'answer':
      return isId(id) ? toAnswer(id, value) : undefined;
    default:
      return undefined;
  }
}

function toAnswer(id: number, value: Readonly<Record<string, unknown>>): Frame | undefined {
  const { ok, result, code, message, next } = value;
  if (ok === true) return { type: 'answer', id, ok, result };
  if (ok !== false || typeof code !== 'string' || typeof message !== 'string') return undefined;
  if (next !== undefined && typeof next !== 'string') return undefined;
  return { type: 'answer', id, ok, code, message, next };
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isMethod(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= METHOD_CHARACTERS_MAX;
}
