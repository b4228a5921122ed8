/**
 * The activity log of a mirror that this node serves, as the main thread has it: where it begins, and when
 * its oldest parts can go, because every other copy and this one have on stable storage what is in them.
 */
import type {
  ActivityBeginning,
  ActivityStore,
  KnownActivity,
} from '../adapters/mirror/activity/activity-store.ts';
import {
  ActivityRequest,
  type Asked,
  type Rolled,
} from '../adapters/mirror/activity/activity-request.ts';
import { type Instant, plus } from '../base/time.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import type { Checkpoint } from '../protocol/mirror-frames.ts';
import type { DirtyPaths } from '../protocol/dirty-paths.ts';
import type { ActivityTask } from './mirror-capture-worker.ts';

/** What was not touched for about so long is not compared after a crash. */
const GENERATION_MS = 30_000;
/** After the beginning: whoever starts now needs the disk more. */
const FIRST_SYNC_MS = 1000;
const NOTHING: DirtyPaths = new Map();

export interface MirrorActivityOptions {
  readonly store: ActivityStore;
  readonly epoch: Epoch;
  readonly session: string;
  /** The number before that of the first entry of this run. */
  readonly first: number;
  /** What this copy had for certain of the stream that it followed before. */
  readonly checkpoint: Checkpoint | undefined;
  readonly others: readonly NodeId[];
  /** Everything of this copy is on stable storage when it resolves; rejects when it is not. */
  readonly sync: () => Promise<void>;
  readonly now: Instant;
}

export class MirrorActivity {
  readonly #options: MirrorActivityOptions;
  readonly #request = new ActivityRequest();
  readonly #beginning: ActivityBeginning;
  readonly #storedBy = new Map<NodeId, number>();
  #beganAt: Instant;
  /** What this copy had received before may not be stored yet, and is in no region. */
  #firstSyncAt: Instant | undefined;
  /** What goes on; the next generation begins only when nothing does. */
  #stage: 'idle' | Asked | 'sync' = 'idle';
  /** The newest generation; and one before which everything is stored here, as its file says. */
  #rolled: Rolled | undefined;
  #syncedFor: Rolled | undefined;
  #stored: Rolled | undefined;

  /** Throws a `TakoError` when the place for it cannot be made. */
  constructor(options: MirrorActivityOptions) {
    this.#options = options;
    this.#beginning = options.store.begin();
    this.#beganAt = options.now;
    this.#firstSyncAt = plus(options.now, FIRST_SYNC_MS);
  }

  get task(): ActivityTask {
    const { store, epoch, session, first } = this.#options;
    const { directory, identity } = store;
    const head = { epoch, session, first, directory: identity, base: this.base };
    const { generation } = this.#beginning;
    return { directory, generation, head, request: this.#request.memory };
  }

  /** Where this copy was for certain before all the runs whose changes are known. */
  get base(): Checkpoint | undefined {
    const { known, isFirst } = this.#beginning;
    return isFirst ? this.#options.checkpoint : known?.base;
  }

  /** The runs of this node before this one. */
  get formerRuns(): KnownActivity['segments'] {
    return this.#beginning.known?.segments ?? [];
  }

  /** What was changed in them. */
  get formerPaths(): DirtyPaths {
    return this.#beginning.known?.regions ?? NOTHING;
  }

  /** What not all copies have of this run and the former ones, more coarsely than a dirty map knows it. */
  recorded(): DirtyPaths | undefined {
    const known = this.#options.store.current();
    return known?.regions;
  }

  /** Whether changes are refused because they cannot be recorded. */
  get refuses(): boolean {
    return this.#request.refuses;
  }

  /** That copy has on stable storage everything of this run up to that entry. */
  stored(node: NodeId, seq: number): void {
    this.#storedBy.set(node, Math.max(seq, this.#storedBy.get(node) ?? 0));
  }

  timePassed(now: Instant): void {
    if (this.#request.pending === undefined) this.#answered();
    this.#forget();
    if (this.#firstSyncAt !== undefined && now >= this.#firstSyncAt) {
      this.#firstSyncAt = undefined;
      this.#sync({ generation: this.#beginning.generation, first: this.#options.first });
    }
    // While a copy is away, a new file would only be one more.
    const isDue = now - this.#beganAt >= GENERATION_MS && this.#allHave(this.#lastFirst);
    if (!isDue || this.#stage !== 'idle') return;
    this.#beganAt = now;
    this.#ask('roll');
  }

  #ask(what: Asked): void {
    this.#stage = what;
    this.#request.ask(what);
  }

  /** What was asked is done: a new generation is followed by a sync, and that by a note of it. */
  #answered(): void {
    const { outcome } = this.#request;
    if (this.#stage === 'roll') {
      if (outcome === undefined) this.#stage = 'idle';
      else this.#sync(outcome);
    } else if (this.#stage === 'stored') {
      this.#stage = 'idle';
      this.#stored = outcome === undefined ? undefined : this.#syncedFor;
    }
  }

  /** Everything before that generation, which is being written. */
  #sync(rolled: Rolled): void {
    this.#stage = 'sync';
    this.#rolled = rolled;
    this.#options.sync().then(
      () => {
        this.#syncedFor = rolled;
        this.#ask('stored');
      },
      () => {
        // Whoever needs it reports that; then the files just stay.
        this.#stage = 'idle';
        if (rolled.first === this.#options.first)
          this.#firstSyncAt = plus(this.#beganAt, GENERATION_MS);
      },
    );
  }

  #forget(): void {
    const stored = this.#stored;
    if (stored === undefined || !this.#allHave(stored.first)) return;
    this.#stored = undefined;
    void this.#options.store.forgetBefore(stored.generation);
  }

  /** Where the newest generation but this one began: what all have to have before another is begun. */
  get #lastFirst(): number {
    return this.#rolled?.first ?? this.#options.first;
  }

  #allHave(seq: number): boolean {
    return this.#options.others.every((node) => (this.#storedBy.get(node) ?? -1) >= seq);
  }
}
