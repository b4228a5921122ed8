/**
 * A mirror in the simulator: numbered writes instead of files, the same commands, refusals, notes
 * and rules of acknowledgement as the real process. Replies are released by the production
 * `AckTracker`, primaries let in by the production `decideAdmission`, copies taken for equal by the
 * production `equalAtStart`.
 *
 * A write is confirmed by a copy when it is on its stable storage, and acknowledged to the client
 * when every copy that is waited for confirmed it and the lease mark, as last read, is fresh.
 */
import { unreachable } from '../base/assert.ts';
import { type Instant, plus } from '../base/time.ts';
import { AckTracker } from '../core/mirror/ack-tracker.ts';
import { decideAdmission, equalAtStart, type Following } from '../core/mirror/session-decision.ts';
import type { MirrorNews, MirrorOrder } from '../core/node/node-io.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';
import type { CopyWorth } from '../protocol/mirror-frames.ts';
import type { DurableKind, DurableWork } from './durable-steps.ts';
import type { CopyDisk } from './sim-disk.ts';

export interface MirrorWorld {
  now(): Instant;
  /** Runs on this node, while this mirror process lives. */
  at(when: Instant, run: () => void): void;
  /** The mirror of that node, while it is alive, reachable from this one, and not frozen. */
  peer(node: NodeId): SimMirror | undefined;
  /** Over a connection to that node: in order, and sooner or later unless it breaks. */
  /** `ended`: the connection broke before it came there. */
  stream(to: NodeId, arrived: () => void, ended: () => void): void;
  /** How long a sync of this node's disk takes; 0 is at once. */
  syncMs(): number;
  /** Changes what is on stable storage, and goes on while this mirror process lives. */
  durably(what: DurableKind, work: Pick<DurableWork, 'make' | 'then'>): void;
  news(news: MirrorNews): void;
  /** Until when the lease mark of that epoch is good; the distant past without one. */
  markUntil(epoch: Epoch): Instant;
  ownNow(): Instant;
  session(): string;
  confirmed(epoch: Epoch): void;
  served(mirror: SimMirror): void;
  acknowledged(write: number, epoch: Epoch): void;
}

export interface MirrorRefusal {
  readonly ok: boolean;
  readonly copyGone: boolean;
  readonly message: string;
}

interface Batch {
  readonly session: string;
  readonly epoch: Epoch;
  readonly from: number;
  readonly values: readonly number[];
  /** Ends the epoch: the copy notes that it is equal. */
  readonly clean: boolean;
  /** The connection over which it came is there. */
  isOpen(): boolean;
}

interface Peer {
  state: 'in-sync' | 'resync' | 'absent';
  /** One batch at a time is on its way. */
  flying: boolean;
  stable: number;
  sent: number;
  clean: boolean;
  /** Counts connections: what belongs to an earlier one is void. */
  connection: number;
  /** How often the copy had been sealed when the connection was made: a seal ends it. */
  seals: number;
}

const DONE: MirrorRefusal = { ok: true, copyGone: false, message: '' };
const RESYNC_MS = 400;
const CHECK_MS = 50;
/** A client does not have more writes under way. */
const HELD_MAX = 100;

export class SimMirror {
  readonly node: NodeId;
  readonly #world: MirrorWorld;
  /** What is on this node's disk. Survives a power-off. */
  readonly disk: CopyDisk;
  role: 'idle' | 'primary' | 'secondary' = 'idle';
  epoch = 0 as Epoch;
  #following: Following | undefined;
  #sealed: Epoch | undefined;
  /** While nothing was followed. */
  #idleSeal: Epoch | undefined;
  #seals = 0;
  #keepBefore: Epoch | undefined;
  #lastEpoch = 0 as Epoch;
  /** Of the stream that this copy follows, or sends. */
  #session = '';
  #startedFrom: CopyWorth = { state: 'empty' };
  #startLength = 0;
  #tracker = new AckTracker('durable');
  #peers = new Map<NodeId, Peer>();
  readonly #silent = new Set<NodeId>();
  /** Copies that the registry has in sync, as far as this mirror was told. */
  readonly #voted = new Set<NodeId>();
  #markUntil = 0 as Instant;
  #draining = false;
  #alive = true;

  constructor(node: NodeId, disk: CopyDisk, world: MirrorWorld) {
    this.node = node;
    this.disk = disk;
    this.#world = world;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Writes that wait for their acknowledgement. */
  get pending(): number {
    return this.role === 'primary' ? this.#tracker.heldCount : 0;
  }

  end(): void {
    this.#alive = false;
  }

  /** Carries out what ownership calls for. */
  order(order: MirrorOrder): MirrorRefusal {
    switch (order.type) {
      case 'follow':
        return this.follow(order.epoch, order.primary, order.keepBefore);
      case 'seal':
        return this.seal(order.epoch);
      case 'unseal':
        return this.unseal();
      case 'expel':
        return this.expel(order.peer);
      case 'admit':
        return this.admit(order.peer);
      default:
        return unreachable(order);
    }
  }

  serve(epoch: Epoch, inSync: readonly NodeId[], nodes: readonly NodeId[]): MirrorRefusal {
    if (this.role === 'primary') {
      if (this.epoch !== epoch) return refuse(`epoch ${this.epoch} is served`);
      for (const node of inSync) this.admit(node);
      return DONE;
    }
    const seen = Math.max(this.#sealed ?? 0, this.#following?.epoch ?? 0);
    const least = Math.max(this.#lastEpoch, this.#idleSeal ?? 0);
    if (epoch < least || epoch <= seen) {
      return refuse(`epoch ${Math.max(least, seen)} of another primary was seen`);
    }
    if (this.disk.partial) return refuse('this copy was being brought up to date');
    this.role = 'primary';
    this.epoch = epoch;
    this.#lastEpoch = epoch;
    this.#following = undefined;
    this.#sealed = undefined;
    this.#idleSeal = undefined;
    this.#draining = false;
    this.#session = this.#world.session();
    this.#startedFrom = this.disk.note;
    this.#startLength = this.disk.data.length;
    this.disk.note = { state: 'dirty' };
    this.disk.synced = this.disk.data.length;
    this.#tracker = new AckTracker('durable');
    this.#peers = new Map();
    this.#silent.clear();
    this.#voted.clear();
    for (const node of nodes) if (node !== this.node) this.#peers.set(node, newPeer());
    for (const node of inSync) this.admit(node);
    this.#world.served(this);
    this.#check(this.#session);
    return DONE;
  }

  follow(epoch: Epoch, primary: NodeId, keepBefore?: Epoch): MirrorRefusal {
    if (this.role === 'primary') return refuse('this node serves');
    if (epoch < this.#lastEpoch) return refuse(`epoch ${this.#lastEpoch} was seen`);
    this.role = 'secondary';
    this.epoch = epoch;
    this.#lastEpoch = epoch;
    this.#following = { epoch, primary };
    this.#sealed ??= this.#idleSeal;
    this.#idleSeal = undefined;
    this.#keepBefore = keepBefore;
    if (this.#sealed !== undefined && this.#sealed < epoch) this.#sealed = undefined;
    return DONE;
  }

  seal(epoch: Epoch): MirrorRefusal {
    if (this.role === 'primary') return refuse('this node serves');
    if (this.disk.note.state === 'empty')
      return { ...refuse('there is no copy here'), copyGone: true };
    if (this.disk.partial) return { ...refuse('this copy is incomplete'), copyGone: true };
    if (this.role === 'idle') {
      this.#idleSeal = Math.max(epoch, this.#idleSeal ?? 0) as Epoch;
      return DONE;
    }
    this.#sealed = Math.max(epoch, this.#sealed ?? 0) as Epoch;
    this.#seals += 1;
    return DONE;
  }

  unseal(): MirrorRefusal {
    this.#idleSeal = undefined;
    this.#sealed = undefined;
    return DONE;
  }

  /** True when all copies that are waited for have everything, and have noted so. */
  drained(): boolean {
    this.#draining = true;
    this.flush();
    if (this.#tracker.heldCount > 0) return false;
    const waited = [...this.#peers].filter(([node]) => this.#tracker.waitsFor(node));
    for (const [node, peer] of waited) {
      if (peer.state === 'in-sync' && !peer.clean) this.#pump(node, peer);
    }
    return waited.every(([, peer]) => peer.state === 'in-sync' && peer.clean);
  }

  /** The end of a primary that is drained. */
  noteClean(): void {
    this.disk.synced = this.disk.data.length;
    this.disk.note = { state: 'clean', epoch: this.epoch, seq: this.disk.data.length };
    this.role = 'idle';
  }

  /** The drain came to nothing: the mount is as before. */
  undrain(): void {
    this.#draining = false;
    for (const peer of this.#peers.values()) peer.clean = false;
  }

  abort(): void {
    this.role = 'idle';
    this.#tracker.dropAll();
  }

  admit(peer: NodeId): MirrorRefusal {
    if (this.role !== 'primary') return refuse('this node does not serve');
    if (this.#peers.has(peer)) this.#tracker.join(peer, 0);
    this.#voted.add(peer);
    return DONE;
  }

  expel(peer: NodeId): MirrorRefusal {
    if (this.role !== 'primary') return refuse('this node does not serve');
    this.#gate();
    this.#release(this.#tracker.leave(peer));
    this.#silent.delete(peer);
    this.#voted.delete(peer);
    const known = this.#peers.get(peer);
    if (known !== undefined) this.#disconnect(known);
    this.#world.peer(peer)?.forgetSession(this.#session);
    this.flush();
    return DONE;
  }

  /** The stream has left this copy behind: it needs a resync to go on. */
  forgetSession(session: string): void {
    if (this.role !== 'primary' && this.#session === session) this.#session = '';
  }

  /** What a control process that has just connected needs to hear. */
  facts(): readonly MirrorNews[] {
    if (this.role !== 'primary') return [];
    const facts: MirrorNews[] = [];
    // First that it had caught up: one that is silent now and answers later is voted in then.
    for (const node of this.#peers.keys()) {
      const waits = this.#tracker.waitsFor(node) && !this.#voted.has(node);
      if (waits) facts.push({ type: 'peerCaughtUp', peer: node });
    }
    for (const peer of this.#silent) {
      facts.push({ type: 'peerSilent', peer, silentMs: 0, reason: 'it does not answer' });
    }
    return facts;
  }

  /** An application writes; it hears of it through `acknowledged`. */
  write(value: number): void {
    if (this.role !== 'primary' || !this.#alive || this.#draining) return;
    if (this.#tracker.heldCount >= HELD_MAX) return;
    const seq = this.disk.data.push(value);
    this.#gate();
    this.#release(this.#tracker.hold({ token: value, seq, kind: 'sync' }));
    const session = this.#session;
    const serves = (): boolean => this.#session === session && this.role === 'primary';
    const make = (): void => {
      this.disk.synced = Math.max(this.disk.synced, seq);
    };
    const then = (): void => {
      if (!serves()) return;
      this.#gate();
      this.#release(this.#tracker.localDone(value));
    };
    this.#afterSync(() => {
      if (serves()) this.#world.durably('sync', { make, then });
    });
    this.flush();
  }

  /** Sends what is new, releases what may go. */
  flush(): void {
    if (this.role !== 'primary' || !this.#alive) return;
    this.#gate();
    for (const [node, peer] of this.#peers) {
      if (peer.state === 'in-sync' && peer.sent < this.disk.data.length) this.#pump(node, peer);
    }
  }

  #gate(): void {
    const now = this.#world.ownNow();
    if (now >= this.#markUntil) this.#markUntil = this.#world.markUntil(this.epoch);
    if (now < this.#markUntil) this.#release(this.#tracker.openGate());
    else this.#tracker.closeGate();
  }

  #release(writes: readonly number[]): void {
    for (const write of writes) this.#world.acknowledged(write, this.epoch);
  }

  #afterSync(run: () => void): void {
    const ms = this.#world.syncMs();
    if (ms === 0) run();
    else this.#world.at(plus(this.#world.now(), ms), run);
  }

  /** The copy there, if it lets this primary in. */
  #reach(node: NodeId): SimMirror | undefined {
    const copy = this.#world.peer(node);
    return copy?.role === 'secondary' && copy.lets(this.node, this.epoch) ? copy : undefined;
  }

  /** It has changes that were given up by force, and is not to be overwritten. */
  get isKept(): boolean {
    const { base, data, note } = this.disk;
    if (this.role !== 'secondary') return false;
    if (this.#keepBefore === undefined || base >= this.#keepBefore) return false;
    return note.state !== 'empty' && data.length > 0;
  }

  /** Whether this copy accepts the stream of that primary. */
  lets(node: NodeId, epoch: Epoch): boolean {
    return decideAdmission(this.#following, this.#sealed, { node, epoch }).type === 'accept';
  }

  #pump(node: NodeId, peer: Peer): void {
    if (peer.flying) return;
    const { data } = this.disk;
    const { connection } = peer;
    const session = this.#session;
    const current = (): boolean =>
      this.#session === session && peer.connection === connection && this.#alive;
    const batch: Batch = {
      ...{ session, epoch: this.epoch, from: peer.sent, values: data.slice(peer.sent) },
      clean: this.#draining && this.#tracker.heldCount === 0,
      isOpen: current,
    };
    peer.flying = true;
    peer.sent = data.length;
    const upTo = peer.sent;
    // The next check makes another connection.
    const ended = (): void => {
      if (current()) this.#disconnect(peer);
    };
    const confirmed = (): void => {
      if (current() && this.role === 'primary') this.#acked(node, peer, upTo, batch.clean);
    };
    const arrived = (): void => {
      const copy = this.#reach(node);
      if (!current()) return;
      if (copy === undefined) return ended();
      copy.#receive(batch, () => copy.#world.stream(this.node, confirmed, ended));
    };
    this.#world.stream(node, arrived, ended);
  }

  #acked(node: NodeId, peer: Peer, stable: number, clean: boolean): void {
    peer.flying = false;
    peer.stable = stable;
    peer.clean = clean;
    this.#gate();
    this.#release(this.#tracker.acknowledged(node, stable, stable));
    if (peer.sent < this.disk.data.length) this.#pump(node, peer);
  }

  /** A secondary: applies, and confirms once it is on stable storage, unless it was sealed. */
  #receive(batch: Batch, confirm: () => void): void {
    const { disk } = this;
    const then = (): void => {
      if (this.#session === batch.session) this.#apply(batch, confirm);
    };
    if (this.#session !== batch.session || disk.data.length !== batch.from) return;
    if (disk.note.state === 'dirty') return then();
    const make = (): void => {
      disk.note = { state: 'dirty' };
    };
    this.#world.durably('dirty', { make, then });
  }

  #apply(batch: Batch, confirm: () => void): void {
    const { disk } = this;
    for (const value of batch.values) disk.data.push(value);
    const length = disk.data.length;
    let confirms = false;
    const make = (): void => {
      disk.synced = Math.max(disk.synced, length);
      confirms = this.#sealed === undefined || batch.epoch > this.#sealed;
      if (!confirms || !batch.clean) return;
      disk.note = { state: 'clean', epoch: batch.epoch, seq: length };
    };
    const then = (): void => {
      if (!confirms || !batch.isOpen()) return;
      this.#world.confirmed(batch.epoch);
      confirm();
    };
    this.#afterSync(() => {
      if (this.#session !== batch.session || this.role !== 'secondary') return;
      this.#world.durably('copy', { make, then });
    });
  }

  #check(session: string): void {
    if (!this.#alive || this.role !== 'primary' || this.#session !== session) return;
    for (const [node, peer] of this.#peers) this.#checkPeer(node, peer);
    this.flush();
    this.#world.at(plus(this.#world.now(), CHECK_MS), () => this.#check(session));
  }

  #disconnect(peer: Peer): void {
    peer.state = 'absent';
    peer.flying = false;
    peer.clean = false;
    peer.connection += 1;
  }

  #checkPeer(node: NodeId, peer: Peer): void {
    const copy = this.#reach(node);
    const waits = this.#tracker.waitsFor(node);
    if (copy === undefined) {
      if (peer.state !== 'absent') this.#disconnect(peer);
      if (!waits || this.#silent.has(node)) return;
      this.#silent.add(node);
      const reason = 'it does not answer';
      return this.#world.news({ type: 'peerSilent', peer: node, silentMs: 0, reason });
    }
    if (this.#silent.delete(node)) this.#world.news({ type: 'peerAnswers', peer: node });
    const severed = copy.#session !== this.#session || copy.#seals !== peer.seals;
    if (peer.state === 'in-sync' && severed) this.#disconnect(peer);
    if (peer.state !== 'absent' || copy.isKept) return;
    if (waits) {
      if (this.#joinable(copy)) return this.#connect(node, peer, copy);
      const reason = 'its copy needs a resync';
      return this.#world.news({ type: 'peerFailed', peer: node, reason });
    }
    peer.state = 'resync';
    peer.seals = copy.#seals;
    copy.#resyncBegins(this.epoch);
    const { connection } = peer;
    const session = this.#session;
    this.#world.at(plus(this.#world.now(), RESYNC_MS), () => {
      if (this.#session === session && peer.connection === connection) this.#caughtUp(node, peer);
    });
  }

  /** It can go on where it is: in this stream already, or equal when the stream began. */
  #joinable(copy: SimMirror): boolean {
    if (copy.disk.partial) return false;
    if (copy.#session === this.#session) return true;
    if (!equalAtStart(this.#startedFrom, copy.disk.note)) return false;
    return copy.disk.data.length === this.#startLength;
  }

  #connect(node: NodeId, peer: Peer, copy: SimMirror): void {
    copy.#session = this.#session;
    copy.#following ??= { epoch: this.epoch, primary: this.node };
    peer.state = 'in-sync';
    peer.seals = copy.#seals;
    peer.sent = copy.disk.data.length;
    this.#pump(node, peer);
  }

  #caughtUp(node: NodeId, peer: Peer): void {
    if (!this.#alive || this.role !== 'primary' || peer.state !== 'resync') return;
    const copy = this.#reach(node);
    if (copy === undefined || copy.#seals !== peer.seals) return this.#disconnect(peer);
    const data = [...this.disk.data];
    const [{ connection }, session] = [peer, this.#session];
    copy.#resyncEnds(data, () => {
      const goesOn = this.#alive && this.role === 'primary' && this.#session === session;
      if (!goesOn || peer.connection !== connection) return;
      // Its answer came late, and what was written meanwhile is not on it.
      if (this.disk.data.length !== data.length) return this.#disconnect(peer);
      this.#tracker.join(node, data.length + 1);
      this.#connect(node, peer, copy);
      this.#world.news({ type: 'peerCaughtUp', peer: node });
    });
  }

  #resyncBegins(base: Epoch): void {
    const make = (): void => {
      this.disk.base = base;
      this.disk.partial = true;
      this.disk.note = { state: 'dirty' };
      this.#session = '';
    };
    this.#world.durably('resync begins', { make, then: () => undefined });
  }

  #resyncEnds(data: number[], then: () => void): void {
    const make = (): void => {
      this.disk.data = data;
      this.disk.synced = data.length;
      this.disk.partial = false;
    };
    this.#world.durably('resync ends', { make, then });
  }
}

function refuse(message: string): MirrorRefusal {
  return { ok: false, copyGone: false, message };
}

function newPeer(): Peer {
  const state = 'absent';
  return { state, flying: false, stable: 0, sent: 0, clean: false, connection: 0, seals: 0 };
}
