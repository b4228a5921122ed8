/**
 * How a stream begins: what the primary decides when a copy has said hello, and whether a secondary
 * lets a primary in. Pure functions over what both ends said.
 */
import type { Epoch, NodeId } from '../../protocol/ids.ts';
import type {
  ActivitySegment,
  Checkpoint,
  CopyWorth,
  RefusalCode,
} from '../../protocol/mirror-frames.ts';

/** What the primary knows about its own stream. */
export interface PrimaryStream {
  readonly epoch: Epoch;
  readonly session: string;
  /** The note of its own copy when it began to serve this epoch. */
  readonly startedFrom: CopyWorth;
  /** The number before that of its first entry. */
  readonly first: number;
  /** Every entry behind this one is still there to be sent. */
  readonly sendableFrom: number;
  /** Last entry so far. */
  readonly last: number;
  /** Whether all that was changed behind that entry is known (`dirty-map.ts`). */
  readonly knowsSince: (seq: number) => boolean;
  /** Its own runs before this one, with no other primary in between, all of whose changes it knows. */
  readonly formerRuns: readonly ActivitySegment[];
  /** Where its copy was for certain in the stream that it followed before these. */
  readonly base: Checkpoint | undefined;
}

export interface CopyHello {
  readonly epoch: Epoch;
  readonly session: string;
  readonly applied: number;
  readonly copy: CopyWorth;
  /** What its store had for certain when its process began. */
  readonly checkpoint?: Checkpoint | undefined;
  /** It was the primary in these runs, and knows what it changed in them. */
  readonly activity?: readonly ActivitySegment[] | undefined;
}

/**
 * What can differ, beside what was changed behind `since`. `former`: what this node changed in its
 * runs before this one; `own`: also what the copy changed as the primary, which it tells.
 */
export type BesideSince = 'nothing' | 'former' | 'own';

export type StartDecision =
  | { readonly type: 'resume'; readonly from: number }
  | { readonly type: 'follow'; readonly from: number }
  /** `since`: only what was changed behind that entry can differ. Undefined: anything can. */
  | {
      readonly type: 'resync';
      readonly reason: string;
      readonly since?: number;
      readonly beside?: BesideSince;
    }
  | { readonly type: 'refuse'; readonly reason: string };

/** Primary: how the stream to this copy begins. `resyncing`: its resync had not ended. */
export function decideStart(
  stream: PrimaryStream,
  hello: CopyHello,
  resyncing: boolean,
): StartDecision {
  if (hello.copy.state === 'foreign') {
    return {
      type: 'refuse',
      reason:
        'its directory has files that Tako did not put there; ' +
        'move them away so that nothing is overwritten',
    };
  }
  if (hello.copy.state === 'kept') {
    return {
      type: 'refuse',
      reason:
        'it has changes from before the group was forced, which nobody else may have; save what is ' +
        'needed of them, then empty the directory of the mirror there, and it is copied anew',
    };
  }
  if (hello.session === stream.session && hello.epoch === stream.epoch) {
    if (hello.applied > stream.last) {
      return { type: 'refuse', reason: 'it claims entries that were never sent' };
    }
    if (resyncing) return { type: 'resync', reason: 'the connection broke during its resync' };
    if (hello.applied >= stream.sendableFrom) return { type: 'resume', from: hello.applied };
    return resyncSince(stream, hello.applied, 'it was away for too long');
  }
  if (equalAtStart(stream.startedFrom, hello.copy)) {
    if (stream.sendableFrom === stream.first) return { type: 'follow', from: stream.first };
    return resyncSince(stream, stream.first, 'it came too late to follow from the start');
  }
  const { checkpoint } = hello;
  const ofThisStream =
    checkpoint?.session === stream.session &&
    checkpoint.epoch === stream.epoch &&
    checkpoint.seq <= stream.last;
  if (ofThisStream) return resyncSince(stream, checkpoint.seq, 'it lost what it had not stored');
  if (checkpoint !== undefined && isKnownIn(stream.formerRuns, checkpoint)) {
    return resyncSince(stream, stream.first, 'the primary was started anew', 'former');
  }
  if (stream.base !== undefined && isKnownIn(hello.activity ?? [], stream.base)) {
    return resyncSince(stream, stream.first, 'it was the primary before', 'own');
  }
  return { type: 'resync', reason: whyDifferent(hello.copy) };
}

/** Everything that was changed behind that position lies in those runs. */
function isKnownIn(runs: readonly ActivitySegment[], { epoch, session, seq }: Checkpoint): boolean {
  return runs.some((run) => run.epoch === epoch && run.session === session && run.first <= seq);
}

function resyncSince(
  stream: PrimaryStream,
  seq: number,
  reason: string,
  beside: BesideSince = 'nothing',
): StartDecision {
  if (stream.knowsSince(seq)) return { type: 'resync', reason, since: seq, beside };
  return { type: 'resync', reason: `${reason}, and what has changed since is not known` };
}

/** Both copies ended the same epoch at the same position, by a switchover. */
export function equalAtStart(own: CopyWorth, other: CopyWorth): boolean {
  return (
    own.state === 'clean' &&
    other.state === 'clean' &&
    own.epoch === other.epoch &&
    own.seq === other.seq
  );
}

function whyDifferent(copy: CopyWorth): string {
  if (copy.state === 'empty') return 'it has no copy yet';
  if (copy.state === 'clean') return `its copy ended at epoch ${copy.epoch}, ours elsewhere`;
  return 'what its copy lacks is not known';
}

/** What a secondary was told by its control process. */
export interface Following {
  readonly epoch: Epoch;
  readonly primary: NodeId;
}

export interface PrimaryHello {
  readonly node: NodeId;
  readonly epoch: Epoch;
}

export type Admission =
  | { readonly type: 'accept' }
  | { readonly type: 'refuse'; readonly why: RefusalCode; readonly message: string };

/**
 * Secondary: is this the primary to follow? `sealed` is the epoch up to which everything is
 * refused. A newer epoch than the one told is let in: the registry has moved on and the word has
 * not reached this node yet. Never an older one.
 */
export function decideAdmission(
  following: Following | undefined,
  sealed: Epoch | undefined,
  hello: PrimaryHello,
): Admission {
  if (sealed !== undefined && hello.epoch <= sealed) {
    return refuse('sealed', `this copy is sealed against epoch ${sealed} and older`);
  }
  if (following === undefined) {
    return refuse('not-following', 'this node does not follow any primary at present');
  }
  if (hello.epoch < following.epoch) {
    return refuse('stale', `epoch ${hello.epoch} is over, epoch ${following.epoch} has begun`);
  }
  if (hello.epoch === following.epoch && hello.node !== following.primary) {
    return refuse('stale', `"${following.primary}" is the primary of epoch ${following.epoch}`);
  }
  return { type: 'accept' };
}

function refuse(why: RefusalCode, message: string): Admission {
  return { type: 'refuse', why, message };
}
