/**
 * One copy, as the primary sees it: keeps a connection to it, decides how the stream to it begins,
 * sends it the stream, and takes part in what replies wait for.
 *
 *     absent ── connecting ──┬── resume / follow ──► streaming ──► caught up ──► in sync
 *        ▲                   └── resync ── barrier ──────▲     (joined)   (voted in)
 *        └── connection lost, failed: tried again
 *
 * It is *joined* when replies wait for it. It joins when the registry has it in sync, or when the
 * entries that end its resync are in the stream; it is reported as caught up when all that was
 * acknowledged without it is on its stable storage. From the report on, only an expulsion ends the
 * waiting: control may be having it voted in at any moment.
 */
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { MirrorConnection, SEND_AHEAD_BYTES } from '../adapters/mirror/stream/connection.ts';
import { type LinkTarget, raceLinks } from '../adapters/mirror/stream/link-race.ts';
import type { Instant } from '../base/time.ts';
import type { AckTracker } from '../core/mirror/ack-tracker.ts';
import {
  type BesideSince,
  type CopyHello,
  decideStart,
  type PrimaryStream,
} from '../core/mirror/session-decision.ts';
import { Silence, type SilenceReport } from '../core/mirror/silence.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ResyncProgress } from '../ports/resync.ts';
import {
  decodeAck,
  decodeControl,
  type Frame,
  type MirrorControl,
} from '../protocol/mirror-frames.ts';
import type { FromMirror, MirrorPeerStatus } from '../protocol/mirror-ipc.ts';
import type { NodeId } from '../protocol/ids.ts';
import { isVerification } from '../protocol/verification.ts';
import {
  CLUSTER_PROTOCOL,
  FEATURES,
  FIRST_PROTOCOL,
  commonVersion,
  noCommonVersion,
} from '../protocol/versions.ts';
import type { MirrorPeer } from './mirror-setup.ts';
import type { HeldReplies } from './mirror-held.ts';
import { PeerVerify, type PeerVerifyDeps, type VerifyRun } from './mirror-peer-verify.ts';
import type { RunEvents, StoreRun } from './mirror-store-run.ts';
import type { StreamReader } from './mirror-stream.ts';

const STALL_MS_MIN = 150;
/** A copy that answers and yet holds replies back for so long without any progress has failed. */
const STUCK_MS = 5000;
/** Silence after which a connection is dropped even if no other can be had. */
const DEAD_MS = 3000;
const CONNECT_AGAIN_MS = 50;
/** A node that the heart does not hear is tried less often. */
const CONNECT_AGAIN_DOWN_MS = 1000;
const FAILED_AGAIN_MS = 2000;
const FAILED_AGAIN_MS_MAX = 30_000;

export interface PeerContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly secondaryLostMs: number;
  readonly tls: (peer: NodeId) => ConnectionOptions;
  readonly stream: StreamReader;
  readonly tracker: AckTracker;
  /** Called after each acknowledgement. */
  readonly acknowledged: () => void;
  readonly held: HeldReplies;
  readonly hello: () => MirrorControl;
  readonly streamFacts: () => Omit<PrimaryStream, 'first' | 'sendableFrom' | 'last'>;
  /** A number that no entry in the ring has as its target. */
  readonly newTarget: () => number;
  /** `since`: only what was changed behind that entry, which is known, and what is `beside` it. */
  readonly startResync: (
    run: ResyncScope & { readonly target: number },
    events: RunEvents<ResyncProgress>,
  ) => StoreRun;
  /** That copy has on stable storage everything up to that entry. */
  readonly stored: (peer: NodeId, seq: number) => void;
  readonly startVerify: PeerVerifyDeps['start'];
  /** Undefined: no copy is compared without being asked for. */
  readonly scrubBytesPerSecond: number | undefined;
  readonly report: (message: FromMirror) => void;
  /** Something in its status changed. */
  readonly changed: () => void;
}

/** What a resync has to look at; without `since`, everything. */
export interface ResyncScope {
  readonly since: number | undefined;
  readonly beside: BesideSince;
}

export class PrimaryPeer {
  readonly #peer: MirrorPeer;
  readonly #with: PeerContext;
  readonly #silence: Silence;
  /** Names it, and this run of its resync, in the entries that are for it alone. */
  #target = 0;
  #stopped = false;
  #up = true;
  #giveUpRace: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  #connection: MirrorConnection | undefined;
  #link: string | undefined;
  #streaming = false;
  #wasConnected = false;
  #voted = false;
  #reportedCaughtUp = false;
  #caughtUpAt: number | undefined;
  #resync: StoreRun | undefined;
  readonly #verify: PeerVerify;
  /** The version of the protocol that both ends of the connection speak. */
  #version = 0;
  /** Its resync has begun and the barrier is not in the stream yet. */
  #resyncing = false;
  #progress: ResyncProgress | undefined;
  #failed: string | undefined;
  #failures = 0;
  #lastProblem = '';
  #cursor = 0;
  /** What was sent and not applied yet: number of the last entry and position behind it. */
  #sent: { last: number; next: number }[] = [];
  #neededFrom = 0;
  /** It holds replies back and has made no progress since. */
  #holdsSince: Instant | undefined;

  constructor(peer: MirrorPeer, context: PeerContext) {
    this.#peer = peer;
    this.#with = context;
    this.#silence = new Silence(context.secondaryLostMs, context.clock.now());
    const { changed, clock, report, startVerify: start } = context;
    this.#verify = new PeerVerify(peer.node, { clock, start, report, changed });
  }

  get node(): NodeId {
    return this.#peer.node;
  }

  get joined(): boolean {
    return this.#with.tracker.waitsFor(this.node);
  }

  /** The lowest position in the stream that has to be kept for it. */
  get neededFrom(): number | undefined {
    return this.joined || this.#streaming ? this.#neededFrom : undefined;
  }

  get silent(): boolean {
    return this.joined && this.#silence.silent;
  }

  start(): void {
    this.#connect();
  }

  /** Ends everything with this peer. */
  stop(reason: string): void {
    this.#stopped = true;
    this.#giveUpRace?.();
    clearTimeout(this.#retry);
    this.#connection?.close(reason);
    this.#endRuns(reason);
  }

  /** The registry has it in sync: replies wait for it from the first one on. */
  vote(): void {
    this.#voted = true;
    this.#reportedCaughtUp = true;
    this.#caughtUpAt = undefined;
    this.#with.tracker.join(this.node, 0);
    this.#with.changed();
  }

  expel(): void {
    const { held, tracker, changed } = this.#with;
    this.#voted = false;
    this.#reportedCaughtUp = false;
    this.#caughtUpAt = undefined;
    held.apply(() => tracker.leave(this.node));
    if (this.#connection === undefined && !this.#stopped) this.#connectSoon(CONNECT_AGAIN_MS);
    changed();
  }

  /** Why it cannot be compared with the primary at present. */
  verifiable(): string | undefined {
    if (this.#verify.busy) return `"${this.node}" is being verified already`;
    const follows = this.#streaming && !this.#resyncing;
    if (!follows) return `the copy on "${this.node}" is not in sync`;
    if (this.#version >= FEATURES.verification) return undefined;
    return `"${this.node}" runs a release that cannot verify its copy`;
  }

  /** Only when it is verifiable. */
  verify(kind: VerifyRun['kind'], bytesPerSecond: number): void {
    this.#target = this.#with.newTarget();
    this.#verify.start({ kind, target: this.#target, bytesPerSecond });
  }

  setUp(up: boolean): void {
    const came = up && !this.#up;
    this.#up = up;
    if (came && this.#connection === undefined && this.#failed === undefined) this.#connect();
  }

  /** The stream may have grown. */
  pump(): void {
    const connection = this.#connection;
    if (connection === undefined || !this.#streaming) return;
    while (connection.open && connection.sendAheadBytes < SEND_AHEAD_BYTES) {
      const batch = this.#with.stream.take(this.#cursor, this.#target);
      if (batch === undefined) return;
      if (batch.bytes !== undefined) connection.send(batch.bytes);
      else if (this.#sent.length === 0) this.#neededFrom = batch.next;
      this.#cursor = batch.next;
      if (batch.bytes !== undefined) this.#sent.push({ last: batch.last, next: batch.next });
    }
  }

  /** The barrier that ends its resync is in the stream. */
  barrier(seq: number, target: number): void {
    if (!this.#resyncing || !this.#streaming || target !== this.#target) return;
    this.#resyncing = false;
    this.#endRuns('its resync has ended');
    this.#join(seq);
    this.#with.changed();
  }

  timePassed(now: Instant): void {
    const { scrubBytesPerSecond: rate } = this.#with;
    const scrubs = rate !== undefined && this.#verify.scrubIsDue(now);
    if (scrubs && this.#voted && this.verifiable() === undefined) this.verify('scrub', rate);
    if (this.joined) {
      this.#tell(this.#silence.timePassed(now));
      return this.#lookWhetherStuck(now);
    }
    // Nobody waits for its acknowledgements, so nobody may wait for the space that it takes.
    const { stream, secondaryLostMs } = this.#with;
    if (!this.#streaming || !stream.crowded) return;
    if (this.#silence.silentFor(now) < secondaryLostMs) return;
    this.#connection?.close('it does not answer while the stream needs its space');
  }

  /** It speaks, but what replies wait for does not come: its disk hangs, most likely. */
  #lookWhetherStuck(now: Instant): void {
    const holds = this.#streaming && this.#with.tracker.holders().includes(this.node);
    if (!holds) this.#holdsSince = undefined;
    else this.#holdsSince ??= now;
    if (this.#holdsSince === undefined || now - this.#holdsSince < STUCK_MS) return;
    const reason = `it answers, but has made nothing durable for ${STUCK_MS / 1000} s`;
    if (this.#reportedCaughtUp) this.#with.report({ type: 'peerFailed', peer: this.node, reason });
    else this.#with.held.apply(() => this.#with.tracker.leave(this.node));
    // Once more after the same time, if nothing came of it.
    this.#holdsSince = now;
  }

  /** What a control process that has just connected needs to hear. */
  facts(): readonly FromMirror[] {
    const peer = this.node;
    if (!this.joined) return [];
    const facts: FromMirror[] = [];
    if (this.#failed !== undefined) {
      return [{ type: 'peerFailed', peer, reason: this.#failed }];
    }
    // First that it had caught up: one that is silent now and answers later is voted in then.
    if (!this.#voted && this.#reportedCaughtUp) facts.push({ type: 'peerCaughtUp', peer });
    if (this.silent) {
      const reason = this.#lastProblem || 'it does not answer';
      facts.push({ type: 'peerSilent', peer, silentMs: this.#with.secondaryLostMs, reason });
    }
    return facts;
  }

  status(): MirrorPeerStatus {
    const behind = this.#with.stream.end - this.#neededFrom;
    const known = this.#streaming || this.joined;
    return {
      node: this.node,
      state: this.#state(),
      behindBytes: known ? behind + this.#resyncBehind() : 0,
      resync: this.#resyncing ? this.#progress : undefined,
      verify: this.#verify.status,
      detail: this.#detail(),
    };
  }

  #state(): MirrorPeerStatus['state'] {
    if (this.#failed !== undefined) return 'failed';
    if (this.#connection === undefined) return this.#up ? 'connecting' : 'absent';
    if (!this.#streaming) return 'connecting';
    if (this.#resyncing) return 'resync';
    if (this.#voted) return 'in-sync';
    return this.#reportedCaughtUp ? 'caught-up' : 'resync';
  }

  #resyncBehind(): number {
    if (!this.#resyncing || this.#progress === undefined) return 0;
    return Math.max(0, this.#progress.bytesTotal - this.#progress.bytesDone);
  }

  #detail(): string {
    if (this.#failed !== undefined) return this.#failed;
    if (this.#connection === undefined) return this.#lastProblem;
    return this.#link === undefined ? '' : `over ${this.#link}`;
  }

  // Connecting.

  #connect(): void {
    clearTimeout(this.#retry);
    if (this.#stopped || this.#giveUpRace !== undefined || this.#connection !== undefined) return;
    this.#race();
  }

  #race(): void {
    // The link that stalls comes last, if there is one.
    const stalls = this.#connection === undefined ? undefined : this.#link;
    const links: readonly LinkTarget[] = this.#peer.links;
    const targets = links.toSorted((a, b) => Number(a.link === stalls) - Number(b.link === stalls));
    this.#giveUpRace = raceLinks(targets, this.#with.tls(this.node), {
      onConnected: (socket, link) => {
        this.#giveUpRace = undefined;
        this.#link = link;
        this.#connected(socket);
      },
      onFailed: (reason) => {
        this.#giveUpRace = undefined;
        if (this.#connection !== undefined) return;
        this.#problem(reason);
        this.#connectSoon(this.#up ? CONNECT_AGAIN_MS : CONNECT_AGAIN_DOWN_MS);
      },
    });
  }

  #endRace(): void {
    this.#giveUpRace?.();
    this.#giveUpRace = undefined;
  }

  #connectSoon(ms: number): void {
    clearTimeout(this.#retry);
    if (!this.#stopped) this.#retry = setTimeout(() => this.#connect(), ms);
  }

  #problem(reason: string): void {
    this.#lastProblem = reason;
    // Before the first connection of this epoch the copy may not listen yet: mere silence counts.
    if (this.#failed !== undefined || !this.#wasConnected) return;
    this.#tell(this.#silence.disconnected(this.#with.clock.now(), reason));
  }

  #connected(socket: TLSSocket): void {
    const stallMs = Math.max(STALL_MS_MIN, this.#with.secondaryLostMs / 2);
    const options = { stallMs, silentMs: DEAD_MS };
    const connection: MirrorConnection = new MirrorConnection(socket, options, {
      onFrame: (frame) => this.#frame(frame),
      onDrain: () => this.pump(),
      onStall: () => this.#tryAnother(),
      onEnd: (reason) => this.#disconnected(connection, reason),
    });
    const former = this.#connection;
    this.#connection = connection;
    this.#streaming = false;
    this.#sent = [];
    this.#endRuns('another connection took its place');
    former?.close('another connection took its place');
    connection.control(this.#with.hello());
  }

  /** The connection stalls: perhaps another link is better. The first one to speak goes on. */
  #tryAnother(): void {
    if (this.#giveUpRace !== undefined || this.#stopped) return;
    this.#race();
  }

  #disconnected(connection: MirrorConnection, reason: string): void {
    if (this.#connection !== connection) return;
    const { log, held, tracker, changed } = this.#with;
    const wasStreaming = this.#streaming;
    this.#connection = undefined;
    this.#streaming = false;
    this.#sent = [];
    if (wasStreaming) log.info('connection to a copy lost', { peer: this.node, reason });
    this.#endRuns(reason);
    if (this.joined && !this.#reportedCaughtUp) {
      this.#caughtUpAt = undefined;
      held.apply(() => tracker.leave(this.node));
    }
    this.#problem(reason);
    this.#connectSoon(this.#failed === undefined ? CONNECT_AGAIN_MS : this.#failedAgainMs());
    changed();
  }

  #failedAgainMs(): number {
    return Math.min(FAILED_AGAIN_MS * 2 ** Math.min(this.#failures - 1, 10), FAILED_AGAIN_MS_MAX);
  }

  // The conversation.

  #frame(frame: Frame): void {
    if (this.#streaming) this.#endRace();
    if (frame.type === 'control') return this.#controlFrame(frame);
    if (!this.#streaming) {
      if (frame.type !== 'keepalive') this.#connection?.close('it spoke before its turn');
      return;
    }
    this.#tell(this.#silence.heard(this.#with.clock.now()));
    if (frame.type === 'ack') this.#ackFrame(frame);
    else if (frame.type === 'answer') this.#answered(frame.payload.slice());
    else if (frame.type === 'entry') this.#connection?.close('a secondary sent an entry');
  }

  #answered(body: Uint8Array): void {
    if (isVerification(body)) this.#verify.receive(body);
    else this.#resync?.receive(body);
  }

  #controlFrame(frame: Frame): void {
    const message = decodeControl(frame.payload);
    if (!message.ok) return this.#connection?.close(message.reason);
    switch (message.value.type) {
      case 'hello':
        return this.#begin(message.value);
      case 'refused':
        this.#lastProblem = `refused: ${message.value.message}`;
        return this.#connection?.close(this.#lastProblem);
      case 'failed':
        return this.#fail(message.value.reason);
      case 'stored':
        return this.#stored(message.value.seq);
      default:
        this.#connection?.close('a secondary sent what only a primary may');
    }
  }

  #stored(seq: number): void {
    const { stream, stored } = this.#with;
    const isPossible = this.#streaming && seq <= stream.last;
    if (!isPossible) return this.#connection?.close('it stored what was not sent');
    stored(this.node, seq);
  }

  #begin(hello: MirrorControl & { type: 'hello' }): void {
    const own = this.#with.hello();
    const connection = this.#connection;
    if (connection === undefined || this.#streaming || own.type !== 'hello') return;
    if (hello.cluster !== own.cluster || hello.mirror !== own.mirror || hello.node !== this.node) {
      return connection.close('it is not the mirror that was expected there');
    }
    const speaks = hello.speaks ?? FIRST_PROTOCOL;
    const version = commonVersion(CLUSTER_PROTOCOL, speaks);
    if (version === undefined) {
      const us = { name: own.node, speaks: CLUSTER_PROTOCOL };
      const { why, next } = noCommonVersion(us, { name: this.node, speaks });
      this.#problem(`version-unsupported: ${why}; next: ${next}`);
      return connection.refuse({ type: 'refused', why: 'protocol', message: why }, why);
    }
    this.#version = version;
    const { stream } = this.#with;
    stream.scan();
    const facts = this.#with.streamFacts();
    const known = {
      ...facts,
      first: stream.first,
      sendableFrom: stream.sendableFrom,
      last: stream.last,
    };
    const { checkpoint } = hello;
    const isOfThisRun = checkpoint?.epoch === facts.epoch && checkpoint.session === facts.session;
    if (isOfThisRun) this.#with.stored(this.node, checkpoint.seq);
    const decision = decideStart(known, hello as CopyHello, this.#resyncing);
    this.#with.log.info('stream to a copy begins', {
      peer: this.node,
      link: this.#link,
      ...decision,
    });
    switch (decision.type) {
      case 'refuse': {
        const { reason } = decision;
        this.#fail(reason);
        return connection.refuse({ type: 'refused', why: 'foreign', message: reason }, reason);
      }
      case 'resume':
        return this.#stream('resume', decision.from);
      case 'follow':
        return this.#stream('follow', decision.from);
      case 'resync':
        if (!this.joined) return this.#stream('resync', stream.last, scopeOf(decision));
        this.#fail(`its copy must be brought up to date first: ${decision.reason}`);
        return connection.close('it must be voted out before its resync');
    }
  }

  #stream(mode: 'resume' | 'follow' | 'resync', from: number, scope?: ResyncScope): void {
    const { stream, changed, clock } = this.#with;
    const position = stream.positionAfter(from);
    if (position === undefined) return this.#connection?.close('its position is gone');
    this.#failed = undefined;
    this.#streaming = true;
    this.#wasConnected = true;
    this.#lastProblem = '';
    this.#cursor = position;
    this.#neededFrom = position;
    this.#sent = [];
    const own = scope?.beside === 'own' ? true : undefined;
    this.#connection?.control({ type: 'start', mode, from, first: stream.first, own });
    this.#resyncing = scope !== undefined;
    if (scope !== undefined) this.#startResync(scope);
    else if (!this.joined) this.#join(stream.last);
    this.#tell(this.#silence.heard(clock.now()));
    this.pump();
    changed();
  }

  #startResync(scope: ResyncScope): void {
    this.#progress = undefined;
    const target = this.#with.newTarget();
    this.#target = target;
    this.#resync = this.#with.startResync(
      { target, ...scope },
      {
        progress: (progress) => {
          this.#progress = progress;
          this.#with.changed();
        },
        failed: (reason) => this.#fail(`the resync ended: ${reason}`),
      },
    );
  }

  #endRuns(reason: string): void {
    this.#resync?.stop();
    this.#resync = undefined;
    this.#verify.breakOff(reason);
  }

  /** Replies wait for it from now on; it has caught up with what went without it at `caughtUpAt`. */
  #join(seq: number): void {
    const { tracker, held } = this.#with;
    tracker.join(this.node, seq);
    this.#caughtUpAt = Math.max(seq, held.highest);
  }

  #ackFrame(frame: Frame): void {
    const { tracker, held, stream, report, changed } = this.#with;
    const ack = decodeAck(frame);
    if (!ack.ok) return this.#connection?.close(ack.reason);
    const { applied, stable } = ack.value;
    if (applied > stream.last) return this.#connection?.close('it acknowledged what was not sent');
    this.#acknowledged(applied);
    this.#holdsSince = undefined;
    // Expelled, and yet it follows: it may come in again.
    if (!this.joined && !this.#resyncing) this.#join(stream.last);
    held.apply(() => tracker.acknowledged(this.node, applied, stable));
    this.#with.acknowledged();
    if (this.#caughtUpAt !== undefined && stable >= this.#caughtUpAt && !this.#reportedCaughtUp) {
      this.#caughtUpAt = undefined;
      this.#reportedCaughtUp = true;
      this.#failures = 0;
      report({ type: 'peerCaughtUp', peer: this.node });
      changed();
    }
  }

  #acknowledged(applied: number): void {
    let done = 0;
    for (const batch of this.#sent) {
      if (batch.last > applied) break;
      this.#neededFrom = batch.next;
      done += 1;
    }
    if (done > 0) this.#sent.splice(0, done);
    if (this.#sent.length === 0) this.#neededFrom = this.#cursor;
  }

  #fail(reason: string): void {
    const { report, log, changed } = this.#with;
    this.#failed = reason;
    this.#failures += 1;
    log.warn('copy failed', { peer: this.node, reason });
    this.#connection?.close(reason);
    if (this.joined) report({ type: 'peerFailed', peer: this.node, reason });
    changed();
  }

  #tell(silence: SilenceReport | undefined): void {
    if (silence === undefined || !this.joined) return;
    const { report, changed, held, tracker } = this.#with;
    if (!this.#reportedCaughtUp) {
      // Nobody votes on it yet, so the waiting for it may end without asking. One that has just joined
      // and answers again goes on catching up.
      if (silence.type === 'silent') {
        held.apply(() => tracker.leave(this.node));
        this.#caughtUpAt = undefined;
      }
    } else if (silence.type === 'answers') report({ type: 'peerAnswers', peer: this.node });
    else {
      const { silentMs } = silence;
      const reason = this.#lastProblem || silence.reason;
      report({ type: 'peerSilent', peer: this.node, silentMs, reason });
    }
    changed();
  }
}

function scopeOf({ since, beside }: Partial<ResyncScope>): ResyncScope {
  return { since, beside: beside ?? 'nothing' };
}
