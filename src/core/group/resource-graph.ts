/**
 * The resources of a group and what their order (`after`) allows at this moment. The order has no
 * circles: the configuration is refused otherwise. Each question is answered in time linear in it.
 *
 * A virtual IP is special: it comes after what it leads to, but keeps its place while that
 * restarts, so that clients wait instead of being refused by a machine that knows no such address.
 */
import { must } from '../../base/assert.ts';
import { type Instant, NEVER } from '../../base/time.ts';
import type { FailurePolicy, ResourceConfig } from '../../protocol/config.ts';
import type { ResourceId } from '../../protocol/ids.ts';
import { CheckSchedule } from './check-schedule.ts';
import type { ResourceState, StopMode } from './engine-types.ts';
import { FailureCounter } from './failure-counter.ts';
import { HealthPromise } from './health-promise.ts';
import { RestartPolicy } from './restart-policy.ts';

/** A failure, before it is decided what follows from it. */
export interface Setback {
  readonly reason: string;
  readonly lasting?: boolean | undefined;
  /** Not known to have failed, so not known to have ended either. */
  readonly unknown?: boolean | undefined;
}

/** A failure about which a hook was asked. */
export interface Asking {
  readonly id: number;
  readonly setback: Setback;
  /** It failed while it was online, and stays as it is until the answer. */
  readonly standing: boolean;
  /** The end of the time that the hook asked to wait; never before its answer. */
  readonly until: Instant;
}

export interface Resource {
  readonly config: ResourceConfig;
  readonly restarts: RestartPolicy;
  readonly failures: FailureCounter;
  readonly checks: CheckSchedule;
  readonly promise: HealthPromise;
  state: ResourceState;
  detail: string;
  /** The start or stop under way. */
  actionId: number | undefined;
  stopMode: StopMode;
  /** The end of the pause before a restart. */
  startAt: Instant;
  /** When to try a failed stop again. */
  retryAt: Instant;
  /** Stops in a row that did not succeed. */
  stopsFailed: number;
  /** What the last of them left acts no more without a lease. */
  leased: boolean;
  /** Why the last of them did not, as far as it was told. */
  stopFailure: string | undefined;
  /** No restarts are left, or none can help: it is not started again before the next `start`. */
  gaveUp: boolean;
  /** Why it failed last. */
  failure: string;
  /** A restart here could not help. */
  lasting: boolean;
  /** What follows when it gave up: the configured policy, unless its hook said otherwise. */
  policy: FailurePolicy;
  asking: Asking | undefined;
  /** What the last check said that found no answer. */
  doubt: string;
}

export class ResourceGraph {
  readonly all: readonly Resource[];
  readonly #byId: ReadonlyMap<ResourceId, Resource>;
  readonly #dependents: ReadonlyMap<ResourceId, readonly Resource[]>;

  constructor(configs: readonly ResourceConfig[]) {
    this.all = configs.map(newResource);
    this.#byId = new Map(this.all.map((r) => [r.config.id, r]));
    this.#dependents = new Map(
      configs.map(({ id }) => [id, this.all.filter((r) => r.config.after.includes(id))]),
    );
  }

  get(id: ResourceId): Resource {
    return must(this.#byId.get(id), `resource ${id} of the group`);
  }

  /** All that it needs is there, and stays. An address also leads to what was left failed. */
  mayRun(r: Resource): boolean {
    const known = new Map<Resource, boolean>();
    return r.config.after.every((id) => {
      const other = this.get(id);
      if (isAddress(r) && isLeft(other)) return true;
      return other.state === 'online' && this.#isFounded(other, known);
    });
  }

  /** It need not stop for the sake of what is below it. */
  mayStay(r: Resource): boolean {
    return isAddress(r) || this.mayRun(r);
  }

  /**
   * Down to the bottom, through addresses too: what is online on top of what is going down is going
   * down as well, and an address that keeps its place is no ground to stand on.
   */
  #isFounded(r: Resource, known: Map<Resource, boolean>): boolean {
    const before = known.get(r);
    if (before !== undefined) return before;
    const founded = r.config.after.every((id) => {
      const other = this.get(id);
      return other.state === 'online' && this.#isFounded(other, known);
    });
    known.set(r, founded);
    return founded;
  }

  /**
   * Whether something that needs `r` still runs, so that `r` must not be stopped yet. An address
   * itself may stay (unless `withAddresses`), but not what comes after it.
   */
  isNeeded(r: Resource, withAddresses = false): boolean {
    const dependents = this.#dependents.get(r.config.id) ?? [];
    return dependents.some((d) =>
      isAddress(d) && !withAddresses ? this.isNeeded(d) : d.state !== 'stopped',
    );
  }

  /** It was left failed, or cannot run because something below it was. */
  isExcused(r: Resource, known = new Map<Resource, boolean>()): boolean {
    const before = known.get(r);
    if (before !== undefined) return before;
    const waits = !r.gaveUp && r.state === 'stopped';
    const below = (id: ResourceId): boolean => this.isExcused(this.get(id), known);
    const excused = isLeft(r) || (waits && r.config.after.some(below));
    known.set(r, excused);
    return excused;
  }
}

export function isAddress(r: Resource): boolean {
  return r.config.agent === 'virtual-ip';
}

export function isLeft(r: Resource): boolean {
  return r.gaveUp && r.policy === 'stay';
}

function newResource(config: ResourceConfig): Resource {
  return {
    config,
    restarts: new RestartPolicy(config.restarts),
    failures: new FailureCounter(config.restarts.windowMs),
    checks: new CheckSchedule(config),
    promise: new HealthPromise(),
    state: 'stopped',
    detail: '',
    actionId: undefined,
    stopMode: 'orderly',
    startAt: NEVER,
    retryAt: NEVER,
    stopsFailed: 0,
    leased: false,
    stopFailure: undefined,
    gaveUp: false,
    failure: '',
    lasting: false,
    policy: config.onFailure,
    asking: undefined,
    doubt: '',
  };
}
