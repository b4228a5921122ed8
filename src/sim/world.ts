/**
 * A whole cluster in virtual time, in one process, driven by a seed: the production cores of every
 * member, a network with two links, mirrors of numbered writes and a client that writes through
 * whoever serves. After every step the checkers look for broken promises.
 */
import { assert, must } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import { type Instant, instant, plus } from '../base/time.ts';
import type { Config } from '../protocol/config.ts';
import type {
  BootId,
  Epoch,
  GroupId,
  LinkId,
  NodeId,
  ResourceId,
  SeatId,
} from '../protocol/ids.ts';
import { AgentFaults, type Fault, type FaultyAction } from './agent-faults.ts';
import { EventHeap } from './heap.ts';
import type { SimMirror } from './sim-mirror.ts';
import { type NodeWorld, type SimDisk, SimNode } from './sim-node.ts';

export interface WorldOptions {
  readonly config: Config;
  readonly seed: number;
  /** Probability that a datagram is lost. */
  readonly loss: number;
  readonly delayMs: { readonly min: number; readonly max: number };
  /** Clocks run between 1 - drift and 1 + drift of true speed. */
  readonly drift: number;
}

const WRITE_EVERY_MS = 5;
const CARRIER_MS = 10;

interface Acknowledged {
  readonly write: number;
  readonly epoch: Epoch;
}

export class World {
  readonly options: WorldOptions;
  readonly prng: Prng;
  readonly transcript: string[] = [];
  readonly #heap = new EventHeap();
  readonly #nodes = new Map<NodeId, SimNode>();
  readonly #disks = new Map<NodeId, SimDisk>();
  readonly #rates = new Map<NodeId, number>();
  /** Directed and per link: `link from to`. */
  readonly #cuts = new Set<string>();
  readonly #failing = new Map<NodeId, Set<string>>();
  readonly #faults = new Map<NodeId, AgentFaults>();
  readonly #acknowledged = new Map<string, Acknowledged[]>();
  readonly #epochMax = new Map<string, Epoch>();
  #now = instant(1000);
  #boots = 0;
  #writes = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    for (const id of this.members()) {
      this.#disks.set(id, { seat: `${id}-1` as SeatId, entries: new Map(), data: new Map() });
      this.#rates.set(id, 1 + options.drift * (this.prng.float() * 2 - 1));
      this.#failing.set(id, new Set());
      this.#faults.set(id, new AgentFaults());
    }
    this.#every(WRITE_EVERY_MS, () => this.#writeEverywhere());
  }

  get now(): Instant {
    return this.#now;
  }

  members(): readonly NodeId[] {
    const { nodes, witness } = this.options.config;
    return [...nodes, ...(witness === undefined ? [] : [witness])].map((node) => node.id);
  }

  node(id: NodeId): SimNode | undefined {
    const node = this.#nodes.get(id);
    return node?.alive === true ? node : undefined;
  }

  /** Acknowledged writes of a mirror so far. */
  acknowledgedCount(key: string): number {
    return this.#acknowledged.get(key)?.length ?? 0;
  }

  powerOn(id: NodeId): void {
    if (this.node(id) !== undefined) return;
    this.#boots += 1;
    const node = new SimNode(
      id,
      {
        boot: this.#boots.toString(16).padStart(32, '0') as BootId,
        disk: must(this.#disks.get(id), 'every member has a disk'),
        rate: must(this.#rates.get(id), 'every member has a clock'),
        failing: must(this.#failing.get(id), 'every member has resources'),
        faults: must(this.#faults.get(id), 'every member has agents'),
      },
      this.#worldOf(),
    );
    this.#nodes.set(id, node);
    node.start();
    this.#carrierChanged(id, true);
  }

  powerOff(id: NodeId): void {
    const node = this.node(id);
    if (node === undefined) return;
    node.powerOff();
    this.#carrierChanged(id, false);
  }

  /** Nothing passes on that link from `from` to `to` any more. */
  cut(link: LinkId, from: NodeId, to: NodeId): void {
    this.#cuts.add(`${link} ${from} ${to}`);
  }

  mend(link: LinkId, from: NodeId, to: NodeId): void {
    this.#cuts.delete(`${link} ${from} ${to}`);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  /** From now on that resource does not start on that node. */
  breakResource(id: NodeId, group: GroupId, resource: ResourceId): void {
    this.#failing.get(id)?.add(`${group}/${resource}`);
  }

  /** From now on that action of an agent misbehaves so; without a fault it is well again. */
  setFault(
    id: NodeId,
    resource: string,
    { action, fault }: { readonly action: FaultyAction; readonly fault: Fault | undefined },
  ): void {
    must(this.#faults.get(id), 'every member has agents').set(resource, action, fault);
  }

  advance(ms: number): void {
    const end = plus(this.#now, ms);
    for (;;) {
      const next = this.#heap.next();
      if (next === undefined || next > end) break;
      this.#now = next;
      this.#heap.pop()?.();
      this.#check();
    }
    this.#now = end;
  }

  /** Where a group serves: its program runs, on top of a primary mirror with a live lease. */
  serving(group: GroupId): readonly NodeId[] {
    const nodes = [...this.#nodes.values()].filter((node) => {
      const mirror = node.mirror(`${group}/data`);
      const live = node.alive && node.holdsLease(group) && mirror?.role === 'primary';
      return live && node.runs(`${group}/program`) && mirror.epoch > 0;
    });
    return nodes.map((node) => node.id);
  }

  note(text: string): void {
    const seconds = ((this.#now - 1000) / 1000).toFixed(3).padStart(8);
    this.transcript.push(`${seconds} ${text}`);
  }

  #worldOf(): NodeWorld {
    return {
      config: this.options.config,
      now: () => this.#now,
      at: (when, run) => this.#heap.at(when, run),
      packet: (from, to, link, body, boot) => {
        if (!this.#passes(link, from, to)) return;
        this.#carry(() => this.node(to)?.packet(from, boot, link, body));
      },
      message: (from, to, body) => {
        const links = this.options.config.links.filter((l) => this.#passes(l.id, from, to));
        if (links.length === 0) return;
        this.#carry(() => this.node(to)?.message(from, body));
      },
      mirror: (id, from, key) => this.#mirrorOf(id, from, key),
      said: (id, text) => this.note(`${id}: ${text}`),
      acknowledged: (_node, key, write, epoch) => this.#wasAcknowledged(key, { write, epoch }),
      replied: (id, ok, text) => this.note(`${id}: ${ok ? 'done' : 'refused'}: ${text}`),
    };
  }

  #mirrorOf(id: NodeId, from: NodeId, key: string): SimMirror | undefined {
    const node = this.node(id);
    if (node?.answers !== true) return undefined;
    const reachable = this.options.config.links.some(
      (l) => this.#passes(l.id, from, id) && this.#passes(l.id, id, from),
    );
    return reachable ? node.mirror(key) : undefined;
  }

  #passes(link: LinkId, from: NodeId, to: NodeId): boolean {
    if (this.#cuts.has(`${link} ${from} ${to}`)) return false;
    return [from, to].every((id) => this.#addressed(id, link));
  }

  #addressed(id: NodeId, link: LinkId): boolean {
    const { nodes, witness } = this.options.config;
    const config = [...nodes, witness].find((node) => node?.id === id);
    return config?.addresses[link] !== undefined;
  }

  #carry(run: () => void): void {
    const { delayMs, loss } = this.options;
    if (this.prng.chance(loss)) return;
    const delay = delayMs.min + this.prng.float() * (delayMs.max - delayMs.min);
    this.#heap.at(plus(this.#now, delay), run);
  }

  /** The others see a direct link lose or find its carrier when its one peer goes or comes. */
  #carrierChanged(id: NodeId, carrier: boolean): void {
    const { links, nodes } = this.options.config;
    const direct = links.filter((link) => link.direct && nodes.length === 2);
    for (const link of direct) {
      for (const node of nodes) {
        if (node.id === id || !this.#addressed(id, link.id)) continue;
        this.#heap.at(plus(this.#now, CARRIER_MS), () => {
          this.node(node.id)?.carrier(link.id, carrier);
        });
      }
    }
  }

  #writeEverywhere(): void {
    for (const group of this.options.config.groups) {
      for (const node of this.#nodes.values()) {
        if (!node.alive || !node.runs(`${group.id}/program`)) continue;
        this.#writes += 1;
        node.write(`${group.id}/data`, this.#writes);
      }
    }
  }

  #every(ms: number, run: () => void): void {
    this.#heap.at(plus(this.#now, ms), () => {
      run();
      this.#every(ms, run);
    });
  }

  // Checkers.

  #wasAcknowledged(key: string, ack: Acknowledged): void {
    const list = this.#acknowledged.get(key) ?? [];
    const epochMax = this.#epochMax.get(key) ?? (0 as Epoch);
    assert(ack.epoch >= epochMax, `P2: ${key} acknowledged at ${ack.epoch} after ${epochMax}`);
    this.#epochMax.set(key, ack.epoch);
    list.push(ack);
    this.#acknowledged.set(key, list);
  }

  #check(): void {
    for (const { id } of this.options.config.groups) {
      const serving = this.serving(id);
      assert(serving.length <= 1, `P3: ${id} is served by ${serving.join(' and ')}`);
    }
  }

  /** Every acknowledged write is on the copy that serves, and on every copy in sync. */
  checkNothingLost(): void {
    for (const { id } of this.options.config.groups) {
      const key = `${id}/data`;
      for (const node of this.serving(id)) {
        const has = new Set(this.node(node)?.mirror(key)?.data ?? []);
        const lost = (this.#acknowledged.get(key) ?? []).filter((ack) => !has.has(ack.write));
        assert(
          lost.length === 0,
          `P1: ${lost.length} acknowledged writes of ${key} lost on ${node}`,
        );
      }
    }
  }
}
