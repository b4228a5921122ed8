/**
 * The receiving copy of a mirror, as the stream's connection uses it: applies entries in order on
 * the local store, makes them durable when asked, and knows what the copy is worth.
 *
 * Everything here is called on the main thread of the mirror process. `apply` is synchronous and
 * short (one system call or a few); whatever takes long (fdatasync, syncfs, digests of a file) goes
 * to the background and reports through the listener.
 */
import type { Change } from '../protocol/change.ts';
import type { DirtyPaths } from '../protocol/dirty-paths.ts';
import type { Epoch } from '../protocol/ids.ts';
import type { Checkpoint } from '../protocol/mirror-frames.ts';

/** One entry of the stream. `seq` grows by one with each entry of an epoch, whoever it is for. */
export type StreamEntry =
  /** A change of the tree. `sync` is answered with `synced(seq)`, all others by returning. */
  | { readonly kind: 'change'; readonly seq: number; readonly change: Change }
  /** A message of the resync source to the resync target (src/protocol/resync.ts). */
  | { readonly kind: 'resync'; readonly seq: number; readonly body: Uint8Array }
  /**
   * Make everything that was applied so far durable (the whole store, also what a resync wrote),
   * then answer `synced(seq)`. It ends a resync: from here on the copy applies strictly. With
   * `clean` it also ends the epoch by a switchover: the note becomes `clean` with this epoch and
   * position before `synced(seq)`, which does not wait for the disk then: nobody was told that
   * what no sync asked for is durable.
   */
  | { readonly kind: 'barrier'; readonly seq: number; readonly clean: boolean };

/** What this node's copy is worth, kept in `STATEDIR/mirrors/MIRROR.json`. */
export type CopyState =
  /** Never a copy of this mirror, and the directory is empty. */
  | { readonly state: 'empty' }
  /** Never a copy of this mirror, and the directory has files: must not be overwritten. */
  | { readonly state: 'foreign' }
  /** Equal to the copies of all others with the same note, up to this position. */
  | { readonly state: 'clean'; readonly epoch: Epoch; readonly seq: number }
  /**
   * A copy that was in use; what it lacks or has too much is unknown. `partial`: a resync was under
   * way, so it is also torn: no state that the primary ever had.
   */
  | {
      readonly state: 'dirty';
      readonly partial?: boolean | undefined;
      /** With `partial`: the epoch of the primary that overwrites all that was there before. */
      readonly base?: Epoch | undefined;
    };

/** The copy's note. Reads are cheap (cached). */
export interface CopyNote {
  read(): CopyState;
  /**
   * The same where changes from before that epoch were given up by force: `kept` as long as the copy
   * has any; `empty` once somebody has moved everything out of its directory.
   */
  readKept(before: Epoch): CopyState | { readonly state: 'kept' };
  /**
   * `dirty` is on disk when this returns; throws a `TakoError` when it cannot be. `clean` gets there
   * by itself after a while, unless `dirty` follows; a crash before that leaves `dirty`.
   */
  write(state: Extract<CopyState, { readonly state: 'dirty' | 'clean' }>): void;
  /** What the copy had for certain when that was noted last; kept while it is `dirty` and not torn. */
  readonly checkpoint: Checkpoint | undefined;
  /**
   * Everything up to there is on stable storage. Resolves once the note says so; false when it cannot,
   * because the copy is torn or `clean`, or the note cannot be written, which is logged.
   */
  noteCheckpoint(checkpoint: Checkpoint): Promise<boolean>;
  /**
   * The copy may differ from its primary where nothing was changed. On disk when this returns; throws
   * a `TakoError` when it cannot be.
   */
  voidCheckpoint(): void;
  /** Brings a `clean` to disk now, after everything of the copy. One that fails is logged. */
  settle(): Promise<void>;
}

export interface ReplicaListener {
  /**
   * The `sync` or `barrier` entry with this number is on stable storage. In any order. Syncs that
   * come while a resync runs are answered after its barrier, for the copy is torn until then.
   */
  synced(seq: number): void;
  /** Everything up to that entry is on stable storage, and noted to be. */
  stored(seq: number): void;
  /** A message of the resync target to the resync source. */
  answer(body: Uint8Array): void;
  /**
   * The copy cannot follow any more (disk full, I/O error, diverged). Called at most once; the
   * entries after it are ignored until the next `begin`.
   */
  failed(reason: string): void;
}

export interface ReplicaStart {
  readonly epoch: Epoch;
  /** Names the stream. */
  readonly session: string;
  /** The number before that of the first entry that comes. */
  readonly from: number;
  /** `follow`: the copy equals the primary's at the start, each change must fit. */
  readonly mode: 'follow' | 'resync';
  /** `resync`: what this node changed as the primary, if the present one is to be told. */
  readonly own?: DirtyPaths | undefined;
}

export interface Replica {
  /**
   * A stream begins; writes the note `dirty` first (throws if it cannot). A lost connection that
   * resumes at the next entry does not begin again.
   */
  begin(start: ReplicaStart, listener: ReplicaListener): void;
  /** In order, each entry once. When it returns, the entry is visible on the store. */
  apply(entry: StreamEntry): void;
  /**
   * The stream is over (seal, another epoch, shutdown): closes files, drops resync work. Resolves
   * when no background work of it is left; the listener hears nothing more.
   */
  end(): Promise<void>;
}

/** The read-only bind mount that keeps others from writing into the directory of a mirror. */
export interface PathGuard {
  /**
   * The directory itself, writable for whoever has this descriptor, whether the guard is up or not;
   * a guard that is up stays up. Throws when there is no such directory.
   */
  open(): number;
  /** Best effort: undefined when the guard is up, otherwise why it is not. Repeatable. */
  raise(): string | undefined;
  /** Takes it away, also one that a former process left. Repeatable; same result as `raise`. */
  lower(): string | undefined;
}
