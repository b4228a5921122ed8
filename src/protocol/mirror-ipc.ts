/**
 * A mirror's local socket (`RUNDIR/mirror-MIRROR.sock`): one JSON object per line. Control is the
 * client and the only one who steers; the mirror outlives control and goes on as it was told last.
 * Every command carries an `id` and gets exactly one `done`.
 */
import type { Epoch, NodeId } from './ids.ts';
import type { VersionRange } from './versions.ts';

export type ToMirror = { readonly id: number } &
  /**
   * Be the primary: mount over the directory and serve. `inSync` are the copies that must
   * acknowledge (this node among them); one that is not connected is waited for until control
   * expels it. Done when the mount answers.
   */
  (
    | { readonly type: 'serve'; readonly epoch: Epoch; readonly inSync: readonly NodeId[] }
    /** Be a secondary of that primary: guard the path, accept its stream. Done when it listens. */
    | {
        readonly type: 'follow';
        readonly epoch: Epoch;
        readonly primary: NodeId;
        /**
         * Changes here from before that epoch were given up by force, and nobody else may have them:
         * the copy is not overwritten until its directory was emptied. From version 2 on.
         */
        readonly keepBefore?: Epoch | undefined;
      }
    /**
     * Secondary: acknowledge nothing more of `epoch` or older, apply what came. Done with that.
     * Refused (`copy-stale`) where there is no copy: a take-over rests on what it has.
     */
    | { readonly type: 'seal'; readonly epoch: Epoch }
    /** The takeover came to nothing: accept the stream of the sealed epoch again. */
    | { readonly type: 'unseal' }
    /**
     * Primary: admit no more changes, send what is left, unmount, and have all in-sync copies on
     * stable storage. Done when this node's copy and theirs are equal. Fails when a user of the
     * mount does not let go; the mount is then as before.
     */
    | { readonly type: 'drain' }
    /** Primary without authority: end the mount now; every call below it fails. */
    | { readonly type: 'abort' }
    /** The registry voted this peer out of `inSync`: go on without it. */
    | { readonly type: 'expel'; readonly peer: NodeId }
    /** The registry voted this peer in. */
    | { readonly type: 'admit'; readonly peer: NodeId }
    /** Primary: compare every copy that is there with this one. Done when that has begun. */
    | { readonly type: 'verify'; readonly bytesPerSecond: number }
    /** What other nodes the heart hears, to try them or not. */
    | { readonly type: 'peers'; readonly up: readonly NodeId[] }
    | { readonly type: 'status' }
  );

export type FromMirror =
  | { readonly type: 'done'; readonly id: number; readonly ok: true; readonly status: MirrorStatus }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly ok: false;
      readonly code: string;
      readonly message: string;
    }
  /** An in-sync copy does not answer: acknowledgements wait. Control decides whether to expel it. */
  | {
      readonly type: 'peerSilent';
      readonly peer: NodeId;
      readonly silentMs: number;
      readonly reason: string;
    }
  /** It answers again; nothing was lost. */
  | { readonly type: 'peerAnswers'; readonly peer: NodeId }
  /** The copy failed for good (disk full, I/O error, diverged): expel it now. */
  | { readonly type: 'peerFailed'; readonly peer: NodeId; readonly reason: string }
  /** A resynced copy has everything on stable storage and acknowledges: vote it in. */
  | { readonly type: 'peerCaughtUp'; readonly peer: NodeId }
  /** A verification has found that copy equal. */
  | {
      readonly type: 'verified';
      readonly peer: NodeId;
      readonly files: number;
      readonly bytes: number;
    }
  /** It came to nothing, because this node's own store could not be read. */
  | { readonly type: 'verifyFailed'; readonly peer: NodeId; readonly reason: string }
  /** The local store or the mount failed. */
  | { readonly type: 'failed'; readonly code: string; readonly reason: string }
  /** Programs that had files open below before the mount write past it: no copy gets that. */
  | { readonly type: 'bypassed'; readonly by: readonly string[] }
  /** On every change and once a second. */
  | { readonly type: 'status'; readonly status: MirrorStatus };

export interface MirrorStatus {
  /** The versions of this protocol that the mirror speaks; undefined: the first one. */
  readonly speaks?: VersionRange | undefined;
  readonly role: 'idle' | 'primary' | 'secondary' | 'sealed';
  readonly epoch: Epoch | undefined;
  readonly mounted: boolean;
  /** Why acknowledgements wait at this moment, if they do. */
  readonly frozen: string | undefined;
  /** Last change that entered the stream (primary) or was applied (secondary). */
  readonly sequence: number;
  readonly peers: readonly MirrorPeerStatus[];
}

export interface MirrorVerifyStatus {
  /** By a person, or by the scrub that goes on all the time. */
  readonly kind: 'asked' | 'scrub';
  readonly state: 'running' | 'equal' | 'broken-off';
  /** Compared so far. */
  readonly files: number;
  readonly bytes: number;
  /** Why it was broken off. */
  readonly detail: string;
}

export interface MirrorPeerStatus {
  readonly node: NodeId;
  readonly state: 'absent' | 'connecting' | 'resync' | 'caught-up' | 'in-sync' | 'failed';
  /** Bytes that the peer lacks, as far as known. */
  readonly behindBytes: number;
  readonly resync:
    | {
        readonly filesDone: number;
        readonly filesTotal: number;
        readonly bytesDone: number;
        readonly bytesTotal: number;
      }
    | undefined;
  /** The last verification since the primary began to serve. */
  readonly verify?: MirrorVerifyStatus | undefined;
  readonly detail: string;
}
