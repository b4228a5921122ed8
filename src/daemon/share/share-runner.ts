/** Drives the voter of a share: gives it what the heart says and carries out its effects. */
import {
  ShareVoter,
  type ShareEffect,
  type ShareEvent,
} from '../../core/share-witness/share-voter.ts';
import type { NodeId, SeatId } from '../../protocol/ids.ts';
import type { FromShare, ToShare } from '../../protocol/share-ipc.ts';
import type { Sheet } from '../../protocol/share-sheet.ts';
import type { Clock } from '../../ports/clock.ts';

/** The share, as this node reads and writes it. */
export interface SharedSheets {
  readonly seat: SeatId;
  readonly nodes: readonly NodeId[];
  former(): Sheet;
  write(sheet: Sheet): Promise<void>;
  readAll(): Promise<ReadonlyMap<NodeId, Sheet>>;
}

export interface ShareRunnerOptions {
  readonly files: SharedSheets;
  readonly me: NodeId;
  readonly termMs: number;
  readonly clock: Clock;
  readonly tell: (message: FromShare) => void;
  /** A reading or a write failed: nothing of this runner may go on. */
  readonly fail: (error: unknown) => void;
}

type Untimed = ShareEvent extends infer E ? (E extends ShareEvent ? Omit<E, 'now'> : never) : never;

export class ShareRunner {
  readonly #options: ShareRunnerOptions;
  readonly #voter: ShareVoter;
  #failed = false;

  constructor(options: ShareRunnerOptions) {
    this.#options = options;
    const { files, me, termMs, clock } = options;
    this.#voter = new ShareVoter({
      ...{ me, termMs, seat: files.seat, nodes: files.nodes },
      startedAt: clock.now(),
      former: files.former(),
    });
  }

  heard(message: ToShare): void {
    this.#step(message);
  }

  #step(event: Untimed): void {
    if (this.#failed) return;
    const now = this.#options.clock.now();
    for (const effect of this.#voter.step({ ...event, now })) this.#perform(effect);
  }

  #perform(effect: ShareEffect): void {
    const { files, tell } = this.#options;
    switch (effect.type) {
      case 'write':
        return void this.#after(files.write(effect.sheet), () => this.#step({ type: 'written' }));
      case 'read':
        return void this.#after(files.readAll(), (sheets) => this.#step({ type: 'read', sheets }));
      case 'answer':
      case 'message':
        return tell(effect);
    }
  }

  async #after<T>(work: Promise<T>, done: (result: T) => void): Promise<void> {
    try {
      done(await work);
    } catch (error) {
      this.#failed = true;
      this.#options.fail(error);
    }
  }
}
