/**
 * The activity log of a mirror that this node serves, as the main thread has it: where it begins, and when
 * its oldest parts can go, because every other copy and this one have on stable storage what is in them.
 */
import type {
  ActivityBeginning,
  ActivityStore,
  KnownActivity,
} from '../adapters/mirror/activity/activity-store.ts';
import { RollRequest, type Rolled } from '../adapters/mirror/activity/roll-request.ts';
import type { Instant } from '../base/time.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import type { Checkpoint } from '../protocol/mirror-frames.ts';
import type { DirtyPaths } from '../protocol/dirty-paths.ts';
import type { ActivityTask } from './mirror-capture-worker.ts';

/** What was not touched for about so long is not compared after a crash. */
const GENERATION_MS = 30_000;
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
  /** Everything of this copy is on stable storage when it resolves; rejects when it cannot be. */
  readonly sync: () => Promise<void>;
  readonly now: Instant;
}

export class MirrorActivity {
  readonly #options: MirrorActivityOptions;
  readonly #request = new RollRequest();
  readonly #beginning: ActivityBeginning;
  readonly #stored = new Map<NodeId, number>();
  #beganAt: Instant;
  /** The newest generation; what is in those before it is stored here, once `synced`. */
  #rolled: Rolled | undefined;
  #synced = false;
  #asked = false;

  /** Throws a `TakoError` when the place for it cannot be made. */
  constructor(options: MirrorActivityOptions) {
    this.#options = options;
    this.#beginning = options.store.begin();
    this.#beganAt = options.now;
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
    this.#stored.set(node, Math.max(seq, this.#stored.get(node) ?? 0));
  }

  timePassed(now: Instant): void {
    if (this.#asked) this.#lookWhetherRolled();
    this.#forget();
    // While a copy is away, a new file would only be one more.
    if (this.#asked || now - this.#beganAt < GENERATION_MS || !this.#allHave(this.#lastFirst))
      return;
    this.#beganAt = now;
    this.#asked = true;
    this.#request.ask();
  }

  #lookWhetherRolled(): void {
    if (this.#request.pending) return;
    this.#asked = false;
    const { rolled } = this.#request;
    if (rolled === undefined) return;
    this.#rolled = rolled;
    this.#synced = false;
    // What cannot be stored here is reported by whoever needs it; then the files just stay.
    this.#options.sync().then(
      () => {
        if (this.#rolled === rolled) this.#synced = true;
      },
      () => undefined,
    );
  }

  #forget(): void {
    const rolled = this.#rolled;
    if (rolled === undefined || !this.#synced || !this.#allHave(rolled.first)) return;
    this.#synced = false;
    void this.#options.store.forgetBefore(rolled.generation);
  }

  /** Where the newest generation but this one began: what all have to have before another is begun. */
  get #lastFirst(): number {
    return this.#rolled?.first ?? this.#options.first;
  }

  #allHave(seq: number): boolean {
    return this.#options.others.every((node) => (this.#stored.get(node) ?? -1) >= seq);
  }
}
