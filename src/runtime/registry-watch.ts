/**
 * Looks again and again whether the store of the records answers, and says when that changes: once
 * it has failed, or has answered again, for a while.
 */
import type { RecordStore } from '../ports/record-store.ts';
import type { Timer } from '../ports/timer.ts';
import type { EventDraft } from '../protocol/event.ts';

const EVERY_MS = 2000;
/** A change of the leader of an etcd takes a second or two. */
const FAILURES_TOLD = 3;

export class RegistryWatch {
  readonly #store: Pick<RecordStore, 'check'>;
  readonly #timer: Timer;
  readonly #publish: (draft: EventDraft) => void;
  #clear: () => void = () => undefined;
  #failures = 0;
  #why: string | undefined;
  #ended = false;

  constructor(
    store: Pick<RecordStore, 'check'>,
    timer: Timer,
    publish: (draft: EventDraft) => void,
  ) {
    this.#store = store;
    this.#timer = timer;
    this.#publish = publish;
  }

  /** Why it cannot be read, once that has lasted. */
  get fails(): string | undefined {
    return this.#failures >= FAILURES_TOLD ? this.#why : undefined;
  }

  start(): void {
    void this.#store.check().then((why) => {
      if (this.#ended) return;
      this.#heard(why);
      this.#clear = this.#timer.after(EVERY_MS, () => this.start());
    });
  }

  end(): void {
    this.#ended = true;
    this.#clear();
  }

  #heard(why: string | undefined): void {
    const told = this.fails !== undefined;
    this.#why = why;
    this.#failures = why === undefined ? 0 : this.#failures + 1;
    if (told && why === undefined) {
      const text = 'etcd answers again: groups can fail over and move';
      this.#publish({ level: 'info', kind: 'registry-back', text });
    }
    if (told || this.fails === undefined) return;
    const text =
      `etcd cannot be read: ${why ?? ''}; what runs goes on, nothing fails over or moves; ` +
      'next: bring a majority of its members back';
    this.#publish({ level: 'error', kind: 'registry-lost', text });
  }
}
