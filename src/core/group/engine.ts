/**
 * Starts, watches, restarts and stops the resources of one group on this node. It decides nothing
 * about where the group runs; it is told `start` or `stop` and reports by notices.
 *
 *              start           ok                 failure
 *   stopped ─────────► starting ──► online ────────────────► failed
 *      ▲                  │ failed / unknown                   │ stop, then start again,
 *      │ ok               ▼                                    │ while restarts are left
 *   stopping ◄────────────┴────────────────────────────────────┘
 *      │ failed / unknown
 *      ▼
 *   unknown   the stop is tried again and again; nothing else may run this group meanwhile
 *
 * Order: a resource starts when all that it comes `after` is online, and stops when all that
 * depends on it is stopped. A virtual IP keeps its address while a program below it restarts.
 * Nothing is started while there is no authority (`mayStart`), be it anew or after a failure; what
 * runs goes on. Who changes the authority calls `tick`.
 * `abandon` stops everything at once and by force: authority is lost, no order is worth waiting for.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';
import { RestartPolicy } from './restart-policy.ts';

export type ResourceState = 'stopped' | 'starting' | 'online' | 'stopping' | 'failed' | 'unknown';
export type StopMode = 'orderly' | 'abandon';
export type ActionName = 'start' | 'stop' | 'monitor';

export interface EngineAction {
  readonly type: 'action';
  readonly id: number;
  readonly group: GroupId;
  readonly resource: ResourceId;
  readonly action: ActionName;
  readonly mode: StopMode;
  readonly epoch: Epoch;
  readonly timeoutMs: number;
}

export type EngineNotice =
  | { readonly type: 'online' }
  | { readonly type: 'stopped' }
  | {
      readonly type: 'resourceFailed';
      readonly resource: ResourceId;
      readonly reason: string;
      /** `restart`: starts again here; `gaveUp`: no restarts are left; `lasting`: none can help. */
      readonly then: 'restart' | 'gaveUp' | 'lasting';
    }
  | { readonly type: 'resourceOnline'; readonly resource: ResourceId; readonly detail: string }
  | { readonly type: 'stopFailed'; readonly resource: ResourceId; readonly reason: string };

export type EngineEffect =
  EngineAction | { readonly type: 'notice'; readonly notice: EngineNotice };

export interface ActionResult {
  readonly id: number;
  readonly resource: ResourceId;
  readonly outcome: 'ok' | 'failed' | 'unknown';
  readonly detail: string;
  /** With `failed`: starting it again here cannot help. */
  readonly lasting?: boolean | undefined;
}

export interface Observation {
  readonly resource: ResourceId;
  readonly state: 'online' | 'stopped' | 'failed' | 'unknown';
  readonly detail: string;
  /** With `failed`: starting it again here cannot help. */
  readonly lasting?: boolean | undefined;
}

interface Resource {
  readonly config: ResourceConfig;
  readonly restarts: RestartPolicy;
  state: ResourceState;
  detail: string;
  /** The start or stop under way. */
  actionId: number | undefined;
  monitorId: number | undefined;
  stopMode: StopMode;
  monitorAt: Instant;
  /** The end of the pause before a restart. */
  startAt: Instant;
  /** When to try a failed stop again. */
  retryAt: Instant;
  gaveUp: boolean;
  /** Why it failed last. */
  failure: string;
  /** A restart here could not help. */
  lasting: boolean;
}

const STOP_RETRY_MS = 2000;
/** How soon a stop that waits for others to stop is looked at again, if nothing else happens. */
const BLOCKED_MS = 100;
/** The first restart follows at once, each further one within the window a while later. */
const RESTART_PAUSES_MS: readonly number[] = [0, 250, 1000, 2000, 5000];

export class GroupEngine {
  readonly #group: GroupConfig;
  readonly #mayStart: () => boolean;
  readonly #resources: ReadonlyMap<ResourceId, Resource>;
  #target: 'online' | 'stopped' = 'stopped';
  #mode: StopMode = 'orderly';
  #epoch = 0 as Epoch;
  #nextId = 1;
  #reported: 'online' | 'stopped' | undefined;

  constructor(group: GroupConfig, mayStart: () => boolean) {
    this.#group = group;
    this.#mayStart = mayStart;
    this.#resources = new Map(group.resources.map((config) => [config.id, newResource(config)]));
  }

  get target(): 'online' | 'stopped' {
    return this.#target;
  }

  isStopped(): boolean {
    return this.#all((r) => r.state === 'stopped');
  }

  isOnline(): boolean {
    return this.#all((r) => r.state === 'online');
  }

  /** A resource that gave up keeps the group from coming online here. */
  hasGivenUp(): boolean {
    return this.givenUp() !== undefined;
  }

  givenUp():
    { readonly id: ResourceId; readonly reason: string; readonly lasting: boolean } | undefined {
    const given = [...this.#resources.values()].find((r) => r.gaveUp);
    if (given === undefined) return undefined;
    return { id: given.config.id, reason: given.failure, lasting: given.lasting };
  }

  view(now: Instant): readonly {
    readonly id: ResourceId;
    readonly state: ResourceState;
    readonly detail: string;
    readonly restarts: number;
  }[] {
    return [...this.#resources.values()].map((r) => ({
      id: r.config.id,
      state: r.state,
      detail: r.detail,
      restarts: r.restarts.count(now),
    }));
  }

  /** Takes over what a probe found, before the first `start` or `stop`. */
  adopt(observations: readonly Observation[], now: Instant): void {
    for (const seen of observations) {
      const r = this.#get(seen.resource);
      r.state = seen.state === 'stopped' ? 'stopped' : seen.state;
      r.detail = seen.detail;
      r.monitorAt = now;
      r.retryAt = now;
    }
    this.#reported = undefined;
  }

  start(epoch: Epoch, now: Instant): readonly EngineEffect[] {
    this.#target = 'online';
    this.#epoch = epoch;
    this.#reported = undefined;
    for (const r of this.#resources.values()) {
      if (r.gaveUp) r.restarts.reset();
      r.gaveUp = false;
      r.startAt = NEVER;
    }
    return this.#advance(now);
  }

  stop(mode: StopMode, now: Instant): readonly EngineEffect[] {
    const harder = mode === 'abandon' && this.#mode !== 'abandon';
    if (this.#target === 'stopped' && !harder && this.#reported !== 'online') {
      this.#reported = undefined;
      return this.#advance(now);
    }
    this.#target = 'stopped';
    this.#mode = mode;
    this.#reported = undefined;
    return this.#advance(now);
  }

  nextWakeAt(): Instant {
    return earliest([...this.#resources.values()].map((r) => wakeAt(r, this.#target)));
  }

  tick(now: Instant): readonly EngineEffect[] {
    return this.#advance(now);
  }

  actionFinished(result: ActionResult, now: Instant): readonly EngineEffect[] {
    const r = this.#get(result.resource);
    if (r.actionId !== result.id) return [];
    r.actionId = undefined;
    r.detail = result.detail;
    const effects: EngineEffect[] = [];
    if (r.state === 'starting') {
      if (result.outcome === 'ok') {
        r.state = 'online';
        r.monitorAt = plus(now, r.config.monitorMs);
        effects.push(notice({ type: 'resourceOnline', resource: r.config.id, detail: r.detail }));
      } else {
        const failure = { reason: `did not start: ${result.detail}`, lasting: result.lasting };
        effects.push(...this.#failed(r, failure, now));
      }
    } else if (r.state === 'stopping') {
      if (result.outcome === 'ok') {
        r.state = 'stopped';
      } else {
        r.state = 'unknown';
        r.retryAt = plus(now, STOP_RETRY_MS);
        const reason = `did not stop: ${result.detail}`;
        effects.push(notice({ type: 'stopFailed', resource: r.config.id, reason }));
      }
    }
    return [...effects, ...this.#advance(now)];
  }

  /** A monitor's answer (with its action id), or what an agent noticed by itself. */
  observed(seen: Observation, now: Instant, monitorId?: number): readonly EngineEffect[] {
    const r = this.#get(seen.resource);
    if (monitorId !== undefined) {
      if (r.monitorId !== monitorId) return [];
      r.monitorId = undefined;
      r.monitorAt = plus(now, r.config.monitorMs);
    }
    if (r.state !== 'online') return [];
    if (seen.state === 'online') r.detail = seen.detail;
    if (seen.state === 'online' || seen.state === 'unknown') return [];
    const failure = { reason: seen.detail, lasting: seen.lasting };
    return [...this.#failed(r, failure, now), ...this.#advance(now)];
  }

  #failed(
    r: Resource,
    { reason, lasting }: { readonly reason: string; readonly lasting: boolean | undefined },
    now: Instant,
  ): readonly EngineEffect[] {
    r.state = 'failed';
    r.detail = reason;
    r.failure = reason;
    r.monitorId = undefined;
    if (this.#target === 'stopped') return [];
    r.lasting = lasting === true;
    const restart = !r.lasting && r.restarts.tryRestart(now);
    r.gaveUp = !restart;
    const pauses = RESTART_PAUSES_MS.length;
    const pause = RESTART_PAUSES_MS[Math.min(r.restarts.count(now), pauses) - 1] ?? 0;
    r.startAt = restart ? plus(now, pause) : NEVER;
    const then = restart ? 'restart' : r.lasting ? 'lasting' : 'gaveUp';
    return [notice({ type: 'resourceFailed', resource: r.config.id, reason, then })];
  }

  /** Issues whatever the present states allow, and reports when the target is reached. */
  #advance(now: Instant): readonly EngineEffect[] {
    const effects: EngineEffect[] = [];
    for (const r of this.#resources.values()) {
      const action =
        this.#target === 'online' ? this.#towardsOnline(r, now) : this.#towardsStop(r, now);
      if (action !== undefined) effects.push(action);
    }
    if (this.#target === 'online' && this.#reported !== 'online' && this.isOnline()) {
      this.#reported = 'online';
      effects.push(notice({ type: 'online' }));
    }
    if (this.#target === 'stopped' && this.#reported !== 'stopped' && this.isStopped()) {
      this.#reported = 'stopped';
      effects.push(notice({ type: 'stopped' }));
    }
    return effects;
  }

  #towardsOnline(r: Resource, now: Instant): EngineAction | undefined {
    switch (r.state) {
      case 'stopped':
        if (r.gaveUp || this.#pauses(r, now) || !this.#dependenciesOnline(r)) return undefined;
        return this.#mayStart() ? this.#begin(r, 'start') : undefined;
      case 'failed':
        return this.#runningDependents(r) ? undefined : this.#begin(r, 'stop');
      case 'unknown':
        return now >= r.retryAt && r.actionId === undefined ? this.#begin(r, 'stop') : undefined;
      case 'online':
        if (!this.#dependenciesOnline(r) && r.config.agent !== 'virtual-ip') {
          if (!this.#runningDependents(r)) return this.#begin(r, 'stop');
          r.monitorAt = plus(now, r.config.monitorMs);
          return undefined;
        }
        return this.#monitor(r, now);
      case 'starting':
      case 'stopping':
        return undefined;
    }
  }

  #towardsStop(r: Resource, now: Instant): EngineAction | undefined {
    const busyStopping = r.state === 'stopping' && r.stopMode === this.#mode;
    if (r.state === 'stopped' || busyStopping) return undefined;
    if (r.state === 'unknown' && now < r.retryAt) return undefined;
    if (this.#mode === 'orderly' && this.#runningDependents(r, true)) {
      r.retryAt = plus(now, BLOCKED_MS);
      return undefined;
    }
    return this.#begin(r, 'stop');
  }

  #pauses(r: Resource, now: Instant): boolean {
    if (r.startAt === NEVER) return false;
    if (now >= r.startAt) r.startAt = NEVER;
    return r.startAt !== NEVER;
  }

  #begin(r: Resource, action: 'start' | 'stop'): EngineAction {
    r.state = action === 'start' ? 'starting' : 'stopping';
    const effect = this.#action(r, action);
    r.actionId = effect.id;
    r.monitorId = undefined;
    r.stopMode = effect.mode;
    return effect;
  }

  #monitor(r: Resource, now: Instant): EngineAction | undefined {
    if (now < r.monitorAt || r.monitorId !== undefined) return undefined;
    const effect = this.#action(r, 'monitor');
    r.monitorId = effect.id;
    return effect;
  }

  #action(r: Resource, action: ActionName): EngineAction {
    const id = this.#nextId;
    this.#nextId += 1;
    const { config } = r;
    const timeoutMs = action === 'stop' ? config.stopTimeoutMs : config.startTimeoutMs;
    const mode = this.#target === 'stopped' ? this.#mode : 'orderly';
    const [group, epoch] = [this.#group.id, this.#epoch];
    return { type: 'action', id, group, resource: config.id, action, mode, epoch, timeoutMs };
  }

  /** A virtual IP stays while what is below it restarts, so what comes after it looks through it. */
  #dependenciesOnline(r: Resource): boolean {
    return r.config.after.every((id) => {
      const below = this.#get(id);
      if (below.state !== 'online') return false;
      return below.config.agent !== 'virtual-ip' || this.#dependenciesOnline(below);
    });
  }

  /**
   * Whether something that needs `r` still runs. A virtual IP itself needs nothing to run below it,
   * but what comes after it does.
   */
  #runningDependents(r: Resource, withAddresses = false): boolean {
    for (const other of this.#resources.values()) {
      if (!other.config.after.includes(r.config.id)) continue;
      if (!withAddresses && other.config.agent === 'virtual-ip') {
        if (this.#runningDependents(other)) return true;
      } else if (other.state !== 'stopped') return true;
    }
    return false;
  }

  #all(test: (r: Resource) => boolean): boolean {
    return [...this.#resources.values()].every(test);
  }

  #get(id: ResourceId): Resource {
    return must(this.#resources.get(id), `resource ${id} of group ${this.#group.id}`);
  }
}

function newResource(config: ResourceConfig): Resource {
  return {
    config,
    restarts: new RestartPolicy(config.restarts),
    state: 'stopped',
    detail: '',
    actionId: undefined,
    monitorId: undefined,
    stopMode: 'orderly',
    monitorAt: NEVER,
    startAt: NEVER,
    retryAt: NEVER,
    gaveUp: false,
    failure: '',
    lasting: false,
  };
}

function wakeAt(r: Resource, target: 'online' | 'stopped'): Instant {
  if (r.state === 'stopped' && target === 'online') return r.startAt;
  if (r.state === 'online')
    return target === 'online' && r.monitorId === undefined ? r.monitorAt : NEVER;
  return r.state === 'unknown' ? r.retryAt : NEVER;
}

function notice(value: EngineNotice): EngineEffect {
  return { type: 'notice', notice: value };
}
