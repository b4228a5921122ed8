/**
 * A mirror that serves: the mount, the capture worker, the stream and the copies, for one epoch.
 * One object per `serve`; nothing of it is used again, so that a worker that hangs in the store
 * cannot disturb the next epoch.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { ActivityStore } from '../adapters/mirror/activity/activity-store.ts';
import { GATE_BYTES, GATE_OPEN_WORD, STOP_WORD } from '../adapters/mirror/stream/capture-sink.ts';
import { LeaseGate } from '../adapters/mirror/stream/lease-gate.ts';
import { sleptMs } from '../adapters/supervise/sleep-watch.ts';
import { SharedRing } from '../adapters/mirror/stream/shared-ring.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import { AckTracker } from '../core/mirror/ack-tracker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { CopyNote, CopyState } from '../ports/replica.ts';
import { type DirtyPaths, unitedPaths } from '../protocol/dirty-paths.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import type { FromMirror, MirrorPeerStatus } from '../protocol/mirror-ipc.ts';
import type { MirrorControl } from '../protocol/mirror-frames.ts';
import { CLUSTER_PROTOCOL, toldRange } from '../protocol/versions.ts';
import type { CaptureWorker } from './mirror-capture-worker.ts';
import { HeldReplies } from './mirror-held.ts';
import type { MirrorHelper } from './mirror-helper-worker.ts';
import { MirrorActivity } from './mirror-activity.ts';
import { MirrorDirty } from './mirror-dirty.ts';
import { type MirrorMount, openMount } from './mirror-mount.ts';
import { type PeerContext, PrimaryPeer, type ResyncScope } from './mirror-peer.ts';
import { type KnownDirty, startResyncWorker, startVerifyWorker } from './mirror-store-run.ts';
import type { MirrorSetup } from './mirror-setup.ts';
import { StreamReader } from './mirror-stream.ts';

const RING_BYTES = 32 * 1024 * 1024;
const HELD_RING_BYTES = 1024 * 1024;
const TICK_MS = 50;
/** After the mount, when programs that write below it are looked for; the start has precedence. */
const LOOK_BELOW_MS = 1000;
const MOUNT_MS_MAX = 10_000;
const SESSION_END_MS_MAX = 5000;
const TARGETS = 255;
const FIRST_LIMIT = 2 ** 47;

export interface PrimaryOptions {
  readonly epoch: Epoch;
  readonly inSync: readonly NodeId[];
  readonly setup: MirrorSetup;
  readonly rootFd: number;
}

export interface PrimaryDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly note: CopyNote;
  readonly activity: ActivityStore;
  /** Makes everything of the copy durable; rejects when it cannot be. May take long. */
  readonly sync: () => Promise<void>;
  readonly capture: CaptureWorker;
  readonly helper: MirrorHelper;
  readonly tls: (peer: NodeId) => ConnectionOptions;
  readonly report: (message: FromMirror) => void;
  readonly changed: () => void;
}

export class MirrorPrimary {
  readonly epoch: Epoch;
  readonly #options: PrimaryOptions;
  readonly #deps: PrimaryDeps;
  readonly #session = randomBytes(8).toString('hex');
  readonly #startedFrom: CopyState;
  /**
   * Numbers start anywhere, so that two runs of one epoch (a drain whose switchover came to nothing)
   * never end at the same position with different contents.
   */
  readonly #ring = SharedRing.create(RING_BYTES, randomInt(FIRST_LIMIT));
  readonly #heldRing = SharedRing.create(HELD_RING_BYTES);
  readonly #gate = new Int32Array(new SharedArrayBuffer(GATE_BYTES));
  readonly #tracker: AckTracker;
  readonly #lease: LeaseGate;
  readonly #stream: StreamReader;
  readonly #dirty: MirrorDirty;
  /** Undefined where no other node has a copy. */
  readonly #activity: MirrorActivity | undefined;
  readonly #mount: MirrorMount;
  readonly #held: HeldReplies;
  readonly #peers: readonly PrimaryPeer[];
  readonly #timer: NodeJS.Timeout;
  readonly #waiters = new Set<() => void>();
  /** The capture worker is done with the device and the store. */
  readonly ended: Promise<string | undefined>;
  #mounted = false;
  #aborted = false;
  #draining = false;
  #unmounting = false;
  #storeFailed = false;
  #lastTarget = 0;
  #cleanBarrier: number | undefined;

  /** Mounts; the capture worker begins. Throws when the mount or the note cannot be made. */
  constructor(options: PrimaryOptions, deps: PrimaryDeps) {
    const { epoch, setup, rootFd } = options;
    this.epoch = epoch;
    this.#options = options;
    this.#deps = deps;
    this.#startedFrom = deps.note.read();
    this.#activity = this.#beginActivity();
    if (this.#startedFrom.state !== 'dirty') deps.note.write({ state: 'dirty' });
    const lease = { path: setup.leaseMarkPath, epoch };
    this.#lease = new LeaseGate(lease, sleptMs);
    this.#tracker = new AckTracker(setup.config.mode);
    this.#dirty = new MirrorDirty(this.#ring.last, this.#gate, deps.clock.now());
    this.#stream = new StreamReader(this.#ring, {
      onBarrier: (seq, target) => this.#barrier(seq, target),
      onChange: (seq, payload) => this.#dirty.changed(seq, payload),
    });
    Atomics.store(this.#gate, GATE_OPEN_WORD, 1);
    this.#mount = openMount(setup.config.path, setup.id);
    this.#held = new HeldReplies({
      ring: this.#heldRing,
      tracker: this.#tracker,
      fuseFd: this.#mount.fuseFd,
      lease: this.#lease,
      clock: deps.clock,
      onStoreFailed: (reason) => this.#storeProblem(reason),
    });
    this.ended = deps.capture.run({
      fuseFd: this.#mount.fuseFd,
      rootFd,
      lease,
      answerAtOnce: setup.config.mode === 'durable',
      stream: this.#ring.memory,
      held: this.#heldRing.memory,
      gate: this.#gate.buffer as SharedArrayBuffer,
      activity: this.#activity?.task,
    });
    this.#peers = setup.peers.map((peer) => new PrimaryPeer(peer, this.#peerContext()));
    for (const peer of this.#peers) {
      if (options.inSync.includes(peer.node)) peer.vote();
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    void this.ended.then((problem) => this.#sessionEnded(problem));
    void this.#readRing(this.#ring, () => this.#streamGrew());
    void this.#readRing(this.#heldRing, () => {
      // The stream first, so that no reply is judged before the barriers that came ahead of it.
      this.#streamGrew();
      this.#held.scan();
    });
  }

  #beginActivity(): MirrorActivity | undefined {
    const { activity: store, note, sync, clock } = this.#deps;
    const { epoch, setup } = this.#options;
    if (setup.peers.length === 0) return undefined;
    return new MirrorActivity({
      store,
      epoch,
      session: this.#session,
      first: this.#ring.last,
      checkpoint: note.checkpoint,
      others: setup.peers.map(({ node }) => node),
      sync,
      now: clock.now(),
    });
  }

  get mounted(): boolean {
    return this.#mounted;
  }

  get sequence(): number {
    return this.#stream.last - this.#stream.first;
  }

  /** Aborted, by a command or by itself. */
  get over(): boolean {
    return this.#aborted;
  }

  /** Connects to the copies, and resolves when the mount answers. */
  async begin(): Promise<void> {
    for (const peer of this.#peers) peer.start();
    const ready = this.#deps.capture.ready.then(() => 'ready' as const);
    const ended = this.ended.then((problem) => `ended: ${problem ?? 'it was taken away'}`);
    const outcome = await within(MOUNT_MS_MAX, Promise.race([ready, ended]));
    if (outcome === 'late') {
      throw new TakoError('timed-out', `The mount did not answer within ${MOUNT_MS_MAX} ms`);
    }
    if (outcome !== 'ready' || this.#aborted) {
      throw new TakoError('mirror-path', `The mount did not come up: ${outcome}`);
    }
    this.#mounted = true;
    this.#deps.changed();
    setTimeout(() => void this.#lookBelow(), LOOK_BELOW_MS).unref();
  }

  /** Nobody can open anything below the mount; but somebody may have done so before. */
  async #lookBelow(): Promise<void> {
    if (!this.#mounted) return;
    const { helper, log, report } = this.#deps;
    try {
      const writers = await helper.writersBelow(this.#options.setup.config.path);
      if (writers.length === 0) return;
      const by = writers.map(({ pid, program, file }) => `process ${pid} (${program}) has ${file}`);
      log.error('programs write below the mirror', { by });
      report({ type: 'bypassed', by });
    } catch (error) {
      log.warn('who writes below the mirror cannot be told', { error: messageOf(error) });
    }
  }

  frozen(): string | undefined {
    if (this.#draining) return 'the mirror is being drained';
    if (!this.#held.leaseValid) return 'the lease of the group has run out';
    const holders = this.#tracker.holders();
    if (holders.length === 0) return undefined;
    return `waiting for the acknowledgement of ${holders.map((node) => `"${node}"`).join(', ')}`;
  }

  peerStatus(): readonly MirrorPeerStatus[] {
    return this.#peers.map((peer) => peer.status());
  }

  facts(): readonly FromMirror[] {
    return this.#peers.flatMap((peer) => peer.facts());
  }

  /** The command was repeated: whoever is listed must acknowledge. */
  serveAgain(inSync: readonly NodeId[]): void {
    for (const node of inSync) this.#peer(node)?.vote();
  }

  admit(node: NodeId): boolean {
    const peer = this.#peer(node);
    peer?.vote();
    return peer !== undefined;
  }

  expel(node: NodeId): boolean {
    const peer = this.#peer(node);
    peer?.expel();
    this.#progressed();
    return peer !== undefined;
  }

  /** Has every copy compared that is there. Throws when there is none, or one cannot be. */
  verify(bytesPerSecond: number): void {
    const [first, ...others] = this.#peers.flatMap((peer) => peer.verifiable() ?? []);
    const there = this.#peers.filter((peer) => peer.verifiable() === undefined);
    if (there.length === 0) {
      const why = [first ?? 'there is no other copy', ...others].join('; ');
      throw new TakoError('busy', `Cannot verify: ${why}`, {
        next: 'Wait until "tako status" shows a copy in sync',
      });
    }
    for (const peer of there) peer.verify('asked', bytesPerSecond);
  }

  setUp(up: readonly NodeId[]): void {
    for (const peer of this.#peers) peer.setUp(up.includes(peer.node));
  }

  /**
   * Resolves when this copy and those in sync are equal and noted `clean`. It waits for no disk: what
   * a program had made durable is so everywhere already, and the rest was never promised.
   */
  async drain(): Promise<void> {
    const { helper, note } = this.#deps;
    const { path } = this.#options.setup.config;
    this.#unmounting = true;
    const problem = await helper.unmount(path);
    this.#unmounting = false;
    if (problem !== undefined) {
      throw new TakoError('busy', `Cannot unmount "${path}": ${problem}`, {
        next: `Find who uses it with: fuser -vm ${path}`,
      });
    }
    this.#draining = true;
    this.#mounted = false;
    this.#deps.changed();
    if ((await within(SESSION_END_MS_MAX, this.ended)) === 'late') {
      throw new TakoError('timed-out', 'The capture of changes did not end after the unmount');
    }
    // The barrier would tell a copy that is still behind that it is equal.
    for (const peer of this.#peers) if (!peer.joined) peer.stop('the mirror is being drained');
    await helper.barrier(this.#ring.memory);
    this.#streamGrew();
    const seq = await this.#cleanEverywhere();
    note.write({ state: 'clean', epoch: this.epoch, seq });
    this.#end('the mirror was drained');
  }

  /** Ends the mount at once: whatever waits fails, nothing is acknowledged any more. */
  abort(reason: string): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#mounted = false;
    Atomics.store(this.#gate, GATE_OPEN_WORD, 0);
    Atomics.store(this.#gate, STOP_WORD, 1);
    this.#mount.abort(this.#deps.log);
    this.#end(reason);
    for (const waiter of this.#waiters) waiter();
  }

  #end(reason: string): void {
    clearInterval(this.#timer);
    this.#held.drop();
    this.#ring.close();
    this.#heldRing.close();
    for (const peer of this.#peers) peer.stop(reason);
    this.#lease.close();
    // The device's number must not be used again while the worker may still read from it.
    const { fuseFd } = this.#mount;
    void this.ended.then(() => closeSync(fuseFd));
  }

  #peerContext(): PeerContext {
    const { log, clock, tls, report, changed } = this.#deps;
    const { setup, rootFd } = this.#options;
    return {
      log,
      clock,
      tls,
      report,
      changed,
      secondaryLostMs: setup.secondaryLostMs,
      scrubBytesPerSecond: setup.config.scrubBytesPerSecond,
      stream: this.#stream,
      tracker: this.#tracker,
      acknowledged: () => this.#progressed(),
      held: this.#held,
      hello: () => this.#hello(),
      streamFacts: () => ({
        epoch: this.epoch,
        session: this.#session,
        startedFrom: this.#startedFrom,
        knowsSince: (seq) => this.#changedSince(seq) !== undefined,
        formerRuns: this.#activity?.formerRuns ?? [],
        base: this.#activity?.base,
      }),
      stored: (node, seq) => this.#activity?.stored(node, seq),
      newTarget: () => {
        this.#lastTarget = (this.#lastTarget % TARGETS) + 1;
        return this.#lastTarget;
      },
      startResync: ({ target, ...scope }, events) => {
        const known = this.#knownDirty(scope);
        return startResyncWorker({ rootFd, target, stream: this.#ring.memory, known }, events);
      },
      startVerify: (run, events) =>
        startVerifyWorker({ rootFd, stream: this.#ring.memory, ...run }, events),
    };
  }

  #knownDirty({ since, beside }: ResyncScope): KnownDirty | undefined {
    const changed = since === undefined ? undefined : this.#changedSince(since);
    if (since === undefined || changed === undefined) return undefined;
    const former = beside === 'nothing' ? undefined : this.#activity?.formerPaths;
    const paths = former === undefined ? changed : unitedPaths(changed, former);
    const gate = this.#gate.buffer as SharedArrayBuffer;
    return { since, paths, gate, asksOwn: beside === 'own' };
  }

  /** What is too much for the dirty map is in the activity log, if only by directories. */
  #changedSince(seq: number): DirtyPaths | undefined {
    if (this.#dirty.linkLostSince(seq)) return undefined;
    return this.#dirty.since(seq) ?? this.#activity?.recorded();
  }

  #hello(): MirrorControl {
    const { setup } = this.#options;
    return {
      type: 'hello',
      cluster: setup.cluster,
      mirror: setup.id,
      node: setup.node,
      epoch: this.epoch,
      session: this.#session,
      applied: this.#stream.last,
      copy: this.#startedFrom,
      speaks: toldRange(CLUSTER_PROTOCOL),
    };
  }

  #peer(node: NodeId): PrimaryPeer | undefined {
    return this.#peers.find((peer) => peer.node === node);
  }

  async #readRing(ring: SharedRing, read: () => void): Promise<void> {
    while (!ring.closed) {
      const seen = ring.bell;
      read();
      await ring.nextBell(seen);
    }
  }

  #streamGrew(): void {
    if (this.#aborted) return;
    this.#stream.scan();
    for (const peer of this.#peers) peer.pump();
    this.#free();
  }

  #free(): void {
    let needed: number | undefined;
    for (const { neededFrom } of this.#peers) {
      if (neededFrom !== undefined) needed = Math.min(needed ?? neededFrom, neededFrom);
    }
    this.#stream.free(needed);
  }

  #barrier(seq: number, target: number): void {
    if (target === 0) this.#cleanBarrier = seq;
    else for (const peer of this.#peers) peer.barrier(seq, target);
    this.#progressed();
  }

  #tick(): void {
    const now = this.#deps.clock.now();
    this.#dirty.timePassed(now);
    this.#activity?.timePassed(now);
    if (this.#activity?.refuses === true) {
      this.#storeProblem('the activity log cannot be written, so nothing can be changed');
    }
    for (const peer of this.#peers) peer.timePassed(now);
    // Held replies that did not fit before, space that acknowledgements made free.
    this.#streamGrew();
    this.#held.scan();
    this.#progressed();
  }

  #progressed(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #cleanEverywhere(): Promise<number> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#aborted) {
          this.#waiters.delete(look);
          reject(new TakoError('busy', 'The mirror was aborted while it was drained'));
          return;
        }
        const seq = this.#cleanBarrier;
        if (seq === undefined || !this.#tracker.stableEverywhere(seq)) return;
        this.#waiters.delete(look);
        resolve(seq);
      };
      this.#waiters.add(look);
      this.#streamGrew();
      look();
    });
  }

  #storeProblem(reason: string): void {
    this.#deps.log.error('the local store failed', { reason });
    if (this.#storeFailed) return;
    this.#storeFailed = true;
    this.#deps.report({ type: 'failed', code: 'store-failed', reason });
  }

  /** The worker ended by itself: somebody else took the mount away, or it crashed. */
  #sessionEnded(problem: string | undefined): void {
    if (this.#aborted || this.#draining || (this.#unmounting && problem === undefined)) return;
    const reason = problem ?? 'the mount was taken away by somebody else';
    this.#deps.log.error('the mount ended', { reason });
    this.#deps.report({ type: 'failed', code: 'mirror-path', reason });
    this.abort(reason);
    this.#deps.changed();
  }
}

/** The outcome of `work`, or `late`. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
