/**
 * The engine under random graphs, policies, outcomes and timings, with whatever a cluster may ask
 * of it meanwhile. A model of the machine underneath checks every action the moment it is issued:
 * SPEC.md names the invariants (E1, ...). In the end peace comes, and everything must settle.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assert, must } from '../../base/assert.ts';
import { Prng } from '../../base/prng.ts';
import { type Instant, instant, plus } from '../../base/time.ts';
import type { FailurePolicy, GroupConfig, ResourceConfig } from '../../protocol/config.ts';
import type { Epoch, GroupId, NodeId, ResourceId } from '../../protocol/ids.ts';
import {
  type ActionResult,
  type EngineAction,
  type EngineEffect,
  type EngineQuestion,
  GroupEngine,
  type Observation,
} from './engine.ts';

const STEPS = 250;
const PEACE_STEPS = 4000;

function randomResources(prng: Prng): readonly ResourceConfig[] {
  const count = 1 + prng.below(12);
  const density = prng.float();
  return Array.from({ length: count }, (_, at): ResourceConfig => {
    const before = Array.from({ length: at }, (__, k) => `r${k}` as ResourceId);
    const common = {
      id: `r${at}` as ResourceId,
      after: before.filter(() => prng.chance(density)),
      monitorMs: 200 + prng.below(2000),
      monitorTimeoutMs: 500,
      unknownLimit: prng.chance(0.2) ? undefined : 1 + prng.below(3),
      startTimeoutMs: 5000,
      stopTimeoutMs: 5000,
      restarts: { limit: prng.below(4), windowMs: 1000 + prng.below(20_000) },
      reportSilence: prng.pick(['unknown', 'failed'] as const),
      onFailure: prng.pick(['failover', 'failover', 'stop', 'stay'] as FailurePolicy[]),
    };
    if (prng.chance(0.2)) {
      const place = { address: '10.0.0.1', prefixLength: 24, family: 4, link: 'l' as never };
      return { ...common, ...place, deepMonitor: undefined, agent: 'virtual-ip', family: 4 };
    }
    const deepMonitor = prng.chance(0.5)
      ? { everyMs: 1000 + prng.below(5000), timeoutMs: 900 }
      : undefined;
    return {
      ...common,
      deepMonitor,
      agent: 'process',
      command: ['x'],
      user: undefined,
      directory: '/',
      environment: {},
      stopSignal: 'SIGTERM',
      readyPort: undefined,
      checkCommand: undefined,
    };
  });
}

interface Asked {
  readonly question: EngineQuestion;
  readonly at: Instant;
}

type Truth = 'runs' | 'gone' | 'perhaps';

/** What really runs, and what is under way; the engine only hears of it. */
class Machine {
  readonly prng: Prng;
  readonly resources: readonly ResourceConfig[];
  readonly engine: GroupEngine;
  readonly truth = new Map<ResourceId, Truth>();
  readonly notices: string[] = [];
  now: Instant = instant(1000);
  mayStart = true;
  peace = false;
  wanted: 'online' | 'stopped' = 'stopped';
  abandoned = false;
  #open: { readonly action: EngineAction; readonly at: Instant }[] = [];
  #asked: readonly Asked[] = [];
  /** Overtaken, and not answered yet. */
  #late: EngineAction[] = [];

  constructor(seed: number) {
    this.prng = new Prng(seed);
    this.resources = randomResources(this.prng);
    const nodes = ['n' as NodeId];
    const call = { type: 'command', command: ['hook'], user: undefined } as const;
    const hooks = this.prng.chance(0.5) ? { 'on-failure': { timeoutMs: 2000, call } } : undefined;
    const group: GroupConfig = {
      id: 'g' as GroupId,
      nodes,
      failback: { policy: 'never' },
      resources: this.resources,
      hooks,
    };
    this.engine = new GroupEngine(group, () => this.mayStart);
    for (const { id } of this.resources) this.truth.set(id, 'gone');
  }

  /** What a probe finds, and what is really there. */
  adopt(): void {
    const found = this.resources.map(({ id }): Observation => {
      const state = this.prng.pick(['online', 'stopped', 'failed', 'unknown'] as const);
      this.truth.set(id, state === 'stopped' ? 'gone' : state === 'online' ? 'runs' : 'perhaps');
      return { resource: id, state, detail: 'probed' };
    });
    this.engine.adopt(found, this.now);
  }

  start(): void {
    this.wanted = 'online';
    this.abandoned = false;
    this.take(this.engine.start(1 as Epoch, this.now));
  }

  stop(mode: 'orderly' | 'abandon'): void {
    const harder = mode === 'abandon' && !this.abandoned;
    this.wanted = 'stopped';
    this.abandoned ||= harder;
    this.take(this.engine.stop(mode, this.now));
    if (harder) this.#allAreStopping();
  }

  take(effects: readonly EngineEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'notice') {
        this.#noticed(effect.notice.type);
        continue;
      }
      if (effect.type === 'ask') {
        this.#asked = [
          ...this.#asked,
          { question: effect, at: plus(this.now, this.prng.below(2000)) },
        ];
        continue;
      }
      this.#check(effect);
      const { action, resource } = effect;
      if (action !== 'monitor') {
        // It cancels what is under way, whose effect nobody knows until it has ended.
        const overtaken = this.#open.filter((open) => open.action.resource === resource);
        this.#late.push(...overtaken.map((open) => open.action));
        this.#open = this.#open.filter((open) => open.action.resource !== resource);
        this.truth.set(resource, 'perhaps');
      }
      const ms = this.prng.chance(0.1) ? effect.timeoutMs : this.prng.below(300);
      this.#open.push({ action: effect, at: plus(this.now, ms) });
    }
  }

  /** The next thing that happens by itself: an answer, or a wake-up. */
  next(): void {
    const late = this.prng.chance(0.5) ? this.#late.shift() : undefined;
    if (late !== undefined) return this.#answerLate(late);
    const answers = [...this.#open].toSorted((a, b) => a.at - b.at);
    const first = answers[0];
    const asked = this.#asked.toSorted((a, b) => a.at - b.at)[0];
    const wakeAt = this.engine.nextWakeAt();
    if (asked !== undefined && asked.at <= Math.min(wakeAt, first?.at ?? wakeAt)) {
      return this.#advise(asked);
    }
    if (first !== undefined && first.at <= wakeAt) {
      this.now = instant(Math.max(this.now, first.at));
      this.#open = this.#open.filter((open) => open !== first);
      return this.#answer(first.action);
    }
    if (!Number.isFinite(wakeAt)) return;
    this.now = instant(Math.max(this.now, wakeAt));
    this.take(this.engine.tick(this.now));
    const again = this.engine.nextWakeAt();
    assert(again > this.now, `E8: after a tick at ${this.now} the next wake is at ${again}`);
  }

  /** A hook says anything; that it says something is seen to by whoever asks it. */
  #advise(asked: Asked): void {
    this.now = instant(Math.max(this.now, asked.at));
    this.#asked = this.#asked.filter((other) => other !== asked);
    const word = this.prng.pick(['go', 'go', 'wait', 'stay', 'failover', 'repaired'] as const);
    const before = this.engine.view(this.now);
    this.take(this.engine.advised(asked.question, { word, waitMs: 700 }, this.now));
    const again = this.engine.advised(asked.question, { word, waitMs: 700 }, this.now);
    assert(again.length === 0, `E12: a second answer about ${asked.question.resource} has a say`);
    if (this.wanted === 'stopped') expect(this.engine.view(this.now)).toEqual(before);
  }

  disturb(): void {
    switch (this.prng.below(13)) {
      case 0:
      case 1:
        return this.start();
      case 2:
        return this.stop('orderly');
      case 3:
        return this.stop('abandon');
      case 4:
      case 5: {
        this.mayStart = !this.mayStart;
        return this.take(this.engine.tick(this.now));
      }
      case 6:
      case 7: {
        const { id } = this.prng.pick(this.resources);
        const lasting = this.prng.chance(0.2);
        const seen = { resource: id, state: 'failed' as const, detail: 'died', lasting };
        if (this.truth.get(id) === 'runs') this.truth.set(id, 'perhaps');
        return this.take(this.engine.observed(seen, this.now));
      }
      case 12: {
        const { id: resource } = this.prng.pick(this.resources);
        const health = this.prng.pick(['ok', 'ok', 'failed'] as const);
        const ttlMs = this.prng.chance(0.7) ? 100 + this.prng.below(2000) : undefined;
        const report = { resource, health, detail: 'reported', ttlMs };
        return this.take(this.engine.reported(report, this.now));
      }
      case 8:
        this.now = plus(this.now, this.prng.below(50));
        return this.take(this.engine.tick(this.now));
      default:
        return this.next();
    }
  }

  view(): string {
    const shown = this.engine.view(this.now).map((r) => `${r.id} ${r.state} ${r.detail}`);
    return shown.join('; ');
  }

  givenUp(): boolean {
    return this.engine.hasGivenUp() || this.engine.heldDown() !== undefined;
  }

  #answer(action: EngineAction): void {
    const { id, resource, action: name } = action;
    if (name === 'monitor') {
      const lies = !this.peace && this.prng.chance(0.15);
      const well = this.truth.get(resource) === 'runs' ? 'online' : 'failed';
      const state = lies ? this.prng.pick(['failed', 'unknown', 'unknown'] as const) : well;
      const seen: Observation = { resource, state, detail: 'seen' };
      return this.take(this.engine.observed(seen, this.now, id));
    }
    if (name === 'start' && !this.peace && this.prng.chance(0.1)) {
      this.truth.set(resource, 'gone');
      const withheld = { id, resource, outcome: 'withheld', detail: 'no lease' } as const;
      return this.take(this.engine.actionFinished(withheld, this.now));
    }
    const good = this.peace || this.prng.chance(0.75);
    const bad = this.prng.chance(0.5) ? 'failed' : 'unknown';
    const outcome: ActionResult['outcome'] = good ? 'ok' : bad;
    const done = name === 'start' ? 'runs' : 'gone';
    this.truth.set(resource, outcome === 'ok' ? done : 'perhaps');
    const lasting = outcome === 'failed' && name === 'start' && this.prng.chance(0.1);
    const result = { id, resource, outcome, detail: `${name} ${outcome}`, lasting };
    this.take(this.engine.actionFinished(result, this.now));
  }

  #answerLate({ id, resource, action }: EngineAction): void {
    const answer = { id, resource, detail: 'late' };
    const state = this.prng.pick(['online', 'failed', 'unknown'] as const);
    const outcome = this.prng.pick(['ok', 'failed', 'unknown', 'withheld'] as const);
    const effects =
      action === 'monitor'
        ? this.engine.observed({ ...answer, state }, this.now, id)
        : this.engine.actionFinished({ ...answer, outcome }, this.now);
    assert(effects.length === 0, `E9: the late answer to a ${action} of ${resource} has a say`);
  }

  // Invariants.

  #check(action: EngineAction): void {
    const { resource, action: name, mode } = action;
    const config = must(
      this.resources.find((r) => r.id === resource),
      'one of these',
    );
    const open = this.#open.filter((o) => o.action.resource === resource);
    const acting = open.find((o) => o.action.action !== 'monitor')?.action;
    if (name === 'monitor') {
      assert(open.length === 0, `E3: ${resource} is checked while something is under way there`);
      assert(this.truth.get(resource) !== 'gone', `${resource} is checked although it is gone`);
      return;
    }
    if (name === 'start') return this.#checkStart(config, acting);
    const softer = acting?.action === 'stop' && acting.mode === 'orderly' && mode === 'abandon';
    const overtakes = acting === undefined || acting.action === 'start' || softer;
    assert(overtakes, `E3: stop of ${resource} while a ${acting?.action} is under way`);
    assert(this.truth.get(resource) !== 'gone', `${resource} is stopped although it is gone`);
    if (mode === 'orderly') this.#checkStopOrder(config);
  }

  #checkStart(config: ResourceConfig, acting: EngineAction | undefined): void {
    const { id } = config;
    assert(this.wanted === 'online', `E4: ${id} starts although the group is to stop`);
    assert(this.mayStart, `E5: ${id} starts without authority`);
    assert(this.engine.heldDown() === undefined, `E7: ${id} starts in a group that is kept down`);
    assert(acting === undefined, `E3: ${id} starts while a ${acting?.action} is under way`);
    assert(this.truth.get(id) === 'gone', `E2: ${id} starts before it is known to have stopped`);
    const left = this.engine.leftFailed().map((given) => given.id);
    for (const other of config.after) {
      const excused = config.agent === 'virtual-ip' && left.includes(other);
      const there = this.truth.get(other) !== 'gone';
      assert(there || excused, `E1: ${id} starts before ${other}`);
    }
    for (const other of this.resources) {
      const stands = other.after.includes(id) && other.agent !== 'virtual-ip';
      const gone = !stands || this.truth.get(other.id) === 'gone';
      assert(gone, `E1: ${id} starts below ${other.id}, which is not known to have stopped`);
    }
  }

  /** An address does not keep what is below it from being restarted. */
  #checkStopOrder(config: ResourceConfig): void {
    const down = this.wanted === 'stopped' || this.engine.heldDown() !== undefined;
    for (const other of this.resources) {
      if (!other.after.includes(config.id)) continue;
      if (other.agent === 'virtual-ip' && !down) continue;
      const gone = this.truth.get(other.id) === 'gone';
      assert(gone, `E1: ${config.id} stops before ${other.id}, which needs it`);
    }
  }

  /** E4: nothing keeps an abandon waiting. */
  #allAreStopping(): void {
    for (const { id } of this.resources) {
      if (this.truth.get(id) === 'gone') continue;
      const stops = this.#open.some((o) => o.action.resource === id && o.action.mode === 'abandon');
      assert(stops, `E4: ${id} is not being stopped by force`);
    }
  }

  #noticed(type: string): void {
    this.notices.push(type);
    if (type !== 'stopped' && type !== 'heldDown') return;
    for (const [id, truth] of this.truth) {
      assert(truth === 'gone', `E2: ${type} is told while ${id} is ${truth}`);
    }
    assert(this.engine.isStopped(), `E2: ${type} is told before all has stopped`);
  }
}

function run(seed: number): Machine {
  const machine = new Machine(seed);
  try {
    if (machine.prng.chance(0.3)) machine.adopt();
    machine.start();
    for (let step = 0; step < STEPS; step += 1) machine.disturb();
    machine.peace = true;
    machine.mayStart = true;
    settle(machine);
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}\n${machine.view()}`, { cause: error });
  }
  return machine;
}

/** E6: with agents that do their work a group comes to what is wanted, and goes at a word. */
function settle(machine: Machine): void {
  const { engine } = machine;
  const untilDone = (done: () => boolean, what: string): void => {
    for (let step = 0; step < PEACE_STEPS; step += 1) {
      if (done()) return;
      machine.next();
    }
    throw new Error(`E6: never ${what}`);
  };
  machine.start();
  untilDone(() => engine.isOnline() || machine.givenUp(), 'online or given up');
  machine.start();
  untilDone(() => engine.isOnline() && !machine.givenUp(), 'online after a new start');
  machine.stop('orderly');
  untilDone(() => engine.isStopped(), 'stopped');
  expect(machine.notices.at(-1)).toBe('stopped');
}

describe('whatever happens', () => {
  test('order, one action at a time, no doubt taken for certainty, and an end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
        run(seed);
      }),
      { numRuns: 500, seed: 5 },
    );
  });

  test('the same seed does the same', () => {
    expect(run(7).notices).toEqual(run(7).notices);
  });

  test('all that can be told is told somewhere', () => {
    const told = new Set(Array.from({ length: 300 }, (_, seed) => run(seed).notices).flat());
    const kinds = ['heldDown', 'online', 'resourceFailed', 'resourceOnline'];
    expect([...told].toSorted()).toEqual([...kinds, 'stopFailed', 'stopped']);
  });
});
