/**
 * Starts, watches, restarts and stops the resources of one group on this node. It decides nothing
 * about where the group runs; it is told `start` or `stop` and reports by notices. All states,
 * events and invariants: SPEC.md.
 *
 *              start           ok                 failure
 *   stopped ─────────► starting ──► online ────────────────► failed
 *      ▲                  │ failed / unknown    │ no answer   │ stop, then start again,
 *      │ ok               ▼                     ▼ for long    │ while restarts are left
 *   stopping ◄───── failed / unknown ◄──────────┴─────────────┘
 *      │ failed / unknown
 *      ▼
 *   unknown   the stop is tried again and again; nothing else may run this group meanwhile
 *
 * Order: a resource starts when all that it comes `after` is online, and stops when all that
 * depends on it is stopped. A virtual IP keeps its address while a program below it restarts.
 * Nothing is started while there is no authority (`mayStart`), be it anew or after a failure; what
 * runs goes on, and a check without an answer proves nothing. Who changes the authority calls
 * `tick`. `abandon` stops everything at once and by force: no order is worth waiting for. What
 * failed while online and has a hook stays as it is until the hook has answered.
 *
 * At rest (`rest`, `resting.ts`) it only looks: states are what was seen last, and nothing is begun.
 */
import { assert, must, unreachable } from '../../base/assert.ts';
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { GroupConfig, MonitorDepth } from '../../protocol/config.ts';
import type { Epoch } from '../../protocol/ids.ts';
import type {
  ActionName,
  ActionResult,
  Advice,
  EngineAction,
  EngineEffect,
  EngineNotice,
  EngineQuestion,
  FailureEnding,
  GivenUp,
  HealthReport,
  Observation,
  ResourceView,
  StopMode,
  Unstopped,
} from './engine-types.ts';
import { type Failure, FailureHistory } from './failure-history.ts';
import { afterRest, foundAtRest, seenAtRest, toRest } from './resting.ts';
import { type Resource, ResourceGraph, type Setback, isLeft } from './resource-graph.ts';

export type {
  ActionName,
  ActionResult,
  EngineAction,
  EngineEffect,
  EngineNotice,
  EngineQuestion,
  HealthReport,
  Observation,
} from './engine-types.ts';

const GO: Advice = { word: 'go', waitMs: 0 };
/** Before each further try of a stop that did not succeed; the last one before all further. */
const STOP_RETRY_MS: readonly number[] = [2000, 4000, 8000, 15_000, 30_000];
/** A start that was withheld is tried again, unless the heart's word has come by then. */
const WITHHELD_RETRY_MS = 100;

export class GroupEngine {
  readonly #group: GroupConfig;
  readonly #mayStart: () => boolean;
  readonly #resources: ResourceGraph;
  readonly #history = new FailureHistory();
  #target: 'online' | 'stopped' = 'stopped';
  #mode: StopMode = 'orderly';
  #epoch = 0 as Epoch;
  #nextId = 1;
  #reported: 'online' | 'stopped' | 'heldDown' | undefined;
  /** A failure after which the group is kept down, although it is wanted online. */
  #held: GivenUp | undefined;
  #resting = false;

  constructor(group: GroupConfig, mayStart: () => boolean) {
    this.#group = group;
    this.#mayStart = mayStart;
    this.#resources = new ResourceGraph(group.resources);
  }

  get target(): 'online' | 'stopped' {
    return this.#target;
  }

  /** What did not stop when it was last tried. */
  unstopped(): readonly Unstopped[] {
    const left = this.#resources.all.filter((r) => r.state !== 'stopped' && r.stopsFailed > 0);
    return left.map(({ config, detail, leased, stopsFailed }) => {
      return { id: config.id, tries: stopsFailed, reason: detail, leased };
    });
  }

  /** Nothing is left running but what acts no more without a lease. */
  isStoppedButLeased(): boolean {
    return this.#resources.all.every(
      (r) => r.state === 'stopped' || (r.stopsFailed > 0 && r.leased),
    );
  }

  /** It only looks, until the next `adopt` or `stop`. */
  get isResting(): boolean {
    return this.#resting;
  }

  /** A start or stop is under way. */
  isBusy(): boolean {
    return this.#resources.all.some(({ actionId }) => actionId !== undefined);
  }

  isStopped(): boolean {
    return this.#resources.all.every((r) => r.state === 'stopped');
  }

  /** Everything runs, but for what was left failed and what cannot run without it. */
  isOnline(): boolean {
    return this.#resources.all.every(
      (r) => (r.state === 'online' && r.asking === undefined) || this.#resources.isExcused(r),
    );
  }

  /** A resource that gave up keeps the group from coming online here. */
  hasGivenUp(): boolean {
    return this.givenUp() !== undefined;
  }

  /** The failure for which the group should go elsewhere. */
  givenUp(): GivenUp | undefined {
    const given = this.#resources.all.find((r) => r.gaveUp && movesGroup(r));
    return given === undefined ? undefined : givenUpOf(given);
  }

  /** The failure for which the group stops, or has stopped, here. */
  heldDown(): GivenUp | undefined {
    return this.#held;
  }

  /** What was left failed while the rest goes on. */
  leftFailed(): readonly GivenUp[] {
    return this.#resources.all.filter(isLeft).map(givenUpOf);
  }

  /** Failures here within the window that ends now, for whoever judges this node. */
  failuresWithin(windowMs: number, now: Instant): readonly Failure[] {
    return this.#history.within(windowMs, now);
  }

  view(now: Instant): readonly ResourceView[] {
    return this.#resources.all.map((r) => {
      const failed = (r.gaveUp && r.state === 'stopped') || r.asking?.standing === true;
      return {
        id: r.config.id,
        state: failed ? 'failed' : r.state,
        detail: failed ? (r.asking?.setback.reason ?? r.failure) : detailOf(r),
        restarts: r.restarts.count(now),
        failures: r.failures.count(now),
        unknowns: r.checks.unknowns,
        left: isLeft(r),
      };
    });
  }

  /**
   * Takes over what a probe found, before the first `start` or `stop`. What was found failed or
   * unknown is stopped before anything else is done with it, whatever the target will be.
   */
  adopt(observations: readonly Observation[], now: Instant): void {
    this.#resting = false;
    for (const seen of observations) {
      const r = this.#resources.get(seen.resource);
      assert(r.actionId === undefined, 'nothing is under way before the first start or stop');
      r.state = seen.state;
      r.detail = seen.detail;
      r.retryAt = now;
      // Whatever did not stop before: this is what there is now.
      r.stopsFailed = 0;
      r.stopFailure = undefined;
      r.checks.end();
      if (seen.state !== 'online') continue;
      r.checks.begin(now, 'found');
      r.failures.healthy(now);
    }
    this.#reported = undefined;
  }

  /**
   * From now on it looks at everything and begins nothing, whatever it finds; no failure counts. Nothing
   * may be under way. What should run is what was to run before.
   */
  rest(epoch: Epoch, now: Instant): readonly EngineEffect[] {
    assert(!this.isBusy(), 'what is under way comes to its end before the rest');
    this.#target = 'online';
    this.#mode = 'orderly';
    this.#epoch = epoch;
    this.#reported = undefined;
    this.#held = undefined;
    this.#resting = true;
    for (const r of this.#resources.all) toRest(r, now);
    return this.#advance(now);
  }

  start(epoch: Epoch, now: Instant): readonly EngineEffect[] {
    assert(!this.#resting, 'what was left alone is probed before anything is started');
    this.#target = 'online';
    this.#mode = 'orderly';
    this.#epoch = epoch;
    this.#reported = undefined;
    this.#held = undefined;
    for (const r of this.#resources.all) {
      if (r.gaveUp) r.restarts.reset();
      r.gaveUp = false;
      r.startAt = NEVER;
      r.stopFailure = undefined;
      if (r.asking?.standing === false) r.asking = undefined;
    }
    return this.#advance(now);
  }

  stop(mode: StopMode, now: Instant): readonly EngineEffect[] {
    const harder = mode === 'abandon' && this.#mode !== 'abandon';
    // What was seen last may have changed since: each one is stopped.
    if (this.#resting) for (const r of this.#resources.all) afterRest(r, now);
    this.#resting = false;
    this.#reported = undefined;
    if (this.#target === 'stopped' && !harder) return this.#advance(now);
    this.#target = 'stopped';
    this.#mode = mode;
    this.#held = undefined;
    for (const r of this.#resources.all) {
      r.stopFailure = undefined;
      if (r.state === 'unknown') r.retryAt = now;
    }
    return this.#advance(now);
  }

  nextWakeAt(): Instant {
    return earliest(this.#resources.all.map((r) => this.#wakeAt(r)));
  }

  tick(now: Instant): readonly EngineEffect[] {
    return this.#advance(now);
  }

  actionFinished(result: ActionResult, now: Instant): readonly EngineEffect[] {
    const r = this.#resources.get(result.resource);
    if (r.actionId !== result.id) return [];
    r.actionId = undefined;
    r.detail = result.detail;
    assert(r.state === 'starting' || r.state === 'stopping', `${r.state} awaits no answer`);
    const effects = r.state === 'starting' ? this.#started(r, result, now) : [];
    if (r.state === 'stopping') effects.push(...this.#stopped(r, result, now));
    return [...effects, ...this.#advance(now)];
  }

  /** A monitor's answer (with its action id), or what an agent noticed by itself. */
  observed(seen: Observation, now: Instant, monitorId?: number): readonly EngineEffect[] {
    const r = this.#resources.get(seen.resource);
    const check = monitorId === undefined ? undefined : r.checks.answered(monitorId, now);
    if (monitorId !== undefined && check === undefined) return [];
    if (this.#resting) {
      const mayJudge = check?.depth !== 'deep' || (!check.disturbed && this.#mayStart());
      return [...(mayJudge ? seenAtRest(r, seen) : []), ...this.#advance(now)];
    }
    if (r.state !== 'online' || r.asking !== undefined) return [];
    const depth = check?.depth ?? 'light';
    switch (seen.state) {
      case 'online':
        r.detail = seen.detail;
        r.checks.foundOnline(depth);
        return [];
      case 'unknown':
        return check === undefined ? [] : this.#foundNothing(r, { seen, depth }, now);
      case 'stopped':
      case 'failed': {
        // A deep check touches what is held back while there is no authority.
        if (depth === 'deep' && (check?.disturbed === true || !this.#mayStart())) return [];
        const reason = depth === 'deep' ? `deep check: ${seen.detail}` : seen.detail;
        return this.#failed(r, { reason, lasting: seen.lasting }, now);
      }
      default:
        return unreachable(seen.state);
    }
  }

  /** What a program says of itself counts while it is online, `failed` only with authority. */
  reported(report: HealthReport, now: Instant): readonly EngineEffect[] {
    const r = this.#resources.get(report.resource);
    if (r.state !== 'online' || r.asking !== undefined) return [];
    const detail = report.detail === '' ? '' : `: ${report.detail}`;
    const reason = `it reports that it is not well${detail}`;
    if (this.#resting) return report.health === 'ok' ? [] : [foundAtRest(r, reason)];
    r.promise.reported(report.ttlMs, now);
    if (report.health === 'ok' || !this.#mayStart()) return [];
    return this.#failed(r, { reason }, now);
  }

  /** The answer to a question; anything but an answer to the latest one is ignored. */
  advised(
    question: Pick<EngineQuestion, 'id' | 'resource'>,
    advice: Advice,
    now: Instant,
  ): readonly EngineEffect[] {
    const r = this.#resources.get(question.resource);
    const { asking } = r;
    if (asking?.id !== question.id || asking.until !== NEVER) return [];
    if (advice.word !== 'wait') return [...this.#conclude(r, advice, now), ...this.#advance(now)];
    r.asking = { ...asking, until: plus(now, advice.waitMs) };
    return this.#advance(now);
  }

  // Outcomes.

  #started(r: Resource, result: ActionResult, now: Instant): EngineEffect[] {
    if (result.outcome === 'withheld') {
      r.state = 'stopped';
      r.startAt = plus(now, WITHHELD_RETRY_MS);
      return [];
    }
    if (result.outcome !== 'ok') {
      const reason = `did not start: ${result.detail}`;
      const unknown = result.outcome === 'unknown';
      const setback = { reason, lasting: result.lasting, unknown };
      this.#markFailed(r, setback, now);
      return [...(this.#ask(r, setback) ?? this.#recover(r, setback, GO, now))];
    }
    r.state = 'online';
    r.checks.begin(now, 'started');
    r.failures.healthy(now);
    return [notice({ type: 'resourceOnline', resource: r.config.id, detail: r.detail })];
  }

  #stopped(r: Resource, result: ActionResult, now: Instant): EngineEffect[] {
    if (result.outcome === 'ok') {
      r.state = 'stopped';
      r.stopsFailed = 0;
      r.stopFailure = undefined;
      return [];
    }
    r.state = 'unknown';
    const last = STOP_RETRY_MS.length - 1;
    r.retryAt = plus(now, STOP_RETRY_MS[Math.min(r.stopsFailed, last)] ?? 0);
    r.stopsFailed += 1;
    r.leased = result.leased === true;
    const reason = `did not stop: ${result.detail}`;
    if (r.stopFailure === reason) return [];
    r.stopFailure = reason;
    return [notice({ type: 'stopFailed', resource: r.config.id, reason })];
  }

  /** A check had no answer. A few in a row mean a failure, unless authority is out. */
  #foundNothing(
    r: Resource,
    { seen, depth }: { readonly seen: Observation; readonly depth: MonitorDepth },
    now: Instant,
  ): readonly EngineEffect[] {
    r.doubt = seen.detail;
    if (!this.#mayStart()) {
      r.checks.forgetUnknowns();
      return [];
    }
    const inRow = r.checks.foundNothing(depth);
    const limit = r.config.unknownLimit;
    if (limit === undefined || inRow < limit) return [];
    const what = depth === 'deep' ? 'deep check' : 'check';
    const which = inRow === 1 ? `a ${what}` : `${inRow} ${what}s in a row`;
    const reason = `${which} found no answer: ${seen.detail}`;
    return this.#failed(r, { reason, unknown: true }, now);
  }

  #failed(r: Resource, setback: Setback, now: Instant): readonly EngineEffect[] {
    return [...this.#fails(r, setback, now), ...this.#advance(now)];
  }

  /** A failure while online. With a hook it stays as it is until the answer. */
  #fails(r: Resource, setback: Setback, now: Instant): readonly EngineEffect[] {
    const question = this.#ask(r, setback);
    if (question === undefined) {
      this.#markFailed(r, setback, now);
      return this.#recover(r, setback, GO, now);
    }
    r.checks.end();
    r.promise.end();
    return question;
  }

  #markFailed(r: Resource, { reason, unknown }: Setback, now: Instant): void {
    r.state = unknown === true ? 'unknown' : 'failed';
    r.detail = reason;
    r.failure = reason;
    r.retryAt = now;
    r.checks.end();
    r.promise.end();
  }

  /** Without authority nothing can be recovered, so nobody is asked how. */
  #ask(r: Resource, setback: Setback): readonly [EngineQuestion] | undefined {
    const hook = r.config.failureHook ?? this.#group.hooks?.['on-failure'];
    if (hook === undefined || !this.#isWantedUp() || !this.#mayStart()) return undefined;
    const id = this.#nextId;
    this.#nextId += 1;
    r.asking = { id, setback, standing: r.state === 'online', until: NEVER };
    r.gaveUp = false;
    r.startAt = NEVER;
    return [{ type: 'ask', id, resource: r.config.id, reason: setback.reason }];
  }

  /** A hook has answered, or the time that it asked to wait is over. */
  #conclude(r: Resource, advice: Advice, now: Instant): readonly EngineEffect[] {
    const { setback, standing } = must(r.asking, 'it was asked about');
    r.asking = undefined;
    if (standing && advice.word === 'repaired') {
      const pauseMs = r.restarts.tryRestart(now);
      if (pauseMs !== undefined) return this.#recheck(r, setback, plus(now, pauseMs), now);
    }
    if (standing) this.#markFailed(r, setback, now);
    return this.#recover(r, setback, advice, now);
  }

  /** It counts as repaired until the check says otherwise. */
  #recheck(r: Resource, { reason }: Setback, at: Instant, now: Instant): readonly EngineEffect[] {
    r.failures.failed(now);
    r.failures.healthy(now);
    r.checks.begin(at, 'found');
    return [this.#tell(r, reason, 'recheck', now)];
  }

  /** What a failed start and a failure while online have in common. */
  #recover(r: Resource, setback: Setback, { word }: Advice, now: Instant): readonly EngineEffect[] {
    if (!this.#isWantedUp()) {
      r.failures.unhealthy(now);
      return [];
    }
    const ends = word === 'failover' || word === 'stay';
    r.failures.failed(now);
    r.lasting = setback.lasting === true && !ends;
    r.policy = ends ? word : r.config.onFailure;
    const pauseMs = r.lasting || ends ? undefined : r.restarts.tryRestart(now);
    r.gaveUp = pauseMs === undefined;
    r.startAt = pauseMs === undefined ? NEVER : plus(now, word === 'repaired' ? 0 : pauseMs);
    const then = r.gaveUp ? afterRestarts(r, word) : 'restart';
    if (then === 'stop') {
      this.#held = givenUpOf(r);
      this.#reported = undefined;
    }
    return [this.#tell(r, setback.reason, then, now)];
  }

  #tell(r: Resource, reason: string, then: FailureEnding, now: Instant): EngineEffect {
    this.#history.add({ at: now, resource: r.config.id, reason, then });
    return notice({ type: 'resourceFailed', resource: r.config.id, reason, then });
  }

  /** What became due for a resource by time alone, other than actions. */
  #due(r: Resource, now: Instant): readonly EngineEffect[] {
    if (!this.#isWantedUp()) r.asking = undefined;
    if (r.asking !== undefined) return now >= r.asking.until ? this.#conclude(r, GO, now) : [];
    if (r.state !== 'online') return [];
    if (!this.#mayStart()) r.promise.excused(now);
    const { everyMs } = r.promise;
    const inRow = r.promise.silent(now);
    const unknown = r.config.reportSilence !== 'failed';
    const limit = unknown ? r.config.unknownLimit : 1;
    if (inRow === 0 || limit === undefined || inRow < limit) return [];
    const times = inRow === 1 ? '' : `, ${inRow} times in a row`;
    const reason = `it promised to report its health every ${everyMs} ms and did not${times}`;
    return this.#fails(r, { reason, unknown }, now);
  }

  // What to do next.

  #isWantedUp(): boolean {
    return this.#target === 'online' && this.#held === undefined;
  }

  /** Issues whatever the present states allow, and reports when the target is reached. */
  #advance(now: Instant): readonly EngineEffect[] {
    const mayStart = this.#mayStart();
    if (this.#resting) {
      if (!mayStart) for (const r of this.#resources.all) r.checks.disturbed();
      return this.#resources.all.flatMap((r) => this.#monitor(r, now) ?? []);
    }
    const effects = this.#resources.all.flatMap((r) => this.#due(r, now));
    for (const r of this.#resources.all) {
      if (!mayStart) r.checks.disturbed();
      const up = this.#isWantedUp();
      const action = up ? this.#towardsOnline(r, now) : this.#towardsStop(r, now);
      if (action !== undefined) effects.push(action);
    }
    const reached = this.#reached();
    if (reached !== undefined && reached.type !== this.#reported) {
      this.#reported = reached.type;
      effects.push(notice(reached));
    }
    return effects;
  }

  #reached(): Extract<EngineNotice, { type: 'online' | 'stopped' | 'heldDown' }> | undefined {
    if (this.#isWantedUp()) return this.isOnline() ? { type: 'online' } : undefined;
    if (!this.isStopped()) return undefined;
    if (this.#held === undefined) return { type: 'stopped' };
    const { id: resource, reason } = this.#held;
    return { type: 'heldDown', resource, reason };
  }

  #towardsOnline(r: Resource, now: Instant): EngineAction | undefined {
    switch (r.state) {
      case 'stopped':
        if (r.gaveUp || r.asking !== undefined || this.#pauses(r, now)) return undefined;
        if (!this.#resources.mayRun(r)) return undefined;
        // What stood on it before its last end is not known to be gone, and must not meet it anew.
        if (this.#resources.isNeeded(r)) return undefined;
        return this.#mayStart() ? this.#begin(r, 'start', now) : undefined;
      case 'failed':
      case 'unknown':
        if (now < r.retryAt || this.#resources.isNeeded(r)) return undefined;
        return this.#begin(r, 'stop', now);
      case 'online':
        if (this.#resources.mayStay(r)) return this.#monitor(r, now);
        return this.#resources.isNeeded(r) ? undefined : this.#begin(r, 'stop', now);
      case 'starting':
        // What it stands on failed meanwhile: it cannot come to anything.
        return this.#resources.mayStay(r) ? undefined : this.#begin(r, 'stop', now);
      case 'stopping':
        return undefined;
      default:
        return unreachable(r.state);
    }
  }

  #towardsStop(r: Resource, now: Instant): EngineAction | undefined {
    const mode = this.#modeNow();
    const underWay = r.state === 'stopping' && (r.stopMode === mode || r.stopMode === 'abandon');
    if (r.state === 'stopped' || underWay) return undefined;
    if (r.state === 'unknown' && now < r.retryAt) return undefined;
    if (mode === 'orderly' && this.#resources.isNeeded(r, true)) return undefined;
    return this.#begin(r, 'stop', now);
  }

  /** A group that is kept down stops in order. */
  #modeNow(): StopMode {
    return this.#target === 'stopped' ? this.#mode : 'orderly';
  }

  #pauses(r: Resource, now: Instant): boolean {
    if (now >= r.startAt) r.startAt = NEVER;
    return r.startAt !== NEVER;
  }

  #wakeAt(r: Resource): Instant {
    if (this.#resting) return r.checks.nextAt();
    const asked = r.asking?.until ?? NEVER;
    return earliest([this.#actsAt(r), asked, r.state === 'online' ? r.promise.dueAt : NEVER]);
  }

  #actsAt(r: Resource): Instant {
    const up = this.#isWantedUp();
    switch (r.state) {
      case 'stopped':
        return up ? r.startAt : NEVER;
      case 'online':
        return up && this.#resources.mayStay(r) ? r.checks.nextAt() : NEVER;
      case 'failed':
      case 'unknown': {
        // What still needs it wakes the engine by the end of its own stop.
        const waits = this.#resources.isNeeded(r, !up);
        return waits && this.#modeNow() === 'orderly' ? NEVER : r.retryAt;
      }
      case 'starting':
      case 'stopping':
        return NEVER;
      default:
        return unreachable(r.state);
    }
  }

  #begin(r: Resource, action: 'start' | 'stop', now: Instant): EngineAction {
    r.state = action === 'start' ? 'starting' : 'stopping';
    const timeoutMs = action === 'start' ? r.config.startTimeoutMs : r.config.stopTimeoutMs;
    const effect = this.#action(r, { action, depth: 'light', timeoutMs });
    r.actionId = effect.id;
    r.stopMode = effect.mode;
    if (r.asking?.standing === true) r.asking = undefined;
    r.checks.end();
    r.promise.end();
    r.failures.unhealthy(now);
    return effect;
  }

  #monitor(r: Resource, now: Instant): EngineAction | undefined {
    const depth = r.checks.due(now, this.#mayStart() && r.state === 'online');
    if (depth === undefined) return undefined;
    const { monitorTimeoutMs, deepMonitor } = r.config;
    const timeoutMs = depth === 'light' ? monitorTimeoutMs : deepMonitor?.timeoutMs;
    const action = 'monitor';
    const effect = this.#action(r, { action, depth, timeoutMs: timeoutMs ?? monitorTimeoutMs });
    r.checks.issued(effect.id, depth);
    return effect;
  }

  #action(
    r: Resource,
    what: {
      readonly action: ActionName;
      readonly depth: MonitorDepth;
      readonly timeoutMs: number;
    },
  ): EngineAction {
    const id = this.#nextId;
    this.#nextId += 1;
    const [group, resource, epoch] = [this.#group.id, r.config.id, this.#epoch];
    return { type: 'action', id, group, resource, mode: this.#modeNow(), epoch, ...what };
  }
}

function movesGroup({ policy }: Resource): boolean {
  return policy !== 'stop' && policy !== 'stay';
}

function afterRestarts({ policy, lasting }: Resource, word: Advice['word']): FailureEnding {
  if (word === 'failover') return 'moved';
  if (word === 'stay') return 'left';
  if (policy === 'stop' || policy === 'stay') return policy;
  return lasting ? 'lasting' : 'gaveUp';
}

function givenUpOf(r: Resource): GivenUp {
  return { id: r.config.id, reason: r.failure, lasting: r.lasting };
}

function detailOf(r: Resource): string {
  const { unknowns } = r.checks;
  if (unknowns === 0) return r.detail;
  const checks = unknowns === 1 ? 'check' : `${unknowns} checks`;
  const doubt = `no answer to the last ${checks}: ${r.doubt}`;
  return r.detail === '' ? doubt : `${r.detail}; ${doubt}`;
}

function notice(value: EngineNotice): EngineEffect {
  return { type: 'notice', notice: value };
}
