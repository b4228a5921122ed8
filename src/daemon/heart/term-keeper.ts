/**
 * Keeps on stable storage how long the promises of this member may bind. Writes one after the other,
 * always the latest that was asked for; a write that fails is tried again.
 */
import { messageOf } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import { writeTerm } from '../../adapters/term-file.ts';

const RETRY_MS = 1000;

export interface TermKeeperOptions {
  readonly path: string;
  /** What the file says; 0 when there is none. */
  readonly formerMs: number;
  readonly log: Log;
}

export class TermKeeper {
  readonly formerMs: number;
  readonly #options: TermKeeperOptions;
  #wanted: { readonly termMs: number; readonly done: () => void } | undefined;
  #busy = false;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: TermKeeperOptions) {
    this.#options = options;
    this.formerMs = options.formerMs;
  }

  /** `done` is called when the file says so, unless another term is asked for before. */
  remember(termMs: number, done: () => void): void {
    this.#wanted = { termMs, done };
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  /** Resolves when nothing is being written; to be called after `close`. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #begin(): void {
    if (!this.#busy && !this.#closed) this.#writing = this.#write();
  }

  async #write(): Promise<void> {
    const { path, log } = this.#options;
    this.#busy = true;
    for (let wanted = this.#wanted; wanted !== undefined && !this.#closed; wanted = this.#wanted) {
      try {
        await writeTerm(path, wanted.termMs);
      } catch (error) {
        log.error('the term of promises cannot be kept', { path, error: messageOf(error) });
        this.#retry = setTimeout(() => this.#begin(), RETRY_MS);
        break;
      }
      if (this.#wanted === wanted) this.#wanted = undefined;
      if (!this.#closed) wanted.done();
    }
    this.#busy = false;
  }
}
