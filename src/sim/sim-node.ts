/**
 * One member in the simulator: the production `HeartCore` and `NodeCore` over a simulated disk,
 * network, mirrors and programs, in three kinds of processes that live and die each for itself.
 * Its clock may run fast or slow, and sleep with the machine.
 */
import { must, unreachable } from '../base/assert.ts';
import { type Instant, instant, plus } from '../base/time.ts';
import { HeartCore } from '../core/heart/heart-core.ts';
import type { HeartEffect, HeartEvent } from '../core/heart/heart-types.ts';
import type { NodeCore } from '../core/node/node-core.ts';
import type { CoreEvent, MemberMessage, Effect, OperatorRequest } from '../core/node/node-io.ts';
import { Acceptor, type AcceptorEffect, type AcceptorEntry } from '../core/registry/acceptor.ts';
import { DurableOrder } from '../core/registry/durable-order.ts';
import type { FromHeart } from '../protocol/heart-ipc.ts';
import type { BootId, Epoch, GroupId, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { AnswerBody, HeartbeatBody } from '../protocol/packet.ts';
import type { AgentFaults } from './agent-faults.ts';
import { DurablePath } from './durable-path.ts';
import { HeardBoots } from './heard-boots.ts';
import type { NodeWorld } from './node-world.ts';
import { SimAgents, type Untimed } from './sim-agents.ts';
import type { SimDisk } from './sim-disk.ts';
import { heartOptions } from './sim-heart.ts';
import { SimMarks } from './sim-marks.ts';
import { SimMirror } from './sim-mirror.ts';
import { SimOrders } from './sim-orders.ts';
import { StepQueue } from './step-queue.ts';

type Part = 'heart' | 'control';

const DISK_MS = 0.3;
const ORDER_MS = 1;
const NEWS_MS = 0.2;
/** What comes after something else comes that much later at least. */
const ROUNDING_MS = 0.001;
/** Between the processes of one machine. */
const SOCKET_MS = 0.5;
/** A mirror process that is not there is waited for that long before an order fails. */
const MIRROR_MS = 1500;

export class SimNode {
  readonly id: NodeId;
  readonly #world: NodeWorld;
  readonly #disk: SimDisk;
  readonly #faults: AgentFaults;
  #rate: number;
  /** Of its clock; changed with its rate, so that the clock never jumps. */
  #clockOffset = 0;
  #shown = 0;
  #frozenAt = 0;
  #boot: BootId;
  #heart: HeartCore;
  #core: NodeCore | undefined;
  #acceptor: Acceptor | undefined;
  readonly #agents: SimAgents;
  readonly #mirrors = new Map<string, SimMirror>();
  /** When the last news of each has come: its answers come on the same way, and overtake none. */
  readonly #newsCome = new Map<string, Instant>();
  readonly #running = new Set<string>();
  /** When the kernel drops an address by itself. */
  readonly #addressEnds = new Map<string, Instant>();
  readonly #marks = new SimMarks({ now: () => this.now(), sleptMs: () => this.#sleptMs });
  readonly #carriers = new Map<LinkId, boolean>();
  readonly #boots = new HeardBoots();
  /** Counts the processes of each kind: what belongs to an earlier one is void. */
  readonly #runs = { heart: 0, control: 0 };
  readonly #up = { heart: true, control: true };
  #heartSureFrom = 0 as Instant;
  #sleptMs = 0;
  #alive = true;
  #frozen = false;
  /** The heart alone hangs. */
  #hung = false;
  /** What came while it was frozen, or while its heart hung. */
  #held: (() => void)[] = [];
  #heldForHeart: (() => void)[] = [];
  readonly #heartEvents = new StepQueue<HeartEvent>((event) => this.#heartTakes(event));
  readonly #controlEvents = new StepQueue<CoreEvent>((event) => this.#controlTakes(event));
  readonly #orders: SimOrders;
  #durable = new DurableOrder();
  readonly #path: DurablePath;
  #wakeAt = new Map<Part, Instant>();

  constructor(
    id: NodeId,
    options: {
      readonly disk: SimDisk;
      /** Its clock's speed: 1 is true time. */
      readonly rate: number;
      /** They outlive the node's power. */
      readonly faults: AgentFaults;
    },
    world: NodeWorld,
  ) {
    this.id = id;
    this.#disk = options.disk;
    this.#rate = options.rate;
    this.#faults = options.faults;
    this.#world = world;
    this.#boot = world.newBoot();
    this.#heart = this.#newHeart();
    this.#agents = this.#newAgents();
    this.#orders = new SimOrders({
      later: (ms, run) => this.#later(ms, run),
      mirror: (key) => this.#mirrors.get(key),
    });
    this.#path = new DurablePath({
      now: () => world.now(),
      at: (when, run) => world.at(when, run),
      reached: (what, moment) => world.reached(id, what, moment),
      deliver: (run) => this.deliver(run),
    });
    this.#newControl();
  }

  get boot(): BootId {
    return this.#boot;
  }

  get core(): NodeCore | undefined {
    return this.#up.control ? this.#core : undefined;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get answers(): boolean {
    return this.#alive && !this.#frozen;
  }

  get heartAnswers(): boolean {
    return this.#up.heart && !this.#hung;
  }

  /** Its heart has been there long enough to have dropped what an earlier one left. */
  get heartSure(): boolean {
    return this.heartAnswers && this.#world.now() >= this.#heartSureFrom;
  }

  /** Which control process this is, counted from the start of the node. */
  get control(): number {
    return this.#runs.control;
  }

  get writing(): number {
    return this.#disk.writing;
  }

  /** Whether a resource runs here; an address ends by itself when nobody renews it. */
  runs(key: string): boolean {
    if (!this.#alive || !this.#running.has(key)) return false;
    const ends = this.#addressEnds.get(key);
    if (ends === undefined || this.#world.now() < ends) return true;
    this.#running.delete(key);
    return false;
  }

  /** What acts for a group here, addresses left out: they end with the lease. */
  runningOf(group: GroupId): readonly string[] {
    const keys = [...this.#running].filter(
      (key) => key.startsWith(`${group}/`) && !this.#addressEnds.has(key),
    );
    for (const [key, mirror] of this.#mirrors) {
      if (key.startsWith(`${group}/`) && mirror.role === 'primary') keys.push(key);
    }
    return keys;
  }

  holdsLease(group: GroupId): boolean {
    return this.leaseOf(group) !== undefined;
  }

  /** The epoch of the lease that is marked for the group and fresh. */
  leaseOf(group: GroupId): Epoch | undefined {
    return this.#marks.leaseOf(group);
  }

  mirror(key: string): SimMirror | undefined {
    return this.#mirrors.get(key);
  }

  start(): void {
    for (const group of this.#world.config.groups) this.#startMirrors(group.id);
    this.#heartStep({ type: 'controlConnected' });
    const core = this.#core;
    if (core !== undefined) {
      this.#perform(core.start(this.now()));
      this.#coreStep({ type: 'heartConnected' });
    } else this.#sendTable();
    this.#heartStep({ type: 'reportAsked' });
  }

  /** `tearing`: what no sync had confirmed may be gone. */
  powerOff(tearing = false): void {
    this.#alive = false;
    for (const mirror of this.#mirrors.values()) mirror.end();
    this.#disk.powerLost(this.#world.prng, tearing);
    this.#world.checkers.changed();
  }

  freeze(): void {
    this.#frozen = true;
    this.#frozenAt = this.now();
  }

  /** `asleep`: the machine slept, and its clock with it. Any of its processes may go on first. */
  thaw(asleep = false): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    const held = this.#held;
    this.#held = [];
    const controlFirst = Math.floor(this.#frozenAt) % 2 === 0;
    if (controlFirst) this.#coreStep({ type: 'timePassed' });
    if (asleep) this.#heartStep({ type: 'timeLost' });
    this.#heartStep({ type: 'timePassed' });
    for (const run of held) run();
    this.#wake('heart');
    this.#wake('control');
  }

  /** Its disk takes its time, everything else goes on. */
  stallDisk(forMs: number): void {
    this.#path.stall(forMs);
  }

  /** From now on the clock runs at that speed; `standing`: so long it stood still. */
  setClock(rate: number, standing = 0): void {
    const shows = this.now() - standing * this.#rate;
    if (standing > 0) this.#shown = this.#frozenAt;
    this.#clockOffset = shows - this.#world.now() * rate;
    this.#rate = rate;
    this.#sleptMs += standing;
  }

  // Processes.

  /** Control dies and is started again; of a witness all of it, for it is one process. */
  restartControl(afterMs: number): void {
    if (this.#core === undefined) return this.restartHeart(afterMs);
    if (!this.#alive || !this.#up.control) return;
    this.#up.control = false;
    this.#controlGone();
    this.#machineLater(afterMs, () => this.#controlBack());
  }

  #controlGone(): void {
    this.#runs.control += 1;
    this.#controlEvents.clear();
    this.#durable = new DurableOrder();
    this.#disk.processDied(this.#world.prng);
    this.#agents.controlDied();
    this.#orders.clear();
    this.#wakeAt.delete('control');
  }

  #controlBack(): void {
    if (this.#up.control) return;
    this.#up.control = true;
    this.#newControl();
    this.#perform(must(this.#core, 'a node has a core').start(this.now()));
    this.#connect();
    for (const [key, mirror] of this.#mirrors) this.#mirrorConnected(key, mirror);
  }

  /** The heart dies and is started again, with a new boot id; marks and addresses stay behind. */
  restartHeart(afterMs: number): void {
    if (!this.#alive || !this.#up.heart) return;
    this.#up.heart = false;
    this.#hung = false;
    this.#heldForHeart = [];
    this.#runs.heart += 1;
    this.#heartEvents.clear();
    this.#wakeAt.delete('heart');
    if (this.#core === undefined) this.#controlGone();
    else this.#later(SOCKET_MS, () => this.#coreStep({ type: 'heartLost' }));
    this.#machineLater(afterMs, () => this.#heartBack());
  }

  #heartBack(): void {
    if (this.#up.heart) return;
    this.#up.heart = true;
    this.#boot = this.#world.newBoot();
    this.#heart = this.#newHeart();
    const lifeMs = this.#world.config.timing.addressLifeSeconds * 1000;
    this.#heartSureFrom = plus(this.#world.now(), lifeMs + MIRROR_MS);
    for (const [link, carrier] of this.#carriers) {
      if (!carrier) this.#heartStep({ type: 'carrierChanged', link, carrier });
    }
    if (this.#core === undefined) {
      this.#newControl();
      this.#heartStep({ type: 'controlConnected' });
      this.#sendTable();
      this.#heartStep({ type: 'reportAsked' });
    } else if (this.#up.control) this.#connect();
    this.#wake('heart');
  }

  /** The heart stops in place, everything else goes on. */
  hangHeart(forMs: number): void {
    if (!this.#alive || this.#hung || !this.#up.heart) return;
    this.#hung = true;
    const run = this.#runs.heart;
    this.#machineLater(forMs, () => {
      if (run === this.#runs.heart) this.wakeHeart();
    });
  }

  /** It goes on, if it hangs. */
  wakeHeart(): void {
    if (!this.#hung) return;
    this.#hung = false;
    const lifeMs = this.#world.config.timing.addressLifeSeconds * 1000;
    this.#heartSureFrom = plus(this.#world.now(), lifeMs);
    const held = this.#heldForHeart;
    this.#heldForHeart = [];
    this.#heartStep({ type: 'timePassed' });
    for (const heldRun of held) heldRun();
    this.#wake('heart');
  }

  /** A mirror process dies and is started again; its copy stays as it is. */
  restartMirror(key: string, afterMs: number): void {
    const mirror = this.#mirrors.get(key);
    if (!this.#alive || mirror === undefined) return;
    mirror.end();
    this.#mirrors.delete(key);
    const [group, resource] = key.split('/') as [GroupId, ResourceId];
    const seen = { resource, state: 'failed', detail: 'the mirror process died' } as const;
    this.#later(SOCKET_MS, () =>
      this.#coreStep({ type: 'observed', group, seen, monitorId: undefined }),
    );
    this.#machineLater(afterMs, () => {
      if (this.#mirrors.has(key)) return;
      const fresh = this.#newMirror(group, resource);
      this.#mirrors.set(key, fresh);
      this.#mirrorConnected(key, fresh);
    });
  }

  /** Control and heart find one another. */
  #connect(): void {
    if (!this.#up.heart || !this.#up.control) return;
    this.#heartStep({ type: 'controlConnected' });
    this.#coreStep({ type: 'heartConnected' });
    for (const { group, epoch, held } of this.#heart.claims(this.now())) {
      this.#coreStep({ type: 'lease', group, epoch, held, reason: 'the heart holds it' });
    }
    this.#agents.heartConnected();
    this.#heartStep({ type: 'reportAsked' });
  }

  #mirrorConnected(key: string, mirror: SimMirror): void {
    const [group, resource] = key.split('/') as [GroupId, ResourceId];
    const tell = (): void => {
      if (!mirror.alive) return;
      for (const news of mirror.facts()) {
        this.#coreStep({ type: 'mirrorNews', group, mirror: resource, news });
      }
    };
    this.#later(ORDER_MS, () => {
      this.#coreStep({ type: 'mirrorConnected', group, mirror: resource });
      this.#orders.came(key);
      tell();
    });
  }

  #newHeart(): HeartCore {
    return new HeartCore(
      heartOptions(this.#world.config, this.id, {
        boot: this.#boot,
        startedAt: this.now(),
        formerTermMs: this.#disk.termMs,
        runs: (key) => this.runs(key),
      }),
    );
  }

  #newControl(): void {
    const { config } = this.#world;
    const { seat } = this.#disk;
    const restored = [...this.#disk.entries.values()];
    if (config.witness?.id === this.id) this.#acceptor = new Acceptor(seat, restored);
    else this.#core = this.#world.newCore({ me: this.id, config, seat, restored });
  }

  #newAgents(): SimAgents {
    return new SimAgents({
      id: this.id,
      config: this.#world.config,
      later: (ms, run) => this.#later(ms, run),
      core: (event) => this.#coreStep(event),
      heart: (event) => this.#heartStep(event),
      heartAnswers: () => this.heartAnswers,
      mirror: (key) => this.#mirrors.get(key),
      counted: (group, mirror) => this.#core?.group(group)?.countedCopies(mirror) ?? [],
      fault: (key, action) => this.#faults.of(key, action),
      running: this.#running,
      durably: (what, work) => this.#path.change(what, { ...work, lives: this.#sameControl() }),
      holdsLease: ({ group, epoch }) =>
        this.#core?.instance(group) !== undefined || this.#marks.holds(group, epoch),
      starting: ({ group, epoch }) => this.#world.checkers.starting(this, group, epoch),
      changed: () => this.#world.checkers.changed(),
      fence: (node, answer) => this.#world.fence(node, answer),
    });
  }

  // What comes from outside.

  ask(group: GroupId, request: OperatorRequest, id = 1): boolean {
    if (!this.answers || !this.#up.control || this.#core === undefined) return false;
    this.#coreStep({ type: 'asked', id, group, request });
    return true;
  }

  tell(
    event: Untimed<Extract<CoreEvent, { type: 'reported' | 'calendar' | 'nodeCleared' }>>,
  ): void {
    if (this.answers) this.#coreStep(event);
  }

  write(key: string, value: number): void {
    if (this.answers) this.#mirrors.get(key)?.write(value);
  }

  /** A program dies by itself. */
  kill(group: GroupId, resource: ResourceId): void {
    if (!this.#running.delete(`${group}/${resource}`)) return;
    const seen = { resource, state: 'failed', detail: 'killed by SIGKILL' } as const;
    this.deliver(() => this.#coreStep({ type: 'observed', group, seen, monitorId: undefined }));
  }

  /** `to`: the boot that the packet is meant for, if the sender knew one; no other takes it. */
  packet(
    from: { readonly id: NodeId; readonly boot: BootId },
    to: BootId | undefined,
    link: LinkId,
    body: HeartbeatBody | AnswerBody,
  ): void {
    this.deliver(() => {
      if (!this.#up.heart || !this.#boots.takes(from, to, this.#boot)) return;
      this.#world.checkers.heard(this.id, from.id);
      this.#heartStep({ type: 'heard', from: from.id, boot: from.boot, link, body });
    });
  }

  bootHeard(from: NodeId): BootId | undefined {
    return this.#boots.of(from);
  }

  carrier(link: LinkId, carrier: boolean): void {
    this.deliver(() => {
      this.#carriers.set(link, carrier);
      this.#heartStep({ type: 'carrierChanged', link, carrier });
    });
  }

  message(from: NodeId, message: MemberMessage): void {
    this.deliver(() => this.#throughHeart(() => this.#receive(from, message)));
  }

  /** What passes between control and the network passes through the heart. */
  #throughHeart(run: () => void): void {
    if (!this.#up.heart) return;
    if (this.#hung) this.#heldForHeart.push(run);
    else run();
  }

  #receive(from: NodeId, message: MemberMessage): void {
    if (!this.#up.control) return;
    if (message.type === 'decided') {
      return this.#coreStep({ type: 'decided', from, decided: message });
    }
    if (message.type === 'flaps') return this.#coreStep({ type: 'flaps', from });
    if (message.type === 'standing') {
      return this.#coreStep({ type: 'standing', from, standing: message });
    }
    if (message.type === 'prepared') {
      const { group, ballot, accepted } = message;
      this.#world.checkers.told(group, ballot, accepted?.ballot);
    }
    if (this.#core !== undefined) {
      return this.#coreStep({ type: 'registryMessage', from, message });
    }
    if (message.type !== 'prepare' && message.type !== 'accept') return;
    this.#acceptorDid(must(this.#acceptor, 'the witness has an acceptor').step(from, message));
  }

  /** Runs it now, or when the node goes on; never when it has lost its power. */
  deliver(run: () => void): void {
    if (!this.#alive) return;
    if (this.#frozen) this.#held.push(run);
    else run();
  }

  now(): Instant {
    const now = this.#world.now() * this.#rate + this.#clockOffset;
    // When the clock is set, what was rounded away is no step back.
    this.#shown = Math.max(this.#shown, now);
    return instant(this.#shown);
  }

  /** Whatever process dies meanwhile. */
  #machineLater(ms: number, run: () => void): void {
    this.#world.at(plus(this.#world.now(), ms / this.#rate), () => this.deliver(run));
  }

  /** Unless that process dies first. */
  #later(ms: number, run: () => void, part: Part = 'control'): void {
    const started = this.#runs[part];
    this.#machineLater(ms, () => {
      if (this.#runs[part] === started) run();
    });
  }

  // Steps.

  #heartStep(event: Untimed<HeartEvent>): void {
    if (!this.#alive || !this.#up.heart) return;
    if (this.#hung) {
      this.#heldForHeart.push(() => this.#heartStep(event));
      return;
    }
    const { trace } = this.#world;
    if (trace.on && event.type !== 'timePassed' && event.type !== 'heard') {
      this.#traced('heart', event.type, event);
    }
    this.#heartEvents.push({ ...event, now: this.now() } as HeartEvent);
    this.#wake('heart');
  }

  #heartTakes(event: HeartEvent): void {
    const effects = this.#heart.step(event);
    for (const effect of effects) this.#heartDid(effect);
    this.#world.trace.mix(effects.length);
  }

  #coreStep(event: Untimed<CoreEvent>): void {
    const core = this.#core;
    if (!this.#alive || core === undefined || !this.#up.control) return;
    const { trace } = this.#world;
    if (trace.on && event.type !== 'timePassed' && event.type !== 'peers') {
      this.#traced('control', event.type, event);
    }
    this.#controlEvents.push({ ...event, now: this.now() } as CoreEvent);
    this.#wake('control');
  }

  #controlTakes(event: CoreEvent): void {
    const effects = must(this.#core, 'a node has a core').step(event);
    this.#world.trace.mix(effects.length);
    this.#perform(effects);
  }

  #traced(who: string, what: string, event: object): void {
    const at = ((this.#world.now() - 1000) / 1000).toFixed(4).padStart(9);
    const text = JSON.stringify({ ...event, type: undefined });
    this.#world.trace.line(`${at} ${this.id} ${who} ${what} ${text.slice(0, 300)}`);
  }

  #wake(what: Part): void {
    const now = this.now();
    const core = this.#core;
    if (what === 'control' && (core === undefined || !this.#up.control)) return;
    if (what === 'heart' && !this.#up.heart) return;
    const due = what === 'heart' ? this.#heart.nextWakeAt() : (core?.nextWakeAt(now) ?? now);
    if (!Number.isFinite(due)) return;
    const at = plus(now, Math.max(due - now, 1));
    if ((this.#wakeAt.get(what) ?? Number.POSITIVE_INFINITY) <= at && at > now) {
      const planned = this.#wakeAt.get(what) ?? at;
      if (planned > now) return;
    }
    this.#wakeAt.set(what, at);
    const wake = (): void => {
      if (this.#wakeAt.get(what) === at) this.#wakeAt.delete(what);
      if (what === 'heart') this.#heartStep({ type: 'timePassed' });
      else this.#coreStep({ type: 'timePassed' });
    };
    this.#later(at - now, wake, what);
  }

  #heartDid(effect: HeartEffect): void {
    switch (effect.type) {
      case 'send':
        return this.#world.packet(this.id, effect.to, effect.link, effect.body);
      case 'mark':
        this.#marks.write(effect.group, effect);
        return this.#world.checkers.marked(this, effect.group, effect);
      case 'hold':
        return this.#hold(effect);
      case 'drop': {
        this.#running.delete(`${effect.group}/${effect.address.resource}`);
        return undefined;
      }
      case 'rememberTerm': {
        const { termMs } = effect;
        return this.#later(DISK_MS, () => this.#remember(termMs), 'heart');
      }
      case 'announce':
        return undefined;
      case 'report':
        return this.#heartSaid(effect.message);
      default:
        return unreachable(effect);
    }
  }

  #remember(termMs: number): void {
    this.#disk.termMs = termMs;
    this.#heartStep({ type: 'termRemembered', termMs });
  }

  #hold({ group, address }: Extract<HeartEffect, { type: 'hold' }>): void {
    const key = `${group}/${address.resource}`;
    const lifeMs = this.#world.config.timing.addressLifeSeconds * 1000;
    this.#running.add(key);
    this.#addressEnds.set(key, plus(this.#world.now(), lifeMs));
    this.#world.checkers.changed();
    const { resource } = address;
    this.#heartStep({ type: 'addressDone', group, resource, result: { outcome: 'ok' } });
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
        this.#durable.after(effect.after, () =>
          this.#world.message(this.id, effect.to, effect.message),
        );
      } else if (effect.type === 'tableChanged') {
        this.#durable.after(effect.after, () => this.#sendTable());
      } else this.#heartStep({ type: 'revokeAsked', id: effect.id, group: effect.group });
    }
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      // A full disk ends the process in the middle of its effects.
      if (!this.#up.control) return;
      this.#performOne(effect);
    }
  }

  #performOne(effect: Effect): void {
    const { checkers } = this.#world;
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.id, effect.entry);
      case 'send':
        return this.#durable.after(effect.after, () => this.#send(effect.to, effect.message));
      case 'records':
        return this.#durable.after(effect.after, () => this.#sendTable());
      case 'revoke':
        return this.#askHeart(effect);
      case 'claim':
        checkers.claimed(this.id, effect.group, effect);
        return this.#heartStep({ ...effect, type: 'claimed' });
      case 'release':
        checkers.released(this, effect.group);
        return this.#heartStep({ type: 'released', group: effect.group });
      case 'action':
        return this.#agents.act(effect);
      case 'probe':
        return this.#agents.probe(effect.group);
      case 'mirrorOrder':
        return this.#order(effect);
      case 'hook':
        return this.#agents.hook(effect.id, effect.call);
      case 'event': {
        const { group = '', kind, text } = effect.draft;
        return this.#world.said(this.id, group, kind, text);
      }
      case 'fence':
        return this.#agents.fence(effect.id, effect.node);
      case 'reply':
        return this.#world.replied(this.id, effect.id, effect.ok, effect.text);
      case 'fetch':
      case 'swap':
        return this.#world.askStore(this.id, effect, this.#hears());
      case 'vote':
        return undefined;
    }
  }

  #hears(): Parameters<NodeWorld['askStore']>[2] {
    const lives = this.#sameControl();
    return (event) => (lives() ? this.#coreStep(event) : undefined);
  }

  /** A heart that is not there can't be asked for leave: that vote is then refused. */
  #askHeart({ id, group }: Extract<Effect, { type: 'revoke' }>): void {
    if (this.#up.heart) return this.#heartStep({ type: 'revokeAsked', id, group });
    const refused = { type: 'revoked', id, ok: false, remainingMs: 100, why: 'starting' } as const;
    this.#later(0, () => this.#coreStep(refused));
  }

  #send(to: NodeId, message: MemberMessage): void {
    if (message.type === 'accept') {
      this.#world.checkers.proposed(message.group, message.ballot, message.record);
    }
    if (to === this.id) this.#later(0, () => this.#receive(this.id, message));
    else this.#throughHeart(() => this.#world.message(this.id, to, message));
  }

  #persist(id: number, entry: AcceptorEntry): void {
    if (this.#disk.full) return this.#later(SOCKET_MS, () => this.restartControl(MIRROR_MS));
    const { write, restsAt } = this.#disk.begin(entry, this.#world.now(), DISK_MS / this.#rate);
    const make = (): void => this.#disk.land(write);
    const then = (): void => this.#durable.written(id);
    this.#later((restsAt - this.#world.now()) * this.#rate, () =>
      this.#path.change('vote', { make, then, lives: this.#sameControl() }),
    );
  }

  #sameControl(): () => boolean {
    const run = this.#runs.control;
    return () => this.#runs.control === run;
  }

  #sendTable(): void {
    const acceptor = this.#core?.acceptor ?? must(this.#acceptor, 'every member votes');
    const { seat, records, after } = acceptor.table();
    this.#heartStep({ type: 'recordsReported', seat, records, after });
  }

  // Mirrors.

  #startMirrors(group: GroupId): void {
    const config = this.#world.config.groups.find((g) => g.id === group);
    if (config === undefined || !config.nodes.includes(this.id)) return;
    for (const resource of config.resources) {
      if (resource.agent !== 'mirror') continue;
      this.#mirrors.set(`${group}/${resource.id}`, this.#newMirror(group, resource.id));
    }
  }

  #newMirror(group: GroupId, resource: ResourceId): SimMirror {
    const key = `${group}/${resource}`;
    const world = this.#world;
    const { checkers } = world;
    const mirror: SimMirror = new SimMirror(this.id, this.#disk.copy(key), {
      now: () => world.now(),
      // Clocks that go on while the machine sleeps.
      ownNow: () => plus(this.now(), this.#sleptMs),
      at: (when, run) =>
        world.at(when, () => {
          if (mirror.alive) this.deliver(run);
        }),
      peer: (node) => world.mirror(node, this.id, key),
      stream: (to, arrived, ended) => world.stream(this.id, to, arrived, ended),
      syncMs: () => world.syncMs(this.id),
      durably: (what, work) => this.#path.change(what, { ...work, lives: () => mirror.alive }),
      news: (news) => {
        const event = { type: 'mirrorNews', group, mirror: resource, news } as const;
        this.#newsCome.set(key, plus(this.now(), NEWS_MS));
        this.#later(NEWS_MS, () => this.#coreStep(event));
      },
      markUntil: (epoch) => this.#marks.until(group, epoch),
      session: () => world.newBoot(),
      served: ({ epoch }) => checkers.served(this, key, epoch),
      confirmed: (epoch) => checkers.confirmed(this, key, epoch),
      acknowledged: (write, epoch) => world.acknowledged(this.id, key, write, epoch),
    });
    return mirror;
  }

  #order({ group, mirror, order }: Extract<Effect, { type: 'mirrorOrder' }>): void {
    const key = `${group}/${mirror}`;
    this.#orders.give(key, order, (answer) => {
      const event = { type: 'mirrorAnswered', group, mirror, order, ...answer } as const;
      const ms = (this.#newsCome.get(key) ?? this.now()) - this.now();
      if (ms > 0) this.#later(ms + ROUNDING_MS, () => this.#coreStep(event));
      else this.#coreStep(event);
    });
  }
}
