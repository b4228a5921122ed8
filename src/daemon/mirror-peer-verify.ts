/**
 * The verification of one copy, as the primary runs it: at most one at a time. One that somebody asked for
 * goes before the scrub, which runs by itself, slowly, and again some time after its last end.
 */
import type { VerifyProgress } from '../adapters/mirror/copy/verify-source.ts';
import { type Instant, plus } from '../base/time.ts';
import type { Clock } from '../ports/clock.ts';
import type { FromMirror, MirrorVerifyStatus } from '../protocol/mirror-ipc.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { RunEvents, StoreRun } from './mirror-store-run.ts';

/** Before the first scrub of a copy, and between two. */
export const SCRUB_PAUSE_MS = 600_000;

export interface PeerVerifyDeps {
  readonly clock: Clock;
  readonly start: (
    run: { readonly target: number; readonly run: number; readonly bytesPerSecond: number },
    events: RunEvents<VerifyProgress>,
  ) => StoreRun;
  readonly report: (message: FromMirror) => void;
  readonly changed: () => void;
}

export interface VerifyRun {
  readonly kind: MirrorVerifyStatus['kind'];
  /** Names the run in the stream. */
  readonly target: number;
  readonly bytesPerSecond: number;
}

export class PeerVerify {
  readonly #peer: NodeId;
  readonly #deps: PeerVerifyDeps;
  #run: StoreRun | undefined;
  #runs = 0;
  #status: MirrorVerifyStatus | undefined;
  #scrubAt: Instant;

  constructor(peer: NodeId, deps: PeerVerifyDeps) {
    this.#peer = peer;
    this.#deps = deps;
    this.#scrubAt = plus(deps.clock.now(), SCRUB_PAUSE_MS);
  }

  /** Of the last run in this epoch, if there was one. */
  get status(): MirrorVerifyStatus | undefined {
    return this.#status;
  }

  /** One that was asked for is under way. */
  get busy(): boolean {
    return this.#run !== undefined && this.#status?.kind === 'asked';
  }

  scrubIsDue(now: Instant): boolean {
    return this.#run === undefined && now >= this.#scrubAt;
  }

  start({ kind, target, bytesPerSecond }: VerifyRun): void {
    this.breakOff('another verification was begun');
    this.#runs += 1;
    this.#status = { kind, state: 'running', files: 0, bytes: 0, detail: '' };
    this.#run = this.#deps.start(
      { target, run: this.#runs, bytesPerSecond },
      {
        progress: (progress) => this.#went(kind, 'running', progress),
        ended: (progress) => {
          this.#end();
          this.#went(kind, 'equal', progress);
          if (kind === 'asked') {
            this.#deps.report({ type: 'verified', peer: this.#peer, ...progress });
          }
        },
        failed: (reason) => {
          this.breakOff(reason);
          this.#deps.report({ type: 'verifyFailed', peer: this.#peer, reason });
        },
      },
    );
    this.#deps.changed();
  }

  /** A message of the copy. */
  receive(body: Uint8Array): void {
    this.#run?.receive(body);
  }

  /** How far it had come stays in the status. */
  breakOff(reason: string): void {
    const status = this.#status;
    if (this.#run === undefined || status === undefined) return;
    this.#end();
    this.#status = { ...status, state: 'broken-off', detail: reason };
    this.#deps.changed();
  }

  #went(
    kind: MirrorVerifyStatus['kind'],
    state: MirrorVerifyStatus['state'],
    { files, bytes }: VerifyProgress,
  ): void {
    this.#status = { kind, state, files, bytes, detail: '' };
    this.#deps.changed();
  }

  #end(): void {
    this.#run?.stop();
    this.#run = undefined;
    this.#scrubAt = plus(this.#deps.clock.now(), SCRUB_PAUSE_MS);
  }
}
