/**
 * What the mirror process is at the moment (idle, primary, secondary, sealed) and what each command
 * of control does to it. Commands that change the role run one after the other; the others, and
 * `abort`, at once, because a drain may be waiting for just them.
 */
import { closeSync } from 'node:fs';
import type { ConnectionOptions, TlsOptions, TLSSocket } from 'node:tls';
import type { ActivityStore } from '../adapters/mirror/activity/activity-store.ts';
import { unreachable } from '../base/assert.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { CopyNote, PathGuard, Replica } from '../ports/replica.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import type { FromMirror, MirrorStatus, ToMirror } from '../protocol/mirror-ipc.ts';
import { LOCAL_PROTOCOL, toldRange } from '../protocol/versions.ts';
import { CaptureWorker } from './mirror-capture-worker.ts';
import { MirrorHelper } from './mirror-helper-worker.ts';
import { checkDirectory, openDirectory } from './mirror-mount.ts';
import { MirrorPrimary, within } from './mirror-primary.ts';
import { MirrorSecondary } from './mirror-secondary.ts';
import type { MirrorSetup } from './mirror-setup.ts';

/** After the beginning of a service, when the worker of the next one is started. */
const PREPARE_AFTER_MS = 500;
/** At the end of the process: how long the note of a copy at rest may wait for the disk. */
const SETTLE_MS_MAX = 1500;
/** How long an ended role may keep the next one waiting. */
const ENDING_MS_MAX = 5000;
/** A takeover does not wait longer for syncs that nobody will be told of. */
const TAKEOVER_WAIT_MS = 200;

/** The copy of the mirror, once its directory is open. */
export interface Copy {
  readonly note: CopyNote;
  readonly replica: Replica;
  /** What this node changed as the primary. */
  readonly activity: ActivityStore;
  /** Makes everything of it durable; rejects when it cannot be. May take long. */
  readonly sync: () => Promise<void>;
}

export interface ProcessDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly guard: PathGuard;
  readonly openCopy: (rootFd: number) => Copy;
  readonly clientTls: (peer: NodeId) => ConnectionOptions;
  readonly serverTls: TlsOptions;
  readonly peerOf: (socket: TLSSocket) => NodeId | undefined;
  readonly report: (message: FromMirror) => void;
  readonly changed: () => void;
}

type Command<T extends ToMirror['type']> = Extract<ToMirror, { type: T }>;

export class MirrorProcess {
  readonly #setup: MirrorSetup;
  readonly #deps: ProcessDeps;
  readonly #helper = new MirrorHelper();
  /** The worker of the next `serve`, started ahead; undefined for a while after one was taken. */
  #capture: CaptureWorker | undefined;
  #root: { readonly fd: number; readonly copy: Copy } | undefined;
  #primary: MirrorPrimary | undefined;
  #secondary: MirrorSecondary | undefined;
  /** The last primary role, until its capture worker has let go of the store. */
  #ending: Promise<unknown> = Promise.resolve();
  #queue: Promise<unknown> = Promise.resolve();
  /** Of primaries that were served or followed here. */
  #lastEpoch = 0 as Epoch;
  /** What was sealed while nothing was followed; a copy that follows has it by itself. */
  #idleSeal: Epoch | undefined;

  constructor(setup: MirrorSetup, deps: ProcessDeps) {
    this.#setup = setup;
    this.#deps = deps;
  }

  /** Opens the directory ahead of need. A directory that is unusable is reported by the commands. */
  async warmUp(): Promise<void> {
    try {
      this.#open();
    } catch (error) {
      this.#deps.log.error('the directory of the mirror cannot be used', {
        error: messageOf(error),
      });
    }
    this.#capture ??= new CaptureWorker();
    await this.#capture.warm;
  }

  /** Carries out a command; the answer is for its sender. */
  async command(message: ToMirror): Promise<FromMirror> {
    const { id } = message;
    try {
      await this.#dispatch(message);
      return { type: 'done', id, ok: true, status: this.status() };
    } catch (error) {
      if (!(error instanceof TakoError)) throw error;
      const { code } = error;
      const next = error.next === undefined ? '' : `. ${error.next}`;
      return { type: 'done', id, ok: false, code, message: `${error.message}${next}` };
    }
  }

  status(): MirrorStatus {
    const [primary, secondary] = [this.#primary, this.#secondary];
    if (primary !== undefined) {
      return {
        speaks: toldRange(LOCAL_PROTOCOL),
        role: 'primary',
        epoch: primary.epoch,
        mounted: primary.mounted,
        frozen: primary.frozen(),
        sequence: primary.sequence,
        peers: primary.peerStatus(),
      };
    }
    const sealed = secondary?.sealed !== undefined;
    return {
      speaks: toldRange(LOCAL_PROTOCOL),
      role: secondary === undefined ? 'idle' : sealed ? 'sealed' : 'secondary',
      epoch: secondary?.epoch,
      mounted: false,
      frozen: undefined,
      sequence: secondary?.sequence ?? 0,
      peers: secondary === undefined ? [] : peersOfSecondary(secondary),
    };
  }

  /** What a control process that has just come needs to hear beside the status. */
  facts(): readonly FromMirror[] {
    return this.#primary?.facts() ?? [];
  }

  /** Leaves the plain directory behind. Drains within `ms` if it can, aborts otherwise. */
  async shutDown(ms: number): Promise<void> {
    if (this.#primary !== undefined) {
      const drained = this.#queued(() => this.#drain()).then(
        () => true,
        (error: unknown) => {
          this.#deps.log.warn('the mirror cannot be drained', { error: messageOf(error) });
          return false;
        },
      );
      if ((await within(ms, drained)) !== true) this.#abort('the mirror process ends');
    }
    await within(TAKEOVER_WAIT_MS, this.#endSecondary());
    if (
      (await within(SETTLE_MS_MAX, this.#root?.copy.note.settle() ?? Promise.resolve())) === 'late'
    ) {
      this.#deps.log.warn('the copy is not noted as clean: the disk does not answer in time');
    }
    const left = this.#deps.guard.lower();
    if (left !== undefined) this.#deps.log.warn('the guard stays', { reason: left });
  }

  #dispatch(message: ToMirror): Promise<void> | void {
    switch (message.type) {
      case 'serve':
        return this.#queued(() => this.#serve(message));
      case 'follow':
        return this.#queued(() => this.#follow(message));
      case 'seal':
        return this.#queued(() => this.#seal(message.epoch));
      case 'unseal':
        return this.#queued(() => this.#unseal());
      case 'drain':
        return this.#queued(() => this.#drain());
      case 'abort':
        return this.#abort('control said so');
      case 'expel':
        return this.#known(message.peer, this.#primary?.expel(message.peer));
      case 'admit':
        return this.#known(message.peer, this.#primary?.admit(message.peer));
      case 'verify':
        return this.#verify(message.bytesPerSecond);
      case 'peers':
        return this.#primary?.setUp(message.up);
      case 'status':
        return undefined;
      default:
        return unreachable(message);
    }
  }

  #queued<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #serve(command: Command<'serve'>): Promise<void> {
    const { epoch, inSync } = command;
    const present = this.#primary;
    if (present !== undefined) {
      if (present.epoch !== epoch) {
        throw refused(`Cannot serve epoch ${epoch}: epoch ${present.epoch} is served; abort it`);
      }
      return present.serveAgain(inSync);
    }
    const others = Math.max(this.#secondary?.sealed ?? 0, this.#secondary?.epoch ?? 0);
    const least = Math.max(this.#lastEpoch, this.#idleSeal ?? 0);
    if (epoch < least || epoch <= others) {
      const newest = Math.max(least, others);
      throw refused(`Cannot serve epoch ${epoch}: epoch ${newest} of another primary was seen`);
    }
    const { fd, copy } = this.#open();
    const worth = copy.note.read();
    if (worth.state === 'dirty' && worth.partial === true) {
      throw incomplete('serve');
    }
    checkDirectory(this.#directory(), fd);
    await this.#settled();
    await within(TAKEOVER_WAIT_MS, this.#endSecondary());
    const { setup, deps } = { setup: this.#setup, deps: this.#deps };
    // Below the mount, so that an abort does not leave a directory that programs can write to.
    this.#guard();
    const primary = new MirrorPrimary(
      { epoch, inSync, setup, rootFd: fd },
      {
        log: deps.log,
        clock: deps.clock,
        note: copy.note,
        activity: copy.activity,
        sync: copy.sync,
        capture: this.#takeCapture(),
        helper: this.#helper,
        tls: deps.clientTls,
        report: deps.report,
        changed: deps.changed,
      },
    );
    this.#lastEpoch = epoch;
    this.#idleSeal = undefined;
    this.#primary = primary;
    this.#ending = primary.ended.then(() => this.#primaryEnded(primary));
    try {
      await primary.begin();
    } catch (error) {
      this.#abort('the mount did not come up');
      throw error;
    }
    deps.log.info('serving', { epoch, inSync });
  }

  /**
   * The next one is started after a pause: in a switchover the processor has better things to do at
   * this moment.
   */
  #takeCapture(): CaptureWorker {
    const capture = this.#capture ?? new CaptureWorker();
    this.#capture = undefined;
    setTimeout(() => {
      this.#capture ??= new CaptureWorker();
    }, PREPARE_AFTER_MS).unref();
    return capture;
  }

  #primaryEnded(primary: MirrorPrimary): void {
    if (!primary.over || this.#primary !== primary) return;
    this.#primary = undefined;
    this.#deps.changed();
  }

  async #follow(command: Command<'follow'>): Promise<void> {
    const { epoch, keepBefore, primary } = command;
    if (this.#primary !== undefined) {
      throw refused(`Cannot follow "${primary}": this node serves; drain or abort it first`);
    }
    if (epoch < this.#lastEpoch) {
      throw refused(`Cannot follow epoch ${epoch}: epoch ${this.#lastEpoch} was seen`);
    }
    if (!this.#setup.peers.some(({ node }) => node === primary)) {
      throw refused(`Cannot follow "${primary}": it is no other node of this mirror`);
    }
    const { fd, copy } = this.#open();
    checkDirectory(this.#directory(), fd);
    await this.#settled();
    const secondary = this.#secondary ?? this.#newSecondary(copy);
    if (this.#idleSeal !== undefined) await secondary.seal(this.#idleSeal);
    this.#idleSeal = undefined;
    await secondary.follow({ epoch, primary }, keepBefore);
    this.#lastEpoch = epoch;
    this.#secondary = secondary;
    this.#guard();
    this.#deps.changed();
  }

  #guard(): void {
    const unguarded = this.#deps.guard.raise();
    if (unguarded !== undefined) this.#deps.log.warn('not guarded', { reason: unguarded });
  }

  #newSecondary({ note, replica, activity }: Copy): MirrorSecondary {
    const { log, serverTls, peerOf, changed } = this.#deps;
    return new MirrorSecondary(this.#setup, {
      log,
      note,
      replica,
      activity,
      tls: serverTls,
      peerOf,
      changed,
    });
  }

  async #seal(epoch: Epoch): Promise<void> {
    const secondary = this.#secondary;
    if (secondary === undefined) {
      if (this.#primary !== undefined) throw refused('Cannot seal: this node serves');
      this.#checkCopy();
      // Nothing is followed, so nothing is acknowledged; but it must stay so until it is unsealed.
      this.#idleSeal = Math.max(this.#idleSeal ?? 0, epoch) as Epoch;
      return;
    }
    this.#checkCopy();
    await secondary.seal(epoch);
    this.#deps.changed();
  }

  /** A disk that was replaced, or not mounted, must not be taken for the copy that was there. */
  #checkCopy(): void {
    const worth = this.#open().copy.note.read();
    const { state } = worth;
    if (state === 'empty' || state === 'foreign') throw noCopy(this.#setup.config.path);
    // It could not be served, and the claim that follows would make the other copies worthless.
    if (worth.state === 'dirty' && worth.partial === true) throw incomplete('take over');
  }

  #unseal(): void {
    this.#idleSeal = undefined;
    this.#secondary?.unseal();
    this.#deps.changed();
  }

  async #drain(): Promise<void> {
    const primary = this.#primary;
    if (primary === undefined) throw refused('Cannot drain: this node does not serve');
    try {
      await primary.drain();
    } catch (error) {
      // Still mounted: it goes on as before. Otherwise nothing is left to go on with.
      if (!primary.mounted) this.#abort(messageOf(error));
      throw error;
    }
    this.#primary = undefined;
    this.#deps.changed();
  }

  #abort(reason: string): void {
    const primary = this.#primary;
    if (primary === undefined) return;
    this.#deps.log.warn('mount aborted', { epoch: primary.epoch, reason });
    this.#primary = undefined;
    primary.abort(reason);
    this.#deps.changed();
  }

  #known(peer: NodeId, done: boolean | undefined): void {
    if (done === undefined) throw refused('This node does not serve');
    if (!done) throw refused(`"${peer}" is no other node of this mirror`);
    this.#deps.changed();
  }

  #verify(bytesPerSecond: number): void {
    if (this.#primary === undefined) throw refused('This node does not serve');
    this.#primary.verify(bytesPerSecond);
    this.#deps.changed();
  }

  async #endSecondary(): Promise<void> {
    const secondary = this.#secondary;
    this.#secondary = undefined;
    await secondary?.stop();
  }

  async #settled(): Promise<void> {
    if ((await within(ENDING_MS_MAX, this.#ending)) !== 'late') return;
    throw new TakoError(
      'timed-out',
      'The capture of changes of the last epoch still hangs in the store below the mirror',
      { next: 'Check the disk; the mirror goes on once the store answers' },
    );
  }

  #open(): { readonly fd: number; readonly copy: Copy } {
    if (this.#root !== undefined) return this.#root;
    const { guard, log, openCopy } = this.#deps;
    const fd = openDirectory(this.#directory(), guard, log);
    try {
      const copy = openCopy(fd);
      // At once: whoever opens a file below before the mount is there would write past the mirror.
      // But not over a directory that is not the copy's, where a disk may yet have to be mounted.
      this.#guard();
      this.#root = { fd, copy };
      return this.#root;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #directory(): { path: string; otherPaths: readonly string[] } {
    return { path: this.#setup.config.path, otherPaths: this.#setup.otherPaths };
  }
}

function peersOfSecondary(secondary: MirrorSecondary): MirrorStatus['peers'] {
  const node = secondary.primary;
  if (node === undefined) return [];
  const state = secondary.failed !== undefined ? 'failed' : 'connecting';
  const detail = secondary.failed ?? (secondary.connected ? 'follows' : 'waits for the primary');
  const connected = secondary.connected ? ('in-sync' as const) : state;
  return [{ node, state: connected, behindBytes: 0, resync: undefined, detail }];
}

function noCopy(path: string): TakoError {
  const found =
    "the note of this node's copy is gone, and with it the proof that it has everything";
  return new TakoError('copy-stale', `Cannot take over with "${path}": ${found}`, {
    next:
      'Put back the disk with the directory and with the state directory, or let a node serve that ' +
      'has a copy; with neither, restore a backup here and give the group a new name',
  });
}

function incomplete(what: string): TakoError {
  const found = 'this copy was being brought up to date and is incomplete';
  return new TakoError('copy-stale', `Cannot ${what}: ${found}`, {
    next: 'Let a node serve that has a copy',
  });
}

function refused(message: string, code: ErrorCode = 'busy'): TakoError {
  return new TakoError(code, message);
}
