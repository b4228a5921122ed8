/**
 * A whole cluster in virtual time, in one process, driven by a seed: the production cores of every
 * member, a network, disks, mirrors of numbered writes and a client that writes through whoever
 * serves. After every step the checkers look for broken promises.
 */
import { must } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import { type Instant, instant, plus } from '../base/time.ts';
import { NodeCore, type NodeCoreOptions } from '../core/node/node-core.ts';
import type { Config } from '../protocol/config.ts';
import type { BootId, GroupId, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';
import { type AgentFault, AgentFaults, type FaultyAction } from './agent-faults.ts';
import { Checkers, mirrorsOf } from './checkers.ts';
import { Coverage } from './coverage.ts';
import type { StepWatch } from './durable-steps.ts';
import { EventHeap } from './heap.ts';
import { Network, type NetworkOptions } from './network.ts';
import { SimFences } from './sim-fence.ts';
import { holds, SimDisk } from './sim-disk.ts';
import { type Question, SimEtcd, type StoreAnswer } from './sim-etcd.ts';
import type { SimMirror } from './sim-mirror.ts';
import type { NodeWorld } from './node-world.ts';
import { SimNode } from './sim-node.ts';
import { Trace } from './trace.ts';

export interface WorldOptions extends NetworkOptions {
  readonly config: Config;
  readonly seed: number;
  /** Clocks run between 1 - drift and 1 + drift of true speed. */
  readonly drift: number;
  /** Clocks keep the bound that the configuration names; true unless said otherwise. */
  readonly clocks?: boolean | undefined;
  /** How long a sync of a mirror's copy takes at most; none: at once. */
  readonly syncMs?: number | undefined;
  readonly writeEveryMs?: number | undefined;
  /** Unsynced writes may be lost with the power; links have a carrier that a cut takes away. */
  readonly harsh?: boolean | undefined;
  /** Remember the latest lines of what every node was told. */
  readonly keepLines?: number | undefined;
  /** Makes the cores of nodes; for those who look on. */
  readonly newCore?: ((made: NodeCoreOptions) => NodeCore) | undefined;
  /** Told of every event and of every answer to an administrator (kind `answer`). */
  readonly onSaid?: ((said: Said) => void) | undefined;
}

export interface Said {
  readonly at: Instant;
  readonly node: NodeId;
  /** Empty where no group is meant. */
  readonly group: string;
  readonly kind: string;
  readonly text: string;
}

const WRITE_EVERY_MS = 5;
const CARRIER_MS = 10;
const QUORUM_EVERY_MS = 50;

export class World {
  readonly options: WorldOptions;
  readonly prng: Prng;
  readonly transcript: string[] = [];
  readonly trace: Trace;
  readonly network: Network;
  readonly checkers: Checkers;
  readonly coverage = new Coverage();
  readonly fences: SimFences;
  /** Where the configuration has the records in a store outside. */
  readonly etcd: SimEtcd | undefined;
  /** Apart from the network's, so that a power-off does not change the packets after it. */
  readonly #lossPrng: Prng;
  readonly #heap = new EventHeap();
  readonly #members: readonly NodeId[];
  readonly #index: ReadonlyMap<NodeId, number>;
  readonly #nodes = new Map<NodeId, SimNode>();
  readonly #disks = new Map<NodeId, SimDisk>();
  readonly #rates = new Map<NodeId, number>();
  readonly #faults = new Map<NodeId, AgentFaults>();
  /** Requests without an answer, each with the control process that took it. */
  readonly #asked = new Map<number, { readonly node: SimNode; readonly control: number }>();
  readonly #mirrorKeys: readonly { readonly group: GroupId; readonly key: string }[];
  #now = instant(1000);
  #boots = 0;
  #writes = 0;
  #requests = 1;
  /** Clients write. */
  writing = true;
  /** Nodes on which Tako was told to end, and that are to be started again. */
  readonly leaving = new Set<NodeId>();
  /** Told of everything that becomes durable. */
  watch: StepWatch | undefined;
  /** Power does not come back by itself any more: peace decides. */
  holdFaults = false;
  /** This one is not turned on again by anybody. */
  staysOff: NodeId | undefined;

  constructor(options: WorldOptions) {
    this.options = options;
    this.prng = new Prng(options.seed);
    this.#lossPrng = new Prng(options.seed ^ 0x5bd1e995);
    this.trace = new Trace(options.keepLines ?? 0);
    const { config } = options;
    this.#members = membersOf(config);
    this.#index = new Map(this.#members.map((id, index) => [id, index]));
    this.network = new Network(options, { prng: this.prng, config, agenda: this });
    this.fences = new SimFences({
      now: () => this.#now,
      at: (when, run) => this.#heap.at(when, run),
      isOn: (id) => this.node(id) !== undefined,
      powerOff: (id) => this.powerOff(id),
      note: (text) => this.note(text),
    });
    this.checkers = new Checkers(this, {
      clocks: options.clocks !== false,
    });
    if (config.registry !== undefined) {
      const decided = this.checkers.decided.bind(this.checkers);
      const prng = new Prng(options.seed ^ 0x3c6ef372);
      this.etcd = new SimEtcd({ prng, agenda: this, decided });
    }
    this.#mirrorKeys = config.groups.flatMap(({ id }) =>
      mirrorsOf(config, id).map((mirror) => ({ group: id, key: `${id}/${mirror}` })),
    );
    for (const id of this.#members) {
      const landed = this.checkers.stored.bind(this.checkers);
      this.#disks.set(id, new SimDisk(id, landed));
      this.#faults.set(id, new AgentFaults());
      this.#rates.set(id, 1 + options.drift * (this.prng.float() * 2 - 1));
    }
    this.#every(options.writeEveryMs ?? WRITE_EVERY_MS, () => this.#writeEverywhere());
    this.#every(QUORUM_EVERY_MS, () => this.checkers.quorums());
  }

  get config(): Config {
    return this.options.config;
  }

  get now(): Instant {
    return this.#now;
  }

  at(when: Instant, run: () => void): void {
    this.#heap.at(when, run);
  }

  members(): readonly NodeId[] {
    return this.#members;
  }

  node(id: NodeId): SimNode | undefined {
    const node = this.#nodes.get(id);
    return node?.alive === true ? node : undefined;
  }

  disk(id: NodeId): SimDisk {
    return must(this.#disks.get(id), 'every member has a disk');
  }

  /** Acknowledged writes of a mirror so far. */
  acknowledgedCount(key: string): number {
    return this.checkers.acknowledgedCount(key);
  }

  hear(a: NodeId, b: NodeId): boolean {
    const answer = this.node(a)?.answers === true && this.node(b)?.answers === true;
    return answer && this.network.reaches(a, b) && this.network.reaches(b, a);
  }

  copyHas(id: NodeId, key: string, write: number): boolean {
    const copy = this.#disks.get(id)?.copies.get(key);
    return copy !== undefined && holds(copy.data, copy.synced, write);
  }

  powerOn(id: NodeId): void {
    if (this.node(id) !== undefined) return;
    const rate = must(this.#rates.get(id), 'every member has a clock');
    const [disk, faults] = [this.disk(id), this.faults(id)];
    const node = new SimNode(id, { disk, rate, faults }, this.#worldOf());
    this.#nodes.set(id, node);
    node.start();
    this.#carrierChanged(id, true);
    if (this.options.harsh === true) this.#findCarriers(id);
  }

  #askStore(from: NodeId, question: Question, answer: (event: StoreAnswer) => void): void {
    const heard = (event: StoreAnswer): void => this.node(from)?.deliver(() => answer(event));
    must(this.etcd, 'only who is configured so asks a store').ask(from, question, heard);
  }

  powerOff(id: NodeId): void {
    const node = this.node(id);
    if (node === undefined) return;
    node.powerOff(this.options.harsh);
    this.#carrierChanged(id, false);
  }

  /** Nothing passes on that link from `from` to `to` any more. */
  cut(link: LinkId, from: NodeId, to: NodeId): void {
    this.network.cut(link, from, to);
  }

  mend(link: LinkId, from: NodeId, to: NodeId): void {
    this.network.mend(link, from, to);
  }

  mendAll(): void {
    this.network.mendAll();
  }

  /** The plug of a direct link is pulled or put back: both ends see it. */
  plug(link: LinkId, ends: readonly NodeId[], carrier: boolean): void {
    for (const id of ends) {
      this.#heap.at(plus(this.#now, CARRIER_MS), () => this.node(id)?.carrier(link, carrier));
    }
  }

  /** From now on that resource does not start on that node. */
  breakResource(id: NodeId, group: GroupId, resource: ResourceId): void {
    this.setFault(id, `${group}/${resource}`, { action: 'start', fault: 'fails' });
  }

  /** How the agents of that node misbehave. */
  faults(id: NodeId): AgentFaults {
    return must(this.#faults.get(id), 'every member has agents');
  }

  /** From now on that action of an agent misbehaves so; without a fault it is well again. */
  setFault(
    id: NodeId,
    key: string,
    { action, fault }: { readonly action: FaultyAction; readonly fault: AgentFault | undefined },
  ): void {
    this.faults(id).heal(key, action);
    if (fault !== undefined) this.faults(id).begin(key, action, fault);
  }

  /** Asks at that node; the answer is waited for. */
  ask(id: NodeId, group: GroupId, request: Parameters<SimNode['ask']>[1]): void {
    const number = (this.#requests += 1);
    const node = this.node(id);
    if (node === undefined) return;
    this.#asked.set(number, { node, control: node.control });
    if (!node.ask(group, request, number)) this.#asked.delete(number);
  }

  endAgentFaults(): void {
    for (const faults of this.#faults.values()) faults.healAll();
  }

  /** Every plug is where it belongs, so every carrier is what its peer makes of it. */
  findAllCarriers(): void {
    for (const { link, nodes } of this.#directLinks()) {
      for (const id of nodes) {
        const peer = nodes.find((node) => node !== id);
        if (peer !== undefined) this.plug(link, [id], this.node(peer) !== undefined);
      }
    }
  }

  setRate(id: NodeId, rate: number): void {
    this.#rates.set(id, rate);
    this.node(id)?.setClock(rate);
  }

  rate(id: NodeId): number {
    return this.#rates.get(id) ?? 1;
  }

  advance(ms: number): void {
    const end = plus(this.#now, ms);
    for (;;) {
      const next = this.#heap.next();
      if (next === undefined || next > end) break;
      this.#now = next;
      this.#heap.pop()?.();
      this.checkers.afterStep();
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
    const line = `${seconds} ${text}`;
    this.transcript.push(line);
    this.trace.mixText(line);
    if (this.trace.on) this.trace.line(`${seconds}  ${text}`);
  }

  #worldOf(): NodeWorld {
    return {
      config: this.options.config,
      prng: this.#lossPrng,
      checkers: this.checkers,
      trace: this.trace,
      now: () => this.#now,
      at: (when, run) => this.#heap.at(when, run),
      newBoot: () => this.#newBoot(),
      newCore: (made) => this.options.newCore?.(made) ?? new NodeCore(made),
      packet: (from, to, link, body) => this.#packet(from, to, link, body),
      message: (from, to, body) => {
        if (!this.network.reaches(from, to)) return;
        this.network.carry(() => this.node(to)?.message(from, body));
      },
      askStore: (from, question, answer) => this.#askStore(from, question, answer),
      mirror: (id, from, key) => this.#mirrorOf(id, from, key),
      stream: (from, to, arrived, ended) => {
        const deliver = (): void => this.node(to)?.deliver(arrived);
        this.network.stream(from, to, deliver, ended);
      },
      syncMs: (id) => {
        const ms = this.options.syncMs ?? 0;
        return ms === 0 ? 0 : 0.05 + ms * this.prng.float() + this.disk(id).slowMs;
      },
      reached: (id, what, moment) => this.watch?.reached(id, what, moment),
      fence: (id, answer) => this.fences.turnOff(id, answer),
      said: (id, group, kind, text) => {
        this.coverage.hit(`event ${kind}`);
        this.options.onSaid?.({ at: this.#now, node: id, group, kind, text });
        this.note(`${id}: ${group} ${kind}: ${text}`);
      },
      acknowledged: (id, key, write, epoch) => this.checkers.acknowledged(id, key, write, epoch),
      replied: (id, number, ok, text) => {
        this.#asked.delete(number);
        this.options.onSaid?.({ at: this.#now, node: id, group: '', kind: 'answer', text });
        this.note(`${id}: ${ok ? 'done' : 'refused'}: ${text}`);
      },
    };
  }

  #newBoot(): BootId {
    this.#boots += 1;
    return this.#boots.toString(16).padStart(32, '0') as BootId;
  }

  #packet(from: NodeId, to: NodeId, link: LinkId, body: Parameters<SimNode['packet']>[3]): void {
    if (!this.network.passes(link, from, to)) return;
    const sender = this.#nodes.get(from);
    const receiver = this.#nodes.get(to);
    if (sender === undefined) return;
    const boot = sender.boot;
    // As the guard of packets does: for the run of the other heart that its sender has heard last.
    const known = sender.bootHeard(to) ?? receiver?.boot;
    const meant = this.options.harsh === true ? known : undefined;
    this.network.carry(() => {
      this.trace.mix(((this.#now * 1024) | 0) ^ (this.#index.get(to) ?? 0));
      this.node(to)?.packet({ id: from, boot }, meant, link, body);
    });
  }

  #mirrorOf(id: NodeId, from: NodeId, key: string): SimMirror | undefined {
    const node = this.node(id);
    if (node?.answers !== true) return undefined;
    return this.network.connects(from, id) ? node.mirror(key) : undefined;
  }

  /** The others see a direct link lose or find its carrier when its one peer goes or comes. */
  #carrierChanged(id: NodeId, carrier: boolean): void {
    for (const { link, nodes } of this.#directLinks()) {
      if (!nodes.includes(id)) continue;
      this.plug(
        link,
        nodes.filter((node) => node !== id),
        carrier,
      );
    }
  }

  /** A node that starts finds no carrier where its peer is off. */
  #findCarriers(id: NodeId): void {
    for (const { link, nodes } of this.#directLinks()) {
      const peer = nodes.find((node) => node !== id);
      if (peer === undefined || !nodes.includes(id)) continue;
      if (this.node(peer) === undefined) this.plug(link, [id], false);
    }
  }

  #directLinks(): readonly { readonly link: LinkId; readonly nodes: readonly NodeId[] }[] {
    const { links, nodes } = this.options.config;
    const direct = links.filter((link) => link.direct && nodes.length === 2);
    return direct.map((link) => ({
      link: link.id,
      nodes: nodes.map((node) => node.id).filter((id) => this.network.has(link.id, id)),
    }));
  }

  #writeEverywhere(): void {
    if (!this.writing) return;
    for (const { group, key } of this.#mirrorKeys) {
      for (const node of this.#nodes.values()) {
        if (!node.alive || !node.runs(`${group}/program`)) continue;
        this.#writes += 1;
        node.write(key, this.#writes);
      }
    }
  }

  #every(ms: number, run: () => void): void {
    this.#heap.at(plus(this.#now, ms), () => {
      run();
      this.#every(ms, run);
    });
  }

  /** Requests that were taken and are not answered. */
  get unanswered(): number {
    const open = [...this.#asked.values()];
    return open.filter(({ node, control }) => node.alive && node.control === control).length;
  }

  /** Every acknowledged write is on the copy that serves. */
  checkNothingLost(): void {
    for (const { id } of this.options.config.groups) {
      this.checkers.nothingLost(id, this.serving(id));
    }
  }
}

function membersOf(config: Config): readonly NodeId[] {
  const { nodes, witness } = config;
  return [...nodes, ...(witness === undefined ? [] : [witness])].map((node) => node.id);
}
