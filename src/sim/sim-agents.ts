/**
 * The agents of one node in the simulator: programs, addresses and mirrors that start, stop and
 * are watched, and the faults that agents have: they fail, hang, or lie. What they started outlives
 * the control process, as on a real machine.
 */
import { must } from '../base/assert.ts';
import type { Instant } from '../base/time.ts';
import type { ActionResult, EngineAction, Observation } from '../core/group/engine.ts';
import type { HeartEvent } from '../core/heart/heart-types.ts';
import type { CoreEvent } from '../core/node/node-io.ts';
import type { Config, GroupConfig } from '../protocol/config.ts';
import type { FenceAnswer } from '../protocol/fence.ts';
import { type HookAnswer, type HookCall, noAnswer } from '../protocol/hook.ts';
import type { WantedAddress } from '../protocol/heart-ipc.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { AgentFault, FaultyAction } from './agent-faults.ts';
import type { DurableKind, DurableWork } from './durable-steps.ts';
import type { SimMirror } from './sim-mirror.ts';

export type Untimed<E> = E extends { readonly now: Instant } ? Omit<E, 'now'> : never;

export interface AgentWorld {
  readonly id: NodeId;
  readonly config: Config;
  /** Ends with the control process. */
  later(ms: number, run: () => void): void;
  core(event: Untimed<CoreEvent>): void;
  heart(event: Untimed<HeartEvent>): void;
  heartAnswers(): boolean;
  mirror(key: string): SimMirror | undefined;
  /** The copies that a mirror which serves has to wait for. */
  counted(group: GroupId, mirror: ResourceId): readonly NodeId[];
  fault(key: string, action: FaultyAction): AgentFault | undefined;
  running: Set<string>;
  /** Changes what is on stable storage, and goes on while this control process lives. */
  durably(what: DurableKind, work: Pick<DurableWork, 'make' | 'then'>): void;
  /** By what its heart left, at this moment. */
  holdsLease(action: EngineAction): boolean;
  starting(action: EngineAction): void;
  changed(): void;
  fence(node: NodeId, answer: (given: FenceAnswer) => void): void;
}

const ACTION_MS = 5;
const MONITOR_MS = 1;
const HOOK_MS = 20;
const DRAIN_AGAIN_MS = 10;
const HEART_AGAIN_MS = 50;

export class SimAgents {
  readonly #world: AgentWorld;
  /** The latest action per resource; what an earlier one would still have done is dropped. */
  readonly #latest = new Map<string, number>();
  readonly #wanted = new Map<GroupId, { epoch: Epoch; addresses: readonly WantedAddress[] }>();

  /** Control processes that died: nobody hears what they had asked for. */
  #controls = 0;

  constructor(world: AgentWorld) {
    this.#world = world;
  }

  /** The control process is gone, and what it had begun with it. */
  controlDied(): void {
    this.#controls += 1;
    this.#latest.clear();
    this.#wanted.clear();
  }

  /** The heart is a new one: it is told once more which addresses are wanted. */
  heartConnected(): void {
    for (const [group, { epoch, addresses }] of this.#wanted) {
      this.#world.heart({ type: 'addressesWanted', group, epoch, addresses });
    }
  }

  probe(group: GroupId): void {
    this.#world.later(ACTION_MS, () => {
      const found = (this.#group(group)?.resources ?? []).map((resource): Observation => {
        return this.#found(`${group}/${resource.id}`, resource.id);
      });
      this.#world.core({ type: 'probed', group, found });
    });
  }

  #found(key: string, resource: ResourceId): Observation {
    const fault = this.#world.fault(key, 'found');
    if (fault !== undefined) {
      // It came to run without a cluster having started it.
      this.#world.running.add(key);
      const state = fault === 'online' ? 'online' : fault === 'hangs' ? 'unknown' : 'failed';
      return { resource, state, detail: 'found by the probe' };
    }
    const online = this.#runs(key);
    const detail = online ? 'it runs' : 'nothing runs';
    return { resource, state: online ? 'online' : 'stopped', detail };
  }

  /** A hook that hangs never answers: its end is the core's own matter. */
  hook(id: number, call: HookCall): void {
    const { group } = call;
    const fault = this.#world.fault(`${group}/${call.resource ?? call.event}`, 'hook');
    if (fault === 'hangs') return;
    const answer = hookAnswer(fault, id);
    const ms = fault === 'fails' ? call.timeoutMs : HOOK_MS;
    this.#world.later(ms, () => this.#world.core({ type: 'hookAnswered', id, group, answer }));
  }

  /** One that hangs never answers, either. */
  fence(id: number, node: NodeId): void {
    const asked = this.#controls;
    this.#world.fence(node, (answer) => {
      if (asked !== this.#controls) return;
      this.#world.later(0, () => this.#world.core({ type: 'fenceAnswered', id, answer }));
    });
  }

  act(action: EngineAction): void {
    const { group, resource, timeoutMs } = action;
    const key = `${group}/${resource}`;
    if (action.action === 'monitor') return this.#monitor(action, key);
    this.#latest.set(key, action.id);
    if (action.action === 'start') {
      if (!this.#world.holdsLease(action)) return this.#withhold(action);
      this.#world.starting(action);
    }
    this.#world.later(ACTION_MS, () => this.#perform(action, key, timeoutMs - ACTION_MS));
  }

  #withhold(action: EngineAction): void {
    const detail = 'the lease has run out';
    this.#world.later(0, () => this.#done(action, 'withheld', detail));
  }

  #monitor(action: EngineAction, key: string): void {
    const { group, resource, id, depth, timeoutMs } = action;
    const fault = this.#world.fault(key, depth === 'deep' ? 'deep' : 'monitor');
    const seen = seenBy(resource, this.#runs(key), { fault, timeoutMs });
    this.#world.later(seen.state === 'unknown' ? timeoutMs : MONITOR_MS, () => {
      this.#world.core({ type: 'observed', group, seen, monitorId: id });
    });
  }

  #runs(key: string): boolean {
    const mirror = this.#world.mirror(key);
    return mirror === undefined ? this.#world.running.has(key) : mirror.role === 'primary';
  }

  #perform(action: EngineAction, key: string, patienceMs: number): void {
    if (this.#latest.get(key) !== action.id) return;
    if (action.action === 'start') this.#start(action, key, patienceMs);
    else this.#stop(action, key, patienceMs);
  }

  #again(action: EngineAction, key: string, patienceMs: number, ms: number): void {
    this.#world.later(ms, () => this.#perform(action, key, patienceMs - ms));
  }

  #done(
    action: EngineAction,
    outcome: ActionResult['outcome'],
    detail: string,
    leased = false,
  ): void {
    const { group, resource, id } = action;
    const lasting = this.#faultOf(action) === 'lasting';
    const result = { id, resource, outcome, detail, lasting, leased };
    this.#world.core({ type: 'actionFinished', group, action: action.action, result });
  }

  #late(action: EngineAction, patienceMs: number): void {
    const detail = `${action.action} did not end in ${action.timeoutMs} ms`;
    this.#world.later(patienceMs, () => this.#done(action, 'unknown', detail));
  }

  #start(action: EngineAction, key: string, patienceMs: number): void {
    const { group, resource } = action;
    const world = this.#world;
    const fault = this.#faultOf(action);
    if (fault === 'fails' || fault === 'lasting') {
      return this.#done(action, 'failed', 'it does not start on this node');
    }
    const config = must(this.#group(group), 'known group');
    const agent = config.resources.find((r) => r.id === resource)?.agent;
    if (agent === 'mirror') return this.#startMirror(action, key, patienceMs);
    if (agent === 'virtual-ip') {
      if (!this.#holdAddress(action, key)) return this.#late(action, patienceMs);
    } else world.running.add(key);
    this.#started(action, patienceMs, agent === 'virtual-ip' ? 'held' : '');
  }

  #startMirror(action: EngineAction, key: string, patienceMs: number): void {
    const { group, resource, epoch } = action;
    const world = this.#world;
    const nodes = must(this.#group(group), 'known group').nodes;
    let answer = { ok: false, message: 'the mirror process does not answer' };
    const make = (): void => {
      answer = world.mirror(key)?.serve(epoch, world.counted(group, resource), nodes) ?? answer;
    };
    const then = (): void => {
      if (answer.ok) this.#started(action, patienceMs, '');
      else this.#done(action, 'failed', answer.message);
    };
    world.durably('serve', { make, then });
  }

  #started(action: EngineAction, patienceMs: number, detail: string): void {
    this.#world.changed();
    // Nobody knows how far it got.
    if (this.#faultOf(action) === 'hangs') return this.#late(action, patienceMs);
    this.#done(action, 'ok', detail);
  }

  #holdAddress(action: EngineAction, key: string): boolean {
    this.#wantAddress(action, true);
    return this.#world.running.has(key);
  }

  #stop(action: EngineAction, key: string, patienceMs: number): void {
    const world = this.#world;
    const agent = this.#group(action.group)?.resources.find((r) => r.id === action.resource)?.agent;
    const fault = agent === 'virtual-ip' ? undefined : this.#faultOf(action);
    if (fault === 'hangs') return this.#late(action, patienceMs);
    if (fault !== undefined) return this.#done(action, 'failed', 'the agent says no');
    if (agent === 'mirror') return this.#stopMirror(action, key, patienceMs);
    if (agent === 'virtual-ip') {
      this.#wantAddress(action, false);
      if (world.running.has(key)) {
        if (patienceMs <= 0) return this.#done(action, 'unknown', 'the heart does not answer');
        return this.#again(action, key, patienceMs, HEART_AGAIN_MS);
      }
    } else world.running.delete(key);
    world.changed();
    this.#done(action, 'ok', '');
  }

  #stopMirror(action: EngineAction, key: string, patienceMs: number): void {
    const mirror = this.#world.mirror(key);
    if (mirror === undefined) {
      return this.#done(action, 'unknown', 'the mirror process does not answer', true);
    }
    const then = (): void => {
      this.#world.changed();
      this.#done(action, 'ok', '');
    };
    if (mirror.role !== 'primary') return then();
    if (action.mode !== 'orderly') {
      mirror.abort();
      return then();
    }
    if (mirror.drained()) {
      return this.#world.durably('clean', { make: () => mirror.noteClean(), then });
    }
    if (patienceMs > 0) return this.#again(action, key, patienceMs, DRAIN_AGAIN_MS);
    mirror.undrain();
    this.#done(action, 'unknown', 'it did not drain in time');
  }

  #wantAddress(action: EngineAction, wanted: boolean): void {
    const { group, epoch } = action;
    const config = this.#group(group)?.resources.find((r) => r.id === action.resource);
    if (config?.agent !== 'virtual-ip') return;
    const { id: resource, address, prefixLength, family, link } = config;
    const addresses = wanted ? [{ resource, address, prefixLength, family, link }] : [];
    this.#wanted.set(group, { epoch, addresses });
    const gone = wanted ? [] : [resource];
    if (this.#world.heartAnswers()) {
      this.#world.heart({ type: 'addressesWanted', group, epoch, addresses, gone });
    }
  }

  #faultOf({ group, resource, action }: EngineAction): AgentFault | undefined {
    const what = action === 'start' ? 'start' : 'stop';
    return this.#world.fault(`${group}/${resource}`, what);
  }

  #group(id: GroupId): GroupConfig | undefined {
    return this.#world.config.groups.find((group) => group.id === id);
  }
}

/** `lies`: by turns each answer but `stay`, also those that are not heeded. */
function hookAnswer(fault: AgentFault | undefined, id: number): HookAnswer {
  if (fault === 'fails') return noAnswer('it ended with exit code 1');
  const words = ['stay', 'veto', 'failover', 'repaired', 'wait', 'go'] as const;
  const lie = fault === 'lies' ? words[1 + (id % (words.length - 1))] : undefined;
  const word = lie ?? words.find((known) => known === fault) ?? 'go';
  return { word, reason: word === 'go' ? '' : 'it says so', waitMs: 700, output: '' };
}

/** What a monitor says of something that runs or not; what is not there hangs nobody. */
function seenBy(
  resource: ResourceId,
  runs: boolean,
  { fault, timeoutMs }: { readonly fault: AgentFault | undefined; readonly timeoutMs: number },
): Observation {
  const online = runs !== (fault === 'lies');
  if (!online) return { resource, state: 'failed', detail: '' };
  if (fault === 'hangs') {
    return { resource, state: 'unknown', detail: `no answer in ${timeoutMs} ms` };
  }
  if (fault === 'fails' || fault === 'lasting') {
    const lasting = fault === 'lasting';
    return { resource, state: 'failed', detail: 'it is not well', lasting };
  }
  return { resource, state: 'online', detail: '' };
}
