/**
 * Newline-delimited JSON out of a byte stream. A line that is too long, is not UTF-8 or is not JSON
 * ends the reading for good: behind it nothing can be trusted to start at a line's start.
 */
import { Buffer } from 'node:buffer';

/** Longest line, its newline not counted. */
export const LINE_BYTES_MAX = 1024 * 1024;
const NEWLINE = 0x0a;
const SHOWN_BYTES_MAX = 80;

export class LineReader {
  readonly #onValue: (value: unknown) => void;
  readonly #bytesMax: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #stopped = false;

  constructor(onValue: (value: unknown) => void, bytesMax = LINE_BYTES_MAX) {
    this.#onValue = onValue;
    this.#bytesMax = bytesMax;
  }

  /** Nothing more is handed out, not even lines that arrived already. */
  stop(): void {
    this.#stopped = true;
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Hands out every line that is complete. Returns what is wrong, if something is. */
  push(chunk: Uint8Array): string | undefined {
    let from = 0;
    for (;;) {
      if (this.#stopped) return undefined;
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
      this.#pendingBytes += piece.length;
      if (this.#pendingBytes > this.#bytesMax) {
        this.stop();
        return `a line is longer than ${this.#bytesMax} bytes`;
      }
      if (piece.length > 0) this.#pending.push(piece);
      if (end < 0) return undefined;
      from = end + 1;
      const line = Buffer.concat(this.#pending, this.#pendingBytes);
      this.#pending = [];
      this.#pendingBytes = 0;
      const parsed = this.#parse(line);
      if ('wrong' in parsed) {
        this.stop();
        return parsed.wrong;
      }
      // Outside of any catch: what the receiver throws is its own affair.
      this.#onValue(parsed.value);
    }
  }

  #parse(line: Buffer): { readonly value: unknown } | { readonly wrong: string } {
    try {
      const value: unknown = JSON.parse(this.#decoder.decode(line));
      return { value };
    } catch {
      const shown = line.subarray(0, SHOWN_BYTES_MAX).toString('latin1');
      return { wrong: `a line is not JSON: ${JSON.stringify(shown)}` };
    }
  }
}

/** One line with its newline; undefined when it would be too long. */
export function encodeLine(message: unknown): Buffer | undefined {
  const line = Buffer.from(`${JSON.stringify(message)}\n`, 'utf8');
  return line.length - 1 > LINE_BYTES_MAX ? undefined : line;
}
