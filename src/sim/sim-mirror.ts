/**
 * A mirror in the simulator: numbered writes instead of files, the same commands, roles and rules
 * of acknowledgement as the real one. A write is acknowledged when every copy that is waited for
 * has it and the lease mark is fresh.
 */
import type { Instant } from '../base/time.ts';
import { plus } from '../base/time.ts';
import type { MirrorNews } from '../core/node/node-io.ts';
import type { Epoch, NodeId } from '../protocol/ids.ts';

export interface MirrorWorld {
  now(): Instant;
  at(when: Instant, run: () => void): void;
  /** The mirror of that node, while it is alive, reachable from this one, and not frozen. */
  peer(node: NodeId): SimMirror | undefined;
  news(news: MirrorNews): void;
  markValid(epoch: Epoch): boolean;
  acknowledged(write: number, epoch: Epoch): void;
}

const RESYNC_MS = 400;
const CHECK_MS = 50;

export class SimMirror {
  readonly node: NodeId;
  readonly #world: MirrorWorld;
  /** What is on this node's disk. Survives a power-off. */
  data: number[];
  role: 'idle' | 'primary' | 'secondary' | 'sealed' = 'idle';
  epoch = 0 as Epoch;
  primary: NodeId | undefined;
  /** Equal to the primary's data up to now; false means that a resync is needed. */
  following = false;
  #clean: boolean;
  #waitFor = new Set<NodeId>();
  #others = new Map<NodeId, 'in-sync' | 'resync' | 'absent'>();
  #silent = new Set<NodeId>();
  #pending: number[] = [];
  #alive = true;

  constructor(node: NodeId, disk: { data: number[]; clean: boolean }, world: MirrorWorld) {
    this.node = node;
    this.data = disk.data;
    this.#clean = disk.clean;
    this.#world = world;
  }

  get clean(): boolean {
    return this.#clean;
  }

  end(): void {
    this.#alive = false;
  }

  serve(epoch: Epoch, inSync: readonly NodeId[], nodes: readonly NodeId[]): void {
    this.role = 'primary';
    this.epoch = epoch;
    this.#waitFor = new Set(inSync.filter((node) => node !== this.node));
    this.#others = new Map();
    for (const node of nodes) if (node !== this.node) this.#others.set(node, 'absent');
    this.#silent.clear();
    this.#check();
  }

  follow(epoch: Epoch, primary: NodeId): void {
    if (this.role === 'secondary' && this.epoch === epoch && this.primary === primary) return;
    this.role = 'secondary';
    this.epoch = epoch;
    this.primary = primary;
    this.following = false;
  }

  seal(): void {
    if (this.role === 'secondary') this.role = 'sealed';
  }

  unseal(): void {
    if (this.role === 'sealed') this.role = 'secondary';
  }

  /** True when all copies that are waited for have everything. */
  drained(): boolean {
    this.#flush();
    if (this.#pending.length > 0) return false;
    for (const node of this.#waitFor) {
      const peer = this.#reach(node);
      if (peer === undefined || this.#others.get(node) !== 'in-sync') return false;
      peer.#clean = true;
    }
    this.#clean = true;
    this.role = 'idle';
    return true;
  }

  abort(): void {
    this.role = 'idle';
    this.#pending = [];
    this.#clean = false;
  }

  expel(peer: NodeId): void {
    this.#waitFor.delete(peer);
    this.#silent.delete(peer);
    if (this.#others.has(peer)) this.#others.set(peer, 'absent');
    const copy = this.#world.peer(peer);
    if (copy !== undefined) copy.following = false;
    this.#flush();
  }

  /** An application writes; it hears of it through `acknowledged`. */
  write(value: number): void {
    if (this.role !== 'primary' || !this.#alive) return;
    this.#clean = false;
    this.data.push(value);
    this.#pending.push(value);
    this.#flush();
  }

  #reach(node: NodeId): SimMirror | undefined {
    const peer = this.#world.peer(node);
    if (peer === undefined || peer.role !== 'secondary') return undefined;
    return peer.epoch === this.epoch && peer.primary === this.node ? peer : undefined;
  }

  #flush(): void {
    if (this.role !== 'primary') return;
    for (const [node, state] of this.#others) {
      const peer = state === 'in-sync' ? this.#reach(node) : undefined;
      if (peer === undefined || !peer.following) continue;
      peer.data = [...this.data];
      peer.#clean = false;
    }
    if (!this.#world.markValid(this.epoch)) return;
    for (const node of this.#waitFor) {
      const peer = this.#reach(node);
      if (peer === undefined || !peer.following || this.#others.get(node) !== 'in-sync') return;
    }
    for (const value of this.#pending) this.#world.acknowledged(value, this.epoch);
    this.#pending = [];
  }

  #check(): void {
    if (!this.#alive || this.role !== 'primary') return;
    for (const [node, state] of this.#others) this.#checkPeer(node, state);
    this.#flush();
    const epoch = this.epoch;
    this.#world.at(plus(this.#world.now(), CHECK_MS), () => {
      if (epoch === this.epoch) this.#check();
    });
  }

  #checkPeer(node: NodeId, state: 'in-sync' | 'resync' | 'absent'): void {
    const peer = this.#reach(node);
    if (peer === undefined) {
      if (state !== 'absent') this.#others.set(node, 'absent');
      if (!this.#waitFor.has(node) || this.#silent.has(node)) return;
      this.#silent.add(node);
      const reason = 'it does not answer';
      return this.#world.news({ type: 'peerSilent', peer: node, silentMs: 0, reason });
    }
    if (this.#silent.delete(node)) this.#world.news({ type: 'peerAnswers', peer: node });
    if (state !== 'absent') return;
    if (this.#waitFor.has(node)) {
      if (peer.following || (peer.#clean && peer.data.length <= this.data.length)) {
        peer.following = true;
        this.#others.set(node, 'in-sync');
      } else {
        const reason = 'its copy needs a resync';
        this.#world.news({ type: 'peerFailed', peer: node, reason });
      }
      return;
    }
    this.#others.set(node, 'resync');
    const epoch = this.epoch;
    this.#world.at(plus(this.#world.now(), RESYNC_MS), () => this.#caughtUp(node, epoch));
  }

  #caughtUp(node: NodeId, epoch: Epoch): void {
    if (!this.#alive || epoch !== this.epoch || this.#others.get(node) !== 'resync') return;
    const peer = this.#reach(node);
    if (peer === undefined) return void this.#others.set(node, 'absent');
    peer.data = [...this.data];
    peer.following = true;
    peer.#clean = false;
    this.#others.set(node, 'in-sync');
    this.#waitFor.add(node);
    this.#world.news({ type: 'peerCaughtUp', peer: node });
  }
}
