/**
 * Drives a `NodeCore` in the world: feeds it events one after the other, carries out its effects
 * in order, wakes it in time. Decides nothing. See `src/core/node/node-io.ts` for the duties.
 */
import { must, unreachable } from '../base/assert.ts';
import { parseCivilTime } from '../base/civil-time.ts';
import { TakoError } from '../base/tako-error.ts';
import type { EngineAction, HealthReport } from '../core/group/engine.ts';
import type { NodeCore } from '../core/node/node-core.ts';
import type {
  CoreEvent,
  MemberMessage,
  Effect,
  MirrorOrder,
  OperatorRequest,
} from '../core/node/node-io.ts';
import type { VoteNote } from '../core/node/proposals.ts';
import type { AcceptorEntry } from '../core/registry/acceptor.ts';
import { DurableOrder } from '../core/registry/durable-order.ts';
import type { Agent } from '../ports/agent.ts';
import type { Calendar } from '../ports/calendar.ts';
import type { HookCaller } from '../ports/hook-caller.ts';
import type { Fence } from '../ports/fence.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { RecordStore } from '../ports/record-store.ts';
import type { StateStore } from '../ports/state-store.ts';
import type { Timer } from '../ports/timer.ts';
import type { EventDraft } from '../protocol/event.ts';
import type { ToHeart } from '../protocol/heart-ipc.ts';
import type { RegistryMessage } from '../protocol/record.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { WeekMinute } from '../protocol/week-window.ts';
import { ActionLane } from './action-lane.ts';

export interface ControlPorts {
  readonly clock: Clock;
  readonly calendar: Calendar;
  readonly timer: Timer;
  readonly log: Log;
  readonly store: StateStore<AcceptorEntry>;
  readonly heart: { send(message: ToHeart): boolean };
  readonly agents: ReadonlyMap<string, Agent>;
  /** By the mark that the heart leaves, at this moment; see `src/protocol/lease-mark.ts`. */
  readonly holdsLease: (group: GroupId, epoch: Epoch) => boolean;
  /** Resolves in bounded time; never rejects. */
  readonly orderMirror: (
    group: GroupId,
    mirror: ResourceId,
    order: MirrorOrder,
  ) => Promise<{ readonly ok: boolean; readonly copyGone: boolean; readonly message: string }>;
  readonly hooks: HookCaller;
  readonly fence: Fence;
  /** Where the configuration puts the records outside the cluster. */
  readonly records?: RecordStore | undefined;
  readonly publish: (draft: EventDraft) => void;
  /** Hears of every vote that this node starts, before its messages are sent; none: nobody asks. */
  readonly onlooker?: ((group: GroupId, note: VoteNote) => void) | undefined;
  /** The storage of votes failed: the process must end, and say so. */
  readonly fail: (error: Error) => void;
}

/** An event without its time, which the runtime adds. */
export type UntimedEvent = CoreEvent extends infer E
  ? E extends CoreEvent
    ? Omit<E, 'now'>
    : never
  : never;

/** Between two wake-ups at least; a decision that asks for more is served a little later. */
const WAKE_MS_MIN = 2;
const REQUEST_TIMEOUT_MS = 55_000;
/** How often the clock on the wall is looked at. */
const CALENDAR_MS = 10_000;

interface Pending {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
  readonly clear: () => void;
}

export function agentKey(group: GroupId, resource: ResourceId): string {
  return `${group}/${resource}`;
}

function keyParts(key: string): [GroupId, ResourceId] {
  return key.split('/') as [GroupId, ResourceId];
}

export class ControlRuntime {
  readonly #me: NodeId;
  readonly #core: NodeCore;
  readonly #ports: ControlPorts;
  readonly #lanes: ReadonlyMap<string, ActionLane>;
  readonly #queue: CoreEvent[] = [];
  readonly #requests = new Map<number, Pending>();
  readonly #durable = new DurableOrder();
  #running = false;
  #nextRequest = 1;
  #clearTimer: () => void = () => undefined;
  #clearCalendar: () => void = () => undefined;
  #ended = false;
  /** Probes wait for the heart: without it nobody knows which addresses are held. */
  #heartConnected = false;
  #probes: GroupId[] = [];

  constructor(me: NodeId, core: NodeCore, ports: ControlPorts) {
    this.#me = me;
    this.#core = core;
    this.#ports = ports;
    this.#lanes = new Map([...ports.agents].map(([key, agent]) => [key, this.#lane(key, agent)]));
  }

  start(): void {
    for (const [group] of [...this.#core.groups(), ...this.#core.everywhere()]) this.#listen(group);
    this.#perform(this.#core.start(this.#ports.clock.now()));
    this.#schedule();
    this.#tellCalendar(undefined);
  }

  /** A clock that was set is noticed as late as the next minute, not later. */
  #tellCalendar(told: WeekMinute | undefined): void {
    const weekMinute = this.#ports.calendar.weekMinute();
    const civilMs = parseCivilTime(this.#ports.clock.wallTime());
    if (weekMinute !== told) this.dispatch({ type: 'calendar', weekMinute, civilMs });
    if (this.#ended) return;
    const next = (): void => this.#tellCalendar(weekMinute);
    this.#clearCalendar = this.#ports.timer.after(CALENDAR_MS, next);
  }

  /** No further events, effects or timer. */
  end(): void {
    this.#ended = true;
    this.#clearTimer();
    this.#clearCalendar();
    for (const pending of this.#requests.values()) {
      pending.clear();
      pending.reject(new TakoError('not-running', 'Tako is being stopped on this node'));
    }
    this.#requests.clear();
  }

  /** A program's word on its own health; false when it is not heeded: the resource is not online. */
  report(group: GroupId, report: HealthReport): boolean {
    const views = this.#core.engine(group)?.view(this.#ports.clock.now()) ?? [];
    const online = views.some(({ id, state }) => id === report.resource && state === 'online');
    if (online) this.dispatch({ type: 'reported', group, report });
    return online;
  }

  dispatch(event: UntimedEvent): void {
    if (this.#ended) return;
    if (event.type === 'heartConnected') this.#startProbes();
    if (event.type === 'heartLost') this.#heartConnected = false;
    this.#queue.push({ ...event, now: this.#ports.clock.now() } as CoreEvent);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#perform(this.#core.step(next));
      }
    } finally {
      this.#running = false;
    }
    this.#schedule();
  }

  /** Resolves with one sentence when the request is carried out; rejects with a TakoError. */
  ask(group: GroupId, request: OperatorRequest): Promise<string> {
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve, reject) => {
      const clear = this.#ports.timer.after(REQUEST_TIMEOUT_MS, () => {
        this.#requests.delete(id);
        const text = `The request for group "${group}" did not end in time; it goes on`;
        reject(new TakoError('timed-out', text, { next: `See "tako why ${group}"` }));
      });
      this.#requests.set(id, { resolve, reject, clear });
      this.dispatch({ type: 'asked', id, group, request });
    });
  }

  /** What runs on each of its nodes at once has no lease. */
  #lane(key: string, agent: Agent): ActionLane {
    const [group] = keyParts(key);
    const isLeased = this.#core.instance(group) === undefined;
    const holdsLease = (epoch: Epoch): boolean => !isLeased || this.#ports.holdsLease(group, epoch);
    return new ActionLane(agent, this.#ports.timer, holdsLease);
  }

  #listen(group: GroupId): void {
    for (const [key, agent] of this.#ports.agents) {
      const [owner, resource] = keyParts(key);
      if (owner !== group) continue;
      agent.onChange((seen) => {
        const monitorId = undefined;
        this.dispatch({ type: 'observed', group, seen: { resource, ...seen }, monitorId });
      });
    }
  }

  #schedule(): void {
    this.#clearTimer();
    if (this.#ended) return;
    const now = this.#ports.clock.now();
    const at = this.#core.nextWakeAt(now);
    if (!Number.isFinite(at)) return;
    const ms = Math.max(WAKE_MS_MIN, at - now);
    this.#clearTimer = this.#ports.timer.after(ms, () => this.dispatch({ type: 'timePassed' }));
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) this.#performOne(effect);
  }

  #performOne(effect: Effect): void {
    switch (effect.type) {
      case 'persist':
        return this.#persist(effect.id, effect.entry);
      case 'send':
        return this.#durable.after(effect.after, () => this.#send(effect.to, effect.message));
      case 'fetch':
      case 'swap':
        return this.#askStore(effect);
      case 'records':
        return this.#durable.after(effect.after, () => this.#sendRecords());
      case 'claim':
        this.#tellHeart(effect);
        // The lease is a few milliseconds away.
        return this.#prepare(effect.group);
      case 'revoke':
      case 'release':
        return this.#tellHeart(effect);
      case 'action':
        return this.#act(effect);
      case 'probe':
        return this.#probe(effect.group);
      case 'mirrorOrder':
        return this.#order(effect.group, effect.mirror, effect.order);
      case 'hook':
        return this.#callHook(effect);
      case 'fence':
        return this.#fence(effect.id, effect.node);
      case 'event':
        return this.#ports.publish(effect.draft);
      case 'vote':
        return this.#ports.onlooker?.(effect.group, effect.note);
      case 'reply':
        return this.#reply(effect);
      default:
        return unreachable(effect);
    }
  }

  #persist(id: number, entry: AcceptorEntry): void {
    this.#ports.store.put(entry.group, entry).then(
      () => {
        this.#durable.written(id);
        this.dispatch({ type: 'persisted', id });
      },
      (error: unknown) => {
        this.#ports.fail(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  #send(to: NodeId, message: MemberMessage): void {
    if (to !== this.#me) {
      this.#ports.heart.send({ type: 'send', to, body: message });
    } else if (isOfRegistry(message)) {
      this.dispatch({ type: 'registryMessage', from: this.#me, message });
    }
  }

  #askStore(effect: Extract<Effect, { type: 'fetch' | 'swap' }>): void {
    const { group, id } = effect;
    const store = must(this.#ports.records, 'a store is asked only where there is one');
    if (effect.type === 'fetch') {
      void store.read(group).then((reading) => {
        this.dispatch({ type: 'fetched', group, id, reading });
      });
      return;
    }
    void store.swap(group, effect.expected, effect.vote).then((outcome) => {
      this.dispatch({ type: 'swapped', group, id, outcome });
    });
  }

  #sendRecords(): void {
    this.#ports.heart.send(this.#core.acceptor.table());
  }

  /** A heart that is not connected can't be asked for leave: that vote is then refused. */
  #tellHeart(effect: Extract<Effect, { type: 'revoke' | 'claim' | 'release' }>): void {
    const sent = this.#ports.heart.send(effect);
    if (sent || effect.type !== 'revoke') return;
    const { id } = effect;
    const why = 'starting';
    this.dispatch({ type: 'revoked', id, ok: false, remainingMs: 100, why });
  }

  #act(action: EngineAction): void {
    const { group, resource } = action;
    const lane = this.#lanes.get(agentKey(group, resource));
    if (lane === undefined) {
      const result = { id: action.id, resource, outcome: 'failed' as const, detail: 'no agent' };
      return this.dispatch({ type: 'actionFinished', group, action: action.action, result });
    }
    if (action.action === 'monitor') {
      void lane.monitor(action).then((seen) => {
        this.dispatch({ type: 'observed', group, seen, monitorId: action.id });
      });
      return;
    }
    void lane.run(action).then((result) => {
      if (result.outcome === 'withheld') {
        this.#ports.log.warn('start withheld', { group, resource, why: result.detail });
      }
      this.dispatch({ type: 'actionFinished', group, action: action.action, result });
    });
  }

  #prepare(group: GroupId): void {
    for (const [key, lane] of this.#lanes) if (key.startsWith(`${group}/`)) lane.prepare();
  }

  #startProbes(): void {
    this.#heartConnected = true;
    const waiting = this.#probes;
    this.#probes = [];
    for (const group of waiting) this.#probe(group);
  }

  #probe(group: GroupId): void {
    if (!this.#heartConnected) {
      this.#probes.push(group);
      return;
    }
    const probes = [...this.#lanes]
      .filter(([key]) => key.startsWith(`${group}/`))
      .map(([key, lane]) => lane.monitor(probeAction(group, key)));
    void Promise.all(probes).then((found) => this.dispatch({ type: 'probed', group, found }));
  }

  #order(group: GroupId, mirror: ResourceId, order: MirrorOrder): void {
    void this.#ports.orderMirror(group, mirror, order).then((answer) => {
      this.dispatch({ type: 'mirrorAnswered', group, mirror, order, ...answer });
    });
  }

  #callHook({ id, group, call }: Extract<Effect, { type: 'hook' }>): void {
    void this.#ports.hooks.call(call).then((answer) => {
      this.dispatch({ type: 'hookAnswered', id, group, answer });
    });
  }

  #fence(id: number, node: NodeId): void {
    void this.#ports.fence.turnOff(node).then((answer) => {
      this.dispatch({ type: 'fenceAnswered', id, answer });
    });
  }

  #reply(effect: Extract<Effect, { type: 'reply' }>): void {
    const pending = this.#requests.get(effect.id);
    if (pending === undefined) return;
    this.#requests.delete(effect.id);
    pending.clear();
    if (effect.code === undefined) pending.resolve(effect.text);
    else pending.reject(new TakoError(effect.code, effect.text));
  }
}

/** What else a node says to other members it does not say to itself. */
function isOfRegistry(message: MemberMessage): message is RegistryMessage {
  return message.type !== 'decided' && message.type !== 'standing' && message.type !== 'flaps';
}

const PROBE_TIMEOUT_MS = 5000;

function probeAction(group: GroupId, key: string): EngineAction {
  const [, resource] = keyParts(key);
  return {
    type: 'action',
    id: 0,
    group,
    resource,
    action: 'monitor',
    mode: 'orderly',
    depth: 'light',
    epoch: 0 as Epoch,
    timeoutMs: PROBE_TIMEOUT_MS,
  };
}
