/**
 * The receiving copy of a mirror: applies the entries of the stream in order and says when they
 * are durable. One of three ways to read a change that does not fit:
 *
 *     follow    the copy equalled the primary at the start: it has diverged, it failed
 *     resync    it is marked to be compared again, as long as the resync is not settled
 *     settled   as follow
 *
 * A condition of the machine (disk full, I/O error) fails the copy in each of them. A copy that
 * failed ignores everything until it begins anew.
 *
 * While a resync is not ended by its barrier, the copy is torn, so no sync is answered: they all
 * are after the barrier, which makes the whole store durable.
 */
import { constants as fsc } from 'node:fs';
import { assert, unreachable } from '../../../base/assert.ts';
import { messageOf } from '../../../base/tako-error.ts';
import type {
  CopyNote,
  Replica,
  ReplicaListener,
  ReplicaStart,
  StreamEntry,
} from '../../../ports/replica.ts';
import type { Change } from '../../../protocol/change.ts';
import type { Epoch } from '../../../protocol/ids.ts';
import { decodeVerify, encodeVerified, isVerification } from '../../../protocol/verification.ts';
import { type Background, backgroundOf } from './background.ts';
import { Checkpoints } from './checkpoints.ts';
import { ChangeApplier, type TreeChange, refusedPath } from './change-applier.ts';
import { OpenFiles } from './open-files.ts';
import { keyOf, readable } from './paths.ts';
import { ResyncTarget } from './resync-target.ts';
import { VerifyCheck } from './verify-check.ts';
import {
  type CallFailure,
  S_IFDIR,
  S_IFREG,
  type Store,
  errnoName,
  isHardError,
  newFileStat,
  typeOf,
} from './store.ts';

export interface CopyReplicaDeps {
  readonly store: Store;
  readonly note: CopyNote;
  /** Node's own when not given. */
  readonly background?: Background | undefined;
  /** For tests. */
  readonly openFilesMax?: number | undefined;
  readonly itemDigests?: number | undefined;
  readonly pendingMax?: number | undefined;
}

/** One stream, from `begin` to `end`. */
interface Session {
  readonly epoch: Epoch;
  readonly listener: ReplicaListener;
  readonly target: ResyncTarget | undefined;
  readonly checkpoints: Checkpoints;
  /** The last entry that was applied. */
  applied: number;
  /** Until the resync's barrier is entered: the syncs that wait for it. Then undefined. */
  held: number[] | undefined;
  /** Resolves true once the last barrier is durable. */
  barrier: Promise<boolean>;
  state: 'running' | 'failed' | 'ended';
}

export class CopyReplica implements Replica {
  readonly #deps: CopyReplicaDeps;
  readonly #background: Background;
  readonly #files: OpenFiles;
  readonly #applier: ChangeApplier;
  readonly #work = new Set<Promise<void>>();
  #session: Session | undefined;
  #check: VerifyCheck | undefined;

  constructor(deps: CopyReplicaDeps) {
    this.#deps = deps;
    this.#background = deps.background ?? backgroundOf();
    this.#files = new OpenFiles(deps.store, deps.openFilesMax);
    this.#applier = new ChangeApplier(deps.store, this.#files);
  }

  begin(start: ReplicaStart, listener: ReplicaListener): void {
    assert(this.#session === undefined, 'a stream ends before the next one begins');
    const resync = start.mode === 'resync';
    this.#deps.note.write(
      resync ? { state: 'dirty', partial: true, base: start.epoch } : { state: 'dirty' },
    );
    const session: Session = {
      epoch: start.epoch,
      listener,
      target: resync ? this.#newTarget(start.own) : undefined,
      checkpoints: this.#newCheckpoints(start),
      applied: start.from,
      held: resync ? [] : undefined,
      barrier: Promise.resolve(true),
      state: 'running',
    };
    this.#session = session;
  }

  apply(entry: StreamEntry): void {
    const session = this.#session;
    assert(session !== undefined, 'entries come between begin and end');
    if (session.state !== 'running') return;
    this.#applyEntry(session, entry);
    session.applied = entry.seq;
  }

  #applyEntry(session: Session, entry: StreamEntry): void {
    switch (entry.kind) {
      case 'change':
        return this.#change(session, entry.seq, entry.change);
      case 'resync':
        if (isVerification(entry.body)) return this.#verify(session, entry.body);
        if (session.target !== undefined) return session.target.frame(entry.body);
        return this.#fail('Cannot go on: the primary resyncs a copy that it said is equal');
      case 'barrier':
        return this.#barrier(session, entry.seq, entry.clean);
      default:
        return unreachable(entry);
    }
  }

  /** A copy that is not as it should be fails, so that nobody counts on it until it is. */
  #verify(session: Session, body: Uint8Array): void {
    const frame = decodeVerify(body);
    if (frame === undefined || session.held !== undefined) {
      return this.#fail('Cannot verify: the primary sent what this copy does not understand');
    }
    if (frame.type === 'end') return session.listener.answer(encodeVerified(frame));
    this.#check ??= new VerifyCheck(this.#deps.store);
    const difference = this.#check.difference(frame);
    if (difference !== undefined) this.#fail(`verification: ${difference}`);
  }

  async end(): Promise<void> {
    const session = this.#session;
    if (session !== undefined) {
      session.state = 'ended';
      await Promise.all([session.target?.stop(), session.checkpoints.stop()]);
    }
    await Promise.all(this.#work);
    this.#files.closeAll();
    this.#session = undefined;
  }

  #newCheckpoints({ epoch, session: id }: ReplicaStart): Checkpoints {
    const { store, note } = this.#deps;
    return new Checkpoints({
      store,
      note,
      background: this.#background,
      noted: (seq) => {
        if (this.#session?.state === 'running') this.#session.listener.stored(seq);
      },
      applied: () => {
        const session = this.#session;
        if (session?.state !== 'running' || session.held !== undefined) return undefined;
        return { epoch, session: id, seq: session.applied };
      },
      failed: (reason) => this.#fail(reason),
    });
  }

  #newTarget(own: ReplicaStart['own']): ResyncTarget {
    const { store, itemDigests, pendingMax } = this.#deps;
    return new ResyncTarget({
      store,
      files: this.#files,
      background: this.#background,
      itemDigests,
      pendingMax,
      own,
      answer: (body) => {
        if (this.#session?.state === 'running') this.#session.listener.answer(body);
      },
      failed: (reason) => this.#fail(reason),
    });
  }

  #change(session: Session, seq: number, change: Change): void {
    const refused = refusedPath(change);
    if (refused !== undefined) {
      const path = JSON.stringify(refused);
      return this.#fail(`Cannot apply "${change.type}": ${path} is not a path of the mirror`);
    }
    if (change.type === 'sync') return this.#sync(session, seq, change);
    const failure = this.#applier.apply(change);
    const { target } = session;
    if (target !== undefined && !target.settled) {
      if (failure === undefined || !isHardError(failure.errno)) return target.live(change, failure);
    }
    if (failure !== undefined) this.#failChange(seq, change, failure);
  }

  #sync(session: Session, seq: number, change: Extract<Change, { type: 'sync' }>): void {
    if (session.held !== undefined) {
      session.held.push(seq);
      return;
    }
    const opened = this.#openForSync(change);
    if ('errno' in opened) return this.#failChange(seq, change, opened);
    this.#run(async () => {
      const result = await opened.sync().finally(opened.release);
      if (result < 0) return this.#failChange(seq, change, { call: 'fsync', errno: -result });
      // What a resync wrote is durable only with its barrier.
      if (await session.barrier) this.#synced(session, seq);
    });
  }

  /** Something that syncs what the path names now, whatever becomes of the path. */
  #openForSync(
    change: Extract<Change, { type: 'sync' }>,
  ): { sync: () => Promise<number>; release: () => void } | CallFailure {
    const { fs, root } = this.#deps.store;
    const stat = newFileStat();
    const found = fs.stat(root, change.path, stat);
    if (found < 0) return { call: 'stat', errno: -found };
    if (typeOf(stat.mode) === S_IFREG) {
      const file = this.#files.get(keyOf(change.path));
      if ('errno' in file) return file;
      this.#files.pin(file);
      return {
        sync: () => this.#background.sync(file.fd, change.dataOnly),
        release: () => this.#files.unpin(file),
      };
    }
    // Devices, fifos, sockets, links: their directory holds all that there is of them.
    if (typeOf(stat.mode) !== S_IFDIR) {
      return { sync: () => Promise.resolve(0), release: () => undefined };
    }
    const fd = fs.open(root, change.path, fsc.O_RDONLY | fsc.O_DIRECTORY, 0);
    if (fd < 0) return { call: 'open', errno: -fd };
    return {
      sync: () => this.#background.sync(fd, change.dataOnly),
      release: () => void fs.close(fd),
    };
  }

  #barrier(session: Session, seq: number, clean: boolean): void {
    const { target } = session;
    if (target !== undefined && !target.settled) {
      return this.#fail('Cannot end the resync: the primary ended it before all was compared');
    }
    const held = session.held ?? [];
    session.held = undefined;
    const former = session.barrier;
    session.barrier = (async () =>
      (await former) && (clean ? this.#noteClean(session, seq) : this.#makeDurable(session)))();
    const { barrier } = session;
    this.#run(async () => {
      if (!(await barrier)) return;
      for (const waiting of held) this.#synced(session, waiting);
      this.#synced(session, seq);
    });
  }

  #noteClean({ epoch, state }: Session, seq: number): boolean {
    if (state !== 'running') return false;
    this.#deps.note.write({ state: 'clean', epoch, seq });
    return true;
  }

  async #makeDurable(session: Session): Promise<boolean> {
    const result = await this.#background.syncVolume(this.#deps.store.root);
    if (session.state !== 'running') return false;
    if (result < 0) {
      const why = errnoName(-result);
      this.#fail(`Cannot make the copy durable: syncfs: ${why}; check the disk of this node`);
      return false;
    }
    try {
      this.#deps.note.write({ state: 'dirty' });
      return true;
    } catch (error) {
      this.#fail(messageOf(error));
      return false;
    }
  }

  #synced(session: Session, seq: number): void {
    if (session.state === 'running') session.listener.synced(seq);
  }

  /** Work that `end` waits for. Whatever it throws fails the copy. */
  #run(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error: unknown) => this.#fail(messageOf(error)))
      .finally(() => this.#work.delete(running));
    this.#work.add(running);
  }

  #failChange(seq: number, change: TreeChange | Change, failure: CallFailure): void {
    const path = readable(keyOf(change.path));
    const cause = `${failure.call}: ${errnoName(failure.errno)}`;
    this.#fail(`Cannot apply "${change.type}" of ${path} (entry ${seq}) to the copy: ${cause}`);
  }

  #fail(reason: string): void {
    const session = this.#session;
    if (session === undefined || session.state !== 'running') return;
    session.state = 'failed';
    const { target, checkpoints } = session;
    this.#run(() => checkpoints.stop());
    if (target !== undefined) this.#run(() => target.stop());
    session.listener.failed(`${reason}${this.#voidCheckpoint()}`);
  }

  /** It may differ anywhere. What is to be said when that cannot be noted. */
  #voidCheckpoint(): string {
    try {
      this.#deps.note.voidCheckpoint();
      return '';
    } catch (error) {
      return `; and that it may differ anywhere cannot be noted: ${messageOf(error)}`;
    }
  }
}
