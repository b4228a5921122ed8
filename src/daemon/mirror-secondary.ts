/**
 * A mirror that follows: accepts the stream of its primary, applies it, acknowledges. The position
 * survives the connection, so that the stream goes on where it broke off.
 *
 *     idle ── follow ──► following ── seal ──► sealed ── unseal ──► following
 *
 * Sealed, it acknowledges nothing more: what it has is all that the old epoch will ever be here.
 */
import type { TlsOptions, TLSSocket } from 'node:tls';
import { crc32 } from 'node:zlib';
import type { ActivityStore } from '../adapters/mirror/activity/activity-store.ts';
import { MirrorConnection } from '../adapters/mirror/stream/connection.ts';
import { MirrorListener } from '../adapters/mirror/stream/listener.ts';
import { assert, unreachable } from '../base/assert.ts';
import { messageOf, TakoError } from '../base/tako-error.ts';
import {
  type CopyHello,
  decideAdmission,
  type Following,
} from '../core/mirror/session-decision.ts';
import { StablePosition } from '../core/mirror/stable-position.ts';
import type { Log } from '../ports/log.ts';
import type { CopyNote, Replica, ReplicaListener, StreamEntry } from '../ports/replica.ts';
import { decodeChange } from '../protocol/change-codec.ts';
import type { DirtyPaths } from '../protocol/dirty-paths.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import {
  decodeControl,
  type CopyWorth,
  encodeAck,
  type Frame,
  makeFrame,
  type MirrorControl,
  shortReason,
} from '../protocol/mirror-frames.ts';
import {
  CLUSTER_PROTOCOL,
  FEATURES,
  FIRST_PROTOCOL,
  commonVersion,
  noCommonVersion,
  toldRange,
} from '../protocol/versions.ts';
import type { MirrorSetup } from './mirror-setup.ts';

/** A primary that says nothing for so long is gone; it connects again when it is back. */
const SILENT_MS = 3000;
/** More syncs than this under way: wait before reading on. */
const SYNCS_MAX = 1024;
/** At a seal: what the kernel has received already is read for at most this long. */
const SEAL_READ_MS_MAX = 20;
/** Of a log that was there at the hello and cannot be read any more. */
const EVERYTHING: DirtyPaths = new Map([['', 'tree']]);

export interface SecondaryDeps {
  readonly log: Log;
  readonly note: CopyNote;
  readonly replica: Replica;
  /** What this node changed as the primary. */
  readonly activity: ActivityStore;
  readonly tls: TlsOptions;
  readonly peerOf: (socket: TLSSocket) => NodeId | undefined;
  readonly changed: () => void;
}

/** One stream, across the connections that carry it. */
interface Session {
  readonly epoch: Epoch;
  readonly id: string;
  readonly position: StablePosition;
  readonly first: number;
  /** A resync whose barrier has not come: no sync is answered, and nothing counts as stable. */
  torn: boolean;
  /** Of that barrier, until it is stored. */
  barrier: number | undefined;
  failed: string | undefined;
}

export class MirrorSecondary {
  readonly #setup: MirrorSetup;
  readonly #deps: SecondaryDeps;
  readonly #listener: MirrorListener;
  #following: Following | undefined;
  #sealed: Epoch | undefined;
  /** What the copy has from before that epoch is kept aside. */
  #keepBefore: Epoch | undefined;
  #session: Session | undefined;
  #connection: MirrorConnection | undefined;
  /** Whose hello was answered, and how it introduced itself. */
  #hello: (MirrorControl & { type: 'hello' }) | undefined;
  /** The version of the protocol that both ends of the connection speak. */
  #version = 0;
  #started = false;
  /** Entries that came before the former stream had let go of the store: those of one chunk. */
  #early: Frame[] | undefined;
  #ackPending = false;
  #ackSent = -1;
  #heard = 0;
  #replacing: Promise<void> = Promise.resolve();

  constructor(setup: MirrorSetup, deps: SecondaryDeps) {
    this.#setup = setup;
    this.#deps = deps;
    this.#listener = new MirrorListener(
      { addresses: setup.addresses, port: setup.port, tls: deps.tls },
      { log: deps.log, onConnection: (socket) => this.#accept(socket) },
    );
  }

  get sequence(): number {
    const session = this.#session;
    return session === undefined ? 0 : session.position.ack.applied - session.first;
  }

  get sealed(): Epoch | undefined {
    return this.#sealed;
  }

  /** The highest epoch that this copy was told of. */
  get epoch(): Epoch | undefined {
    return this.#following?.epoch;
  }

  get connected(): boolean {
    return this.#started && this.#connection !== undefined;
  }

  get primary(): NodeId | undefined {
    return this.#following?.primary;
  }

  get failed(): string | undefined {
    return this.#session?.failed;
  }

  /** Resolves when it listens. */
  async follow(following: Following, keepBefore?: Epoch): Promise<void> {
    const problem = await this.#listener.open();
    if (problem !== undefined) {
      throw new TakoError('system-call', `Cannot listen for the primary: ${problem}`);
    }
    const same =
      this.#following?.epoch === following.epoch && this.#following.primary === following.primary;
    this.#following = following;
    this.#keepBefore = keepBefore;
    if (this.#sealed !== undefined && this.#sealed < following.epoch) this.#sealed = undefined;
    const streaming = this.#hello;
    if (!same && streaming !== undefined && streaming.epoch < following.epoch) {
      this.#connection?.close('another epoch has begun');
    }
  }

  /** Acknowledges nothing more of `epoch` and older. Resolves when what came is applied. */
  async seal(epoch: Epoch): Promise<void> {
    this.#sealed = Math.max(epoch, this.#sealed ?? 0) as Epoch;
    const connection = this.#connection;
    if (connection === undefined || (this.#hello?.epoch ?? 0) > epoch) return;
    // Each turn of the loop reads what is there; one without news ends it.
    const until = performance.now() + SEAL_READ_MS_MAX;
    for (let seen = -1; seen !== this.#heard && performance.now() < until;) {
      seen = this.#heard;
      await new Promise((resolve) => setImmediate(resolve));
    }
    connection.close(`this copy is sealed against epoch ${epoch}`);
  }

  unseal(): void {
    this.#sealed = undefined;
  }

  /** Ends the role: closes everything. The copy stays as it is. */
  async stop(): Promise<void> {
    this.#following = undefined;
    this.#sealed = undefined;
    this.#listener.close();
    this.#connection?.close('this node does not follow any more');
    this.#session = undefined;
    await this.#deps.replica.end();
  }

  #accept(socket: TLSSocket): void {
    const peer = this.#deps.peerOf(socket);
    const options = { stallMs: SILENT_MS, silentMs: SILENT_MS };
    const connection: MirrorConnection = new MirrorConnection(socket, options, {
      onFrame: (frame) => this.#frame(connection, peer, frame),
      onDrain: () => undefined,
      onStall: () => undefined,
      onEnd: (reason) => this.#ended(connection, reason),
    });
  }

  #ended(connection: MirrorConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#deps.log.info('connection to the primary ended', { reason });
    this.#connection = undefined;
    this.#hello = undefined;
    this.#started = false;
    this.#early = undefined;
    this.#deps.changed();
  }

  #frame(connection: MirrorConnection, peer: NodeId | undefined, frame: Frame): void {
    this.#heard += 1;
    if (frame.type === 'keepalive') return;
    if (frame.type === 'control') return this.#control(connection, peer, frame);
    if (connection === this.#connection && this.#early !== undefined && frame.type === 'entry') {
      this.#early.push(frame);
      return;
    }
    if (connection !== this.#connection || !this.#started || frame.type !== 'entry') {
      return connection.close('it spoke before its turn');
    }
    this.#entry(frame);
  }

  #control(connection: MirrorConnection, peer: NodeId | undefined, frame: Frame): void {
    const message = decodeControl(frame.payload);
    if (!message.ok) return connection.close(message.reason);
    switch (message.value.type) {
      case 'hello':
        return this.#greet(connection, peer, message.value);
      case 'start':
        if (connection !== this.#connection) return connection.close('it was superseded');
        return this.#start(connection, message.value);
      case 'refused':
        this.#deps.log.warn('the primary refused this copy', { reason: message.value.message });
        return connection.close(message.value.message);
      case 'failed':
      case 'stored':
        return connection.close('a primary sent what only a secondary may');
      default:
        return unreachable(message.value);
    }
  }

  #greet(
    connection: MirrorConnection,
    peer: NodeId | undefined,
    hello: MirrorControl & { type: 'hello' },
  ): void {
    const { cluster, id, node } = this.#setup;
    if (hello.cluster !== cluster || hello.mirror !== id || hello.node !== peer) {
      const text = 'it is not a mirror that this node knows';
      return connection.refuse({ type: 'refused', why: 'protocol', message: text }, text);
    }
    const speaks = hello.speaks ?? FIRST_PROTOCOL;
    if (commonVersion(CLUSTER_PROTOCOL, speaks) === undefined) {
      const us = { name: node, speaks: CLUSTER_PROTOCOL };
      const { why, next } = noCommonVersion(us, { name: hello.node, speaks });
      this.#deps.log.error('primary refused', { code: 'version-unsupported', why, next });
      return connection.refuse({ type: 'refused', why: 'protocol', message: why }, why);
    }
    const admission = decideAdmission(this.#following, this.#sealed, hello);
    if (admission.type === 'refuse') {
      const { why, message } = admission;
      return connection.refuse({ type: 'refused', why, message }, message);
    }
    const former = this.#connection;
    this.#connection = connection;
    this.#hello = hello;
    this.#version = commonVersion(CLUSTER_PROTOCOL, speaks) ?? 0;
    this.#started = false;
    this.#early = undefined;
    former?.close('another connection took its place');
    const session = this.#session?.failed === undefined ? this.#session : undefined;
    connection.control({
      type: 'hello',
      cluster,
      mirror: id,
      node,
      epoch: session?.epoch ?? (0 as Epoch),
      session: session?.id ?? '',
      applied: session?.position.ack.applied ?? 0,
      copy: this.#worth(this.#version),
      ...this.#known(),
      speaks: toldRange(CLUSTER_PROTOCOL),
    });
  }

  /** What is certain of the copy, and what this node changed since, if it was the primary. */
  #known(): Pick<CopyHello, 'checkpoint' | 'activity'> {
    const { note, activity } = this.#deps;
    if (!activity.exists) return { checkpoint: note.checkpoint };
    const copy = note.read();
    const isTorn = copy.state === 'dirty' && copy.partial === true;
    return { activity: isTorn ? undefined : activity.own()?.segments };
  }

  #worth(version: number): CopyWorth {
    const { note } = this.#deps;
    const worth = this.#keepBefore === undefined ? note.read() : note.readKept(this.#keepBefore);
    if (worth.state !== 'kept') return worth;
    // A release that does not know the word must not overwrite it either.
    return version >= FEATURES.keptCopies ? worth : { state: 'foreign' };
  }

  #start(connection: MirrorConnection, start: MirrorControl & { type: 'start' }): void {
    const hello = this.#hello;
    if (hello === undefined || this.#started || this.#early !== undefined)
      return connection.close('it started twice');
    if (start.mode === 'resume') {
      const session = this.#session;
      const fits = session?.id === hello.session && session.position.ack.applied === start.from;
      if (!fits) return connection.close('it resumes a stream that was never here');
      return this.#run(connection, start.mode);
    }
    // Nothing may be read before the former stream has let go of the store.
    connection.pause();
    this.#early = [];
    this.#replacing = this.#replacing
      .then(() => this.#deps.replica.end())
      .then(() => {
        if (this.#connection !== connection || this.#hello !== hello) return;
        this.#begin(hello, start);
        this.#run(connection, start.mode);
        connection.resume();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('a stream cannot begin', { error: messageOf(error) });
        const reason = shortReason(messageOf(error));
        connection.refuse({ type: 'failed', reason }, reason);
      });
  }

  #begin(hello: MirrorControl & { type: 'hello' }, start: MirrorControl & { type: 'start' }): void {
    const session: Session = {
      epoch: hello.epoch,
      id: hello.session,
      position: new StablePosition(start.from),
      first: start.first,
      torn: start.mode === 'resync',
      barrier: undefined,
      failed: undefined,
    };
    this.#session = session;
    const mode = start.mode === 'resync' ? 'resync' : 'follow';
    const { epoch, session: id } = hello;
    const { activity, replica } = this.#deps;
    // Behind this, what is there is not this node's alone any more.
    if (mode === 'follow') activity.remove();
    else activity.setAside();
    const own = start.own === true ? (activity.own()?.regions ?? EVERYTHING) : undefined;
    const listener = this.#replicaListener(session);
    replica.begin({ epoch, session: id, from: start.from, mode, own }, listener);
  }

  #run(connection: MirrorConnection, mode: string): void {
    this.#started = true;
    this.#ackSent = -1;
    this.#deps.log.info('following the primary', {
      primary: this.#hello?.node,
      epoch: this.#hello?.epoch,
      mode,
    });
    assert(this.#connection === connection, 'only the present connection starts');
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const frame of early) this.#entry(frame);
    this.#ackSoon();
    this.#deps.changed();
  }

  #replicaListener(session: Session): ReplicaListener {
    return {
      synced: (seq) => {
        if (seq === session.barrier) this.#equal(session);
        session.position.synced(seq);
        this.#ackSoon();
        if (session.position.syncsUnderWay < SYNCS_MAX / 2) this.#connection?.resume();
      },
      stored: (seq) => {
        const isTold = this.#session === session && this.#started;
        if (isTold && this.#version >= FEATURES.activity) {
          this.#connection?.control({ type: 'stored', seq });
        }
      },
      answer: (body) => {
        const header = { type: 'answer', kind: 'none', target: 0, number: 0 } as const;
        if (this.#session === session && this.#started) {
          this.#connection?.send(makeFrame(header, body, crc32));
        }
      },
      failed: (reason) => this.#fail(session, reason),
    };
  }

  #entry(frame: Frame): void {
    const session = this.#session;
    if (session === undefined || session.failed !== undefined) return;
    const entry = entryOf(frame);
    if (entry === undefined) return this.#fail(session, 'an entry of the stream is malformed');
    if (entry.seq <= session.position.ack.applied) {
      return this.#fail(session, 'the stream went backwards');
    }
    this.#deps.replica.apply(entry);
    // `failed` may have been called meanwhile: then the entry is not applied.
    if (this.#hasFailed(session)) return;
    if (entry.kind === 'barrier') {
      if (session.torn) session.barrier = entry.seq;
      session.torn = false;
    }
    session.position.applied(entry.seq, !session.torn && asksForSync(entry));
    if (session.position.syncsUnderWay > SYNCS_MAX) this.#connection?.pause();
    this.#ackSoon();
  }

  /** The copy has on stable storage what its resync brought. */
  #equal(session: Session): void {
    session.barrier = undefined;
    try {
      this.#deps.activity.remove();
    } catch (error) {
      this.#fail(session, messageOf(error));
    }
  }

  #hasFailed(session: Session): boolean {
    return session.failed !== undefined;
  }

  #fail(session: Session, reason: string): void {
    if (session.failed !== undefined || this.#session !== session) return;
    session.failed = shortReason(reason);
    this.#deps.log.error('this copy cannot follow any more', { reason });
    const failed = { type: 'failed', reason: session.failed } as const;
    this.#connection?.refuse(failed, reason);
    this.#deps.changed();
  }

  /** One acknowledgement for all that is applied or became stable within a turn of the loop. */
  #ackSoon(): void {
    if (this.#ackPending) return;
    this.#ackPending = true;
    setImmediate(() => {
      this.#ackPending = false;
      this.#ack();
    });
  }

  #ack(): void {
    const session = this.#session;
    if (session === undefined || session.failed !== undefined || !this.#started) return;
    if (this.#sealed !== undefined && session.epoch <= this.#sealed) return;
    const { applied, stable } = session.position.ack;
    const ack = { applied, stable: session.torn ? 0 : stable };
    // Both only grow, so their sum tells whether there is news.
    const news = ack.applied + ack.stable;
    if (news === this.#ackSent) return;
    this.#ackSent = news;
    this.#connection?.send(encodeAck(ack, crc32));
  }
}

function entryOf(frame: Frame): StreamEntry | undefined {
  const seq = frame.number;
  switch (frame.kind) {
    case 'change': {
      const change = decodeChange(frame.payload);
      return change.ok ? { kind: 'change', seq, change: change.value } : undefined;
    }
    case 'resync':
      return { kind: 'resync', seq, body: frame.payload };
    case 'barrier':
      return { kind: 'barrier', seq, clean: false };
    case 'clean-barrier':
      return { kind: 'barrier', seq, clean: true };
    case 'none':
      return undefined;
    default:
      return unreachable(frame.kind);
  }
}

function asksForSync(entry: StreamEntry): boolean {
  return entry.kind === 'barrier' || (entry.kind === 'change' && entry.change.type === 'sync');
}
