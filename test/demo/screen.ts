/**
 * The terminal as a screen: alternate buffer, no cursor, keys one by one; and back to what it was,
 * however the program ends.
 */
import { writeSync } from 'node:fs';
import type { Size } from './view.ts';

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';
/** Four frames a second: a person sees no difference, a slow line does. */
const FRAME_MS = 250;
const CTRL_C = '\x03';

export class Screen {
  readonly #draw: (size: Size) => readonly string[];
  #lastDrawnAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  readonly #onData: (data: Buffer) => void;
  readonly #restore = (): void => this.close();

  /** `onKey` gets single characters; Ctrl-C comes as `q`. */
  constructor(options: {
    readonly draw: (size: Size) => readonly string[];
    readonly onKey: (key: string) => void;
  }) {
    this.#draw = options.draw;
    this.#onData = (data) => {
      for (const key of data.toString('utf8')) options.onKey(key === CTRL_C ? 'q' : key);
    };
  }

  open(): void {
    this.#open = true;
    process.on('exit', this.#restore);
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onData);
    process.stdin.resume();
    process.stdout.on('resize', this.refresh);
    writeSync(1, ENTER);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#timer);
    process.off('exit', this.#restore);
    process.stdout.off('resize', this.refresh);
    process.stdin.off('data', this.#onData);
    process.stdin.pause();
    writeSync(1, LEAVE);
    process.stdin.setRawMode(false);
  }

  /** Draws soon, at most four times a second. */
  readonly refresh = (): void => {
    if (!this.#open || this.#timer !== undefined) return;
    const waitMs = Math.max(0, this.#lastDrawnAt + FRAME_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#lastDrawnAt = performance.now();
      const { columns, rows } = process.stdout;
      const lines = this.#draw({ columns, rows });
      const text = lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n');
      process.stdout.write(`${HOME}${text}${CLEAR_BELOW}`);
    }, waitMs);
  };
}
