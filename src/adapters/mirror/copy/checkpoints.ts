/**
 * Notes every few seconds up to which entry of the stream the copy is on stable storage as a whole, so
 * that after a power cut or a crash it is compared only where something was changed since.
 */
import type { CopyNote } from '../../../ports/replica.ts';
import type { Checkpoint } from '../../../protocol/mirror-frames.ts';
import type { Background } from './background.ts';
import { type Store, errnoName } from './store.ts';

/** The first one soon after the copy is whole, for it has none until then. */
const FIRST_MS = 1000;
const EVERY_MS = 10_000;
/** A slow disk is to have other things to do for so many times as long as a checkpoint takes it. */
const REST_FACTOR = 10;

export interface CheckpointsDeps {
  readonly store: Store;
  readonly background: Pick<Background, 'syncVolume'>;
  readonly note: Pick<CopyNote, 'noteCheckpoint'>;
  /** What is applied; undefined while the copy is torn. */
  readonly applied: () => Checkpoint | undefined;
  /** Everything up to that entry is stored, and noted to be. */
  readonly noted: (seq: number) => void;
  readonly failed: (reason: string) => void;
}

export class Checkpoints {
  readonly #deps: CheckpointsDeps;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #noted: Checkpoint | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(deps: CheckpointsDeps) {
    this.#deps = deps;
    this.#in(FIRST_MS);
  }

  /** Resolves when the note is let alone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #in(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#next();
    }, ms).unref();
  }

  async #next(): Promise<void> {
    const began = performance.now();
    const isTorn = this.#deps.applied() === undefined;
    await this.take();
    const tookMs = performance.now() - began;
    this.#in(isTorn ? FIRST_MS : Math.max(EVERY_MS, tookMs * REST_FACTOR));
  }

  /** One checkpoint, if there is news. */
  async take(): Promise<void> {
    const { store, background, note, applied, noted, failed } = this.#deps;
    const now = applied();
    if (now === undefined || now.seq === this.#noted?.seq) return;
    const synced = await background.syncVolume(store.root);
    if (this.#stopped) return;
    if (synced < 0) {
      const why = errnoName(-synced);
      return failed(`Cannot make the copy durable: syncfs: ${why}; check the disk of this node`);
    }
    if (!(await note.noteCheckpoint(now))) return;
    this.#noted = now;
    noted(now.seq);
  }
}
