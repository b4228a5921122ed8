/**
 * One member in the simulator: the production `HeartCore` and `NodeCore` over a simulated disk,
 * network, mirrors and programs. Its clock may run fast or slow within the allowed drift.
 */
import { assert, must, unreachable } from '../base/assert.ts';
import { type Instant, instant, plus } from '../base/time.ts';
import type { EngineAction, Observation } from '../core/group/engine.ts';
import { HeartCore } from '../core/heart/heart-core.ts';
import type { HeartEffect, HeartEvent } from '../core/heart/heart-types.ts';
import { NodeCore } from '../core/node/node-core.ts';
import type {
  CoreEvent,
  Decided,
  Effect,
  MirrorOrder,
  OperatorRequest,
} from '../core/node/node-io.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../core/registry/acceptor.ts';
import type { Config } from '../protocol/config.ts';
import type { FromHeart } from '../protocol/heart-ipc.ts';
import type {
  BootId,
  Epoch,
  GroupId,
  LinkId,
  NodeId,
  ResourceId,
  SeatId,
} from '../protocol/ids.ts';
import type { AnswerBody, HeartbeatBody } from '../protocol/packet.ts';
import type { RegistryMessage } from '../protocol/record.ts';
import type { AgentFaults } from './agent-faults.ts';
import { SimMirror } from './sim-mirror.ts';

export interface NodeWorld {
  readonly config: Config;
  now(): Instant;
  at(when: Instant, run: () => void): void;
  packet(
    from: NodeId,
    to: NodeId,
    link: LinkId,
    body: HeartbeatBody | AnswerBody,
    boot: BootId,
  ): void;
  message(from: NodeId, to: NodeId, body: RegistryMessage | Decided): void;
  mirror(node: NodeId, from: NodeId, key: string): SimMirror | undefined;
  said(node: NodeId, text: string): void;
  acknowledged(node: NodeId, key: string, write: number, epoch: Epoch): void;
  replied(node: NodeId, ok: boolean, text: string): void;
}

/** What a power-off leaves: the acceptor's entries and the mirrored data. */
export interface SimDisk {
  readonly seat: SeatId;
  readonly entries: Map<GroupId, AcceptorEntry>;
  readonly data: Map<string, { data: number[]; clean: boolean }>;
}

interface Promised {
  readonly group: GroupId;
  readonly epoch: Epoch;
  readonly validUntil: Instant;
}

type Untimed<E> = E extends { readonly now: Instant } ? Omit<E, 'now'> : never;

const DISK_MS = 0.3;
const ACTION_MS = 5;
/** Wakes of the simulated heart are at least that far apart. */
const HEART_SLACK_MS = 1;

export class SimNode {
  readonly id: NodeId;
  readonly boot: BootId;
  readonly #world: NodeWorld;
  readonly #disk: SimDisk;
  readonly #rate: number;
  readonly #heart: HeartCore;
  readonly #core: NodeCore | undefined;
  readonly #acceptor: Acceptor | undefined;
  readonly #mirrors = new Map<string, SimMirror>();
  readonly #running = new Set<string>();
  readonly #failing: ReadonlySet<string>;
  readonly #faults: AgentFaults;
  /** The latest action per resource; what an earlier one would still have done is dropped. */
  readonly #latest = new Map<string, number>();
  readonly #marks = new Map<GroupId, Promised>();
  #alive = true;
  #frozen = false;
  /** What came while it was frozen. */
  #held: (() => void)[] = [];
  #durable = 0;
  #waiting: { readonly after: number; readonly run: () => void }[] = [];
  #wakeAt = new Map<'heart' | 'core', Instant>();

  constructor(
    id: NodeId,
    options: {
      readonly boot: BootId;
      readonly disk: SimDisk;
      /** Its clock's speed: 1 is true time. */
      readonly rate: number;
      /** Resources (`GROUP/RESOURCE`) that do not start on this node. */
      readonly failing: ReadonlySet<string>;
      readonly faults: AgentFaults;
    },
    world: NodeWorld,
  ) {
    this.id = id;
    this.boot = options.boot;
    this.#disk = options.disk;
    this.#rate = options.rate;
    this.#failing = options.failing;
    this.#faults = options.faults;
    this.#world = world;
    const { config } = world;
    const members = [...config.nodes, ...(config.witness === undefined ? [] : [config.witness])];
    this.#heart = new HeartCore({
      self: id,
      boot: options.boot,
      startedAt: this.#now(),
      timing: config.timing,
      links: config.links,
      members: members.map((member) => ({
        id: member.id,
        links: Object.keys(member.addresses) as LinkId[],
      })),
      leftovers: [],
    });
    const restored = [...options.disk.entries.values()];
    const { seat } = options.disk;
    if (config.witness?.id === id) this.#acceptor = new Acceptor(seat, restored);
    else this.#core = new NodeCore({ me: id, config, seat, restored });
  }

  get core(): NodeCore | undefined {
    return this.#core;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get answers(): boolean {
    return this.#alive && !this.#frozen;
  }

  /** Whether a resource runs here: an address also needs its lease. */
  runs(key: string): boolean {
    return this.#alive && this.#running.has(key);
  }

  holdsLease(group: GroupId): boolean {
    const mark = this.#marks.get(group);
    return mark !== undefined && this.#now() < mark.validUntil;
  }

  mirror(key: string): SimMirror | undefined {
    return this.#mirrors.get(key);
  }

  start(): void {
    for (const group of this.#world.config.groups) this.#startMirrors(group.id);
    this.#heartStep({ type: 'controlConnected' });
    const core = this.#core;
    if (core !== undefined) {
      this.#perform(core.start(this.#now()));
      this.#coreStep({ type: 'heartConnected' });
    } else this.#sendTable();
    this.#heartStep({ type: 'reportAsked' });
  }

  powerOff(): void {
    this.#alive = false;
    for (const [key, mirror] of this.#mirrors) {
      mirror.end();
      // What was being written when the power went is anything but clean.
      const clean = mirror.clean && mirror.role !== 'primary';
      this.#disk.data.set(key, { data: mirror.data, clean });
    }
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    const held = this.#held;
    this.#held = [];
    this.#heartStep({ type: 'timePassed' });
    for (const run of held) run();
    this.#wake('heart');
    this.#wake('core');
  }

  ask(group: GroupId, request: OperatorRequest): void {
    this.#coreStep({ type: 'asked', id: 1, group, request });
  }

  write(key: string, value: number): void {
    if (this.answers) this.#mirrors.get(key)?.write(value);
  }

  /** A program dies by itself. */
  kill(group: GroupId, resource: ResourceId): void {
    if (!this.#running.delete(`${group}/${resource}`)) return;
    const seen: Observation = { resource, state: 'failed', detail: 'killed by SIGKILL' };
    this.#coreStep({ type: 'observed', group, seen, monitorId: undefined });
  }

  packet(from: NodeId, boot: BootId, link: LinkId, body: HeartbeatBody | AnswerBody): void {
    this.#deliver(() => this.#heartStep({ type: 'heard', from, boot, link, body }));
  }

  carrier(link: LinkId, carrier: boolean): void {
    this.#deliver(() => this.#heartStep({ type: 'carrierChanged', link, carrier }));
  }

  message(from: NodeId, message: RegistryMessage | Decided): void {
    this.#deliver(() => this.#receive(from, message));
  }

  #receive(from: NodeId, message: RegistryMessage | Decided): void {
    if (message.type === 'decided') {
      return this.#coreStep({ type: 'decided', from, decided: message });
    }
    if (this.#core !== undefined) {
      return this.#coreStep({ type: 'registryMessage', from, message });
    }
    if (message.type !== 'prepare' && message.type !== 'accept') return;
    this.#acceptorDid(must(this.#acceptor, 'the witness has an acceptor').step(from, message));
  }

  #deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.#frozen) this.#held.push(run);
    else run();
  }

  /** What its clock shows. */
  get now(): Instant {
    return this.#now();
  }

  #now(): Instant {
    return instant(this.#world.now() * this.#rate);
  }

  #later(ms: number, run: () => void): void {
    this.#world.at(plus(this.#world.now(), ms / this.#rate), () => this.#deliver(run));
  }

  #heartStep(event: Untimed<HeartEvent>): void {
    if (!this.#alive) return;
    const effects = this.#heart.step({ ...event, now: this.#now() } as HeartEvent);
    for (const effect of effects) this.#heartDid(effect);
    this.#wake('heart');
  }

  #coreStep(event: Untimed<CoreEvent>): void {
    const core = this.#core;
    if (!this.#alive || core === undefined) return;
    this.#perform(core.step({ ...event, now: this.#now() } as CoreEvent));
    this.#wake('core');
  }

  #wake(what: 'heart' | 'core'): void {
    const now = this.#now();
    const core = this.#core;
    if (what === 'core' && core === undefined) return;
    const due = what === 'heart' ? this.#heart.nextWakeAt() : (core?.nextWakeAt(now) ?? now);
    if (!Number.isFinite(due)) return;
    const at = plus(now, Math.max(due - now, 1));
    if ((this.#wakeAt.get(what) ?? Number.POSITIVE_INFINITY) <= at && at > now) {
      const planned = this.#wakeAt.get(what) ?? at;
      if (planned > now) return;
    }
    this.#wakeAt.set(what, at);
    this.#later(at - now, () => {
      if (this.#wakeAt.get(what) === at) this.#wakeAt.delete(what);
      if (what === 'heart') this.#heartStep({ type: 'timePassed' });
      else this.#coreStep({ type: 'timePassed' });
    });
  }

  #heartDid(effect: HeartEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#world.packet(this.id, effect.to, effect.link, effect.body, this.boot);
      case 'mark':
        this.#marks.set(effect.group, effect);
        return undefined;
      case 'hold':
        this.#running.add(`${effect.group}/${effect.address.resource}`);
        return this.#heartStep({
          type: 'addressDone',
          group: effect.group,
          resource: effect.address.resource,
          result: { outcome: 'ok' },
        });
      case 'drop':
        this.#running.delete(`${effect.group}/${effect.address.resource}`);
        return undefined;
      case 'announce':
        return undefined;
      case 'report':
        return this.#heartSaid(effect.message);
      default:
        return unreachable(effect);
    }
  }

  #heartSaid(message: FromHeart): void {
    switch (message.type) {
      case 'peers':
        return this.#coreStep({ type: 'peers', peers: message.peers });
      case 'lease':
      case 'support':
        return this.#coreStep(message);
      case 'revoked': {
        if (this.#core !== undefined) return this.#coreStep(message);
        const acceptor = must(this.#acceptor, 'the witness has an acceptor');
        return this.#acceptorDid(acceptor.revoked(message.id, message));
      }
      case 'behind':
      case 'ahead':
        return this.#coreStep({
          type: 'recordDiffers',
          node: message.node,
          group: message.group,
        });
      default:
        return undefined;
    }
  }

  #acceptorDid(effects: readonly AcceptorEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'persist') this.#persist(effect.id, effect.entry);
      else if (effect.type === 'answer') {
        this.#after(effect.after, () => this.#world.message(this.id, effect.to, effect.message));
      } else if (effect.type === 'tableChanged') {
        this.#after(effect.after, () => this.#sendTable());
      } else this.#heartStep({ type: 'revokeAsked', id: effect.id, group: effect.group });
    }
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.id, effect.entry);
      case 'send':
        return this.#after(effect.after, () => this.#send(effect.to, effect.message));
      case 'records':
        return this.#after(effect.after, () => this.#sendTable());
      case 'revoke':
        return this.#heartStep({ type: 'revokeAsked', id: effect.id, group: effect.group });
      case 'claim':
        return this.#heartStep({ ...effect, type: 'claimed' });
      case 'release':
        return this.#heartStep({ type: 'released', group: effect.group });
      case 'action':
        return this.#act(effect);
      case 'probe':
        return this.#probe(effect.group);
      case 'mirrorOrder':
        return this.#order(effect.group, effect.mirror, effect.order);
      case 'event':
        return this.#world.said(
          this.id,
          `${effect.draft.group ?? ''} ${effect.draft.kind}: ${effect.draft.text}`,
        );
      case 'reply':
        return this.#world.replied(this.id, effect.ok, effect.text);
    }
  }

  #send(to: NodeId, message: RegistryMessage | Decided): void {
    if (to === this.id) this.#later(0, () => this.#receive(this.id, message));
    else this.#world.message(this.id, to, message);
  }

  #persist(id: number, entry: AcceptorEntry): void {
    this.#later(DISK_MS, () => {
      this.#disk.entries.set(entry.group, entry);
      this.#durable = Math.max(this.#durable, id);
      const ready = this.#waiting.filter((waiting) => waiting.after <= this.#durable);
      this.#waiting = this.#waiting.filter((waiting) => waiting.after > this.#durable);
      for (const waiting of ready) waiting.run();
    });
  }

  #after(after: number | undefined, run: () => void): void {
    if (after === undefined || after <= this.#durable) run();
    else this.#waiting.push({ after, run });
  }

  #sendTable(): void {
    const acceptor = this.#core?.acceptor ?? must(this.#acceptor, 'every member votes');
    const { seat, records, after } = acceptor.table();
    this.#heartStep({ type: 'recordsReported', seat, records, after });
  }

  #startMirrors(group: GroupId): void {
    const config = this.#world.config.groups.find((g) => g.id === group);
    if (config === undefined || !config.nodes.includes(this.id)) return;
    for (const resource of config.resources) {
      if (resource.agent !== 'mirror') continue;
      const key = `${group}/${resource.id}`;
      const disk = this.#disk.data.get(key) ?? { data: [], clean: true };
      const mirror = new SimMirror(this.id, disk, {
        now: () => this.#world.now(),
        at: (when, run) => this.#world.at(when, () => this.#deliver(run)),
        peer: (node) => this.#world.mirror(node, this.id, key),
        news: (news) =>
          this.#later(0.2, () =>
            this.#coreStep({ type: 'mirrorNews', group, mirror: resource.id, news }),
          ),
        markValid: (epoch) => this.#marks.get(group)?.epoch === epoch && this.holdsLease(group),
        acknowledged: (write, epoch) => this.#world.acknowledged(this.id, key, write, epoch),
      });
      this.#mirrors.set(key, mirror);
    }
  }

  #probe(group: GroupId): void {
    const config = this.#world.config.groups.find((g) => g.id === group);
    const found = (config?.resources ?? []).map((resource): Observation => {
      return this.#found(group, resource.id);
    });
    this.#later(ACTION_MS, () => this.#coreStep({ type: 'probed', group, found }));
  }

  #found(group: GroupId, resource: ResourceId): Observation {
    const key = `${group}/${resource}`;
    const fault = this.#faults.of(key, 'found');
    if (fault === undefined) return { resource, state: 'stopped', detail: 'nothing runs' };
    this.#running.add(key);
    const state = fault === 'online' ? 'online' : fault === 'hangs' ? 'unknown' : 'failed';
    return { resource, state, detail: 'found by the probe' };
  }

  #act(action: EngineAction): void {
    const { group, resource, timeoutMs } = action;
    const key = `${group}/${resource}`;
    if (action.action === 'monitor') return this.#monitor(action, key);
    if (action.action === 'start') this.#checkAuthority(group, action.epoch);
    this.#latest.set(key, action.id);
    const hangs = this.#faults.of(key, action.action) === 'hangs';
    // Nobody knows how far it gets.
    if (hangs && action.action === 'start') this.#running.add(key);
    this.#later(hangs ? timeoutMs : ACTION_MS, () => this.#finish(action, key, timeoutMs));
  }

  #monitor(action: EngineAction, key: string): void {
    const { group, resource, depth, timeoutMs } = action;
    const fault = this.#faults.of(key, depth === 'deep' ? 'deep' : 'monitor');
    const runs = this.#running.has(key);
    const seen = ((): Observation => {
      if (!runs) return { resource, state: 'failed', detail: '' };
      if (fault === undefined) return { resource, state: 'online', detail: '' };
      const detail = fault === 'hangs' ? `no answer in ${timeoutMs} ms` : 'it is not well';
      const state = fault === 'hangs' ? 'unknown' : 'failed';
      return { resource, state, detail, lasting: fault === 'lasting' };
    })();
    this.#later(runs && fault === 'hangs' ? timeoutMs : 1, () =>
      this.#coreStep({ type: 'observed', group, seen, monitorId: action.id }),
    );
  }

  /** Nothing starts without the lease of its epoch; the heart tells its end a moment late. */
  #checkAuthority(group: GroupId, epoch: Epoch): void {
    const mark = must(this.#marks.get(group), 'a start follows a lease');
    const held = mark.epoch === epoch && this.#now() < mark.validUntil + HEART_SLACK_MS;
    assert(held, `P3: ${group} starts on ${this.id} at epoch ${epoch} without its lease`);
  }

  #finish(action: EngineAction, key: string, patienceMs: number): void {
    if (this.#latest.get(key) !== action.id) return;
    const { group, resource } = action;
    const mirror = this.#mirrors.get(key);
    const fault = this.#faults.of(key, action.action === 'start' ? 'start' : 'stop');
    const done = (outcome: 'ok' | 'failed' | 'unknown', detail: string): void => {
      const lasting = fault === 'lasting';
      const result = { id: action.id, resource, outcome, detail, lasting };
      this.#coreStep({ type: 'actionFinished', group, action: action.action, result });
    };
    if (fault === 'hangs') {
      return done('unknown', `${action.action} did not end in ${action.timeoutMs} ms`);
    }
    if (fault !== undefined) return done('failed', 'the agent says no');
    if (action.action === 'start') {
      if (this.#failing.has(key)) return done('failed', 'it does not start on this node');
      const config = must(
        this.#world.config.groups.find((g) => g.id === group),
        'known group',
      );
      const record = this.#core?.group(group)?.record;
      mirror?.serve(action.epoch, record?.inSync[resource] ?? [], config.nodes);
      if (this.#wantsAddress(action, 'add')) return done('ok', 'held');
      this.#running.add(key);
      return done('ok', '');
    }
    if (mirror?.role === 'primary' && action.mode === 'orderly' && !mirror.drained()) {
      if (patienceMs <= 0) return done('unknown', 'it did not drain in time');
      return this.#later(10, () => this.#finish(action, key, patienceMs - 10));
    }
    if (mirror?.role === 'primary') mirror.abort();
    this.#wantsAddress(action, 'remove');
    this.#running.delete(key);
    done('ok', '');
  }

  #wantsAddress(action: EngineAction, what: 'add' | 'remove'): boolean {
    const group = this.#world.config.groups.find((g) => g.id === action.group);
    const config = group?.resources.find((r) => r.id === action.resource);
    if (config?.agent !== 'virtual-ip') return false;
    const { address, prefixLength, family, link } = config;
    const wanted = { resource: config.id, address, prefixLength, family, link };
    const addresses = what === 'add' ? [wanted] : [];
    const { group: id, epoch } = action;
    this.#heartStep({ type: 'addressesWanted', group: id, epoch, addresses });
    return true;
  }

  #order(group: GroupId, id: ResourceId, order: MirrorOrder): void {
    const mirror = this.#mirrors.get(`${group}/${id}`);
    this.#later(1, () => {
      if (order.type === 'follow') mirror?.follow(order.epoch, order.primary);
      if (order.type === 'seal') mirror?.seal();
      if (order.type === 'unseal') mirror?.unseal();
      if (order.type === 'expel') mirror?.expel(order.peer);
      const ok = mirror !== undefined;
      const message = ok ? '' : 'no such mirror';
      this.#coreStep({ type: 'mirrorAnswered', group, mirror: id, order, ok, message });
    });
  }
}
