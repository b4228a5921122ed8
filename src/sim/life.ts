/**
 * One life of a cluster: it starts, a storm of faults drawn from the seed passes over it, then
 * comes peace, first with something left broken, then whole. The promises must hold throughout;
 * after the storm everything must come right within a bounded time.
 */
import { assert } from '../base/assert.ts';
import { Prng } from '../base/prng.ts';
import type { Instant } from '../base/time.ts';
import type { GroupId, NodeId } from '../protocol/ids.ts';
import { drawFaults, drawHookFaults, type Fault, inflict } from './faults.ts';
import { drawBars, liftAllBars } from './bar-faults.ts';
import { leftAlone } from '../core/registry/maintenance.ts';
import { drawEtcdFaults } from './etcd-faults.ts';
import { drawFenceFaults, turnFencedOn } from './fence-faults.ts';
import { drawMaintenance, endAllMaintenance } from './maintenance-faults.ts';
import { disobeyed, drawEverywhereFaults, withoutEverywhere } from './everywhere-faults.ts';
import { drawForcing, emptyKept } from './forcing.ts';
import {
  drawHarm,
  type LastingHarm,
  leftOver,
  rightlyDown,
  isForbidden,
  survivable,
  unsettled,
} from './policy.ts';
import { drawSwarm, type Swarm, swarmConfig, worldOptions } from './swarm.ts';
import { World, type WorldOptions } from './world.ts';

/** All that a life follows from; the same plan gives the same life. */
export interface LifePlan {
  readonly seed: number;
  readonly swarm: Swarm;
  readonly faults: readonly Fault[];
}

export interface LifeReport {
  readonly plan: LifePlan;
  /** Over everything that happened. */
  readonly hash: string;
  readonly acknowledged: number;
  readonly epochs: number;
  readonly virtualMs: number;
  readonly marks: Readonly<Record<string, number>>;
  readonly failure: LifeFailure | undefined;
  readonly transcript: readonly string[];
}

export interface LifeFailure {
  readonly message: string;
  readonly atMs: number;
  /** The latest lines, one per event of a node, when they were asked for. */
  readonly lines: readonly string[];
}

export const SETTLE_MS = 3000;
const POLL_MS = 250;
/** A node on which a group failed is avoided for a minute; a failed stop is tried again. */
const PEACE_MS = 100_000;
/** Requests may wait in a row for votes, or for a stop that is tried again. */
const QUIET_MS = 35_000;
const ARRIVAL_MS = 250;
/** The same for what was on its way to a store that answered slowly. */
const STORED_MS = 1000;
/** No disk is so slow. */
const WRITTEN_MS = 2000;
/** What was begun in the storm may still have its effect; then it is as it should be for so long. */
const STEADY_MS = 2000;

export function planLife(seed: number): LifePlan {
  const swarm = drawSwarm(seed);
  const whole = swarmConfig(swarm);
  const config = withoutEverywhere(whole);
  const faults = drawFaults(swarm, config, new Prng(seed ^ 0x2545f491));
  const ofHooks = drawHookFaults(swarm, config, new Prng(seed ^ 0x27d4eb2f));
  const bars = drawBars(swarm, config, new Prng(seed ^ 0x165667b1));
  const maintained = drawMaintenance(swarm, config, new Prng(seed ^ 0x52dce729));
  const forced = drawForcing(swarm, config, new Prng(seed ^ 0x85ebca6b));
  const fences = drawFenceFaults(swarm, config, new Prng(seed ^ 0x7f4a7c15));
  const instances = drawEverywhereFaults(swarm, whole, new Prng(seed ^ 0xc2b2ae35));
  const ofEtcd = drawEtcdFaults(swarm, config, new Prng(seed ^ 0x61c88647));
  const all = [
    ...[...faults, ...ofHooks, ...bars, ...maintained, ...forced, ...fences, ...instances],
    ...ofEtcd,
  ];
  return { seed, swarm, faults: all.sort((a, b) => a.atMs - b.atMs) };
}

/** `keepLines`: how many of the latest events to report with a failure. */
export function live(plan: LifePlan, keepLines = 0, newCore?: WorldOptions['newCore']): LifeReport {
  const world = new World(worldOptions(plan.swarm, plan.seed, { keepLines, newCore }));
  let failure: LifeFailure | undefined;
  try {
    pass(world, plan);
  } catch (error) {
    failure = failureOf(error, world);
  }
  const { groups } = world.config;
  return {
    plan,
    hash: world.trace.hash,
    acknowledged: groups.reduce((n, { id }) => n + world.acknowledgedCount(`${id}/data`), 0),
    epochs: groups.reduce((n, { id }) => n + (world.checkers.history(id).latest?.epoch ?? 0), 0),
    virtualMs: world.now - 1000,
    marks: world.coverage.marks(),
    failure,
    transcript: world.transcript,
  };
}

export function failureOf(error: unknown, world: World): LifeFailure {
  const message = error instanceof Error ? error.message : String(error);
  const stack = isCrash(error) ? `\n${error.stack}` : '';
  return { message: message + stack, atMs: world.now - 1000, lines: world.trace.lines };
}

/** Anything but a broken promise is a defect of the program: where it is matters. */
function isCrash(error: unknown): error is Error {
  return error instanceof Error && error.constructor.name !== 'InvariantError';
}

function pass(world: World, { seed, swarm, faults }: LifePlan): void {
  const prng = new Prng(seed ^ 0x68e31da4);
  turnFencedOn(world, new Prng(seed ^ 0x1f83d9ab));
  for (const id of world.members()) world.powerOn(id);
  world.advance(SETTLE_MS);
  const begins = world.now;
  for (const fault of faults) {
    world.advance(Math.max(0, begins + fault.atMs - world.now));
    inflict(world, fault);
  }
  world.advance(Math.max(0, begins + swarm.stormMs - world.now));
  peaceWithHarm(world, prng);
  peace(world);
}

/** Faults have an end of their own; what still lasts is ended here. */
function endFaults(world: World): void {
  world.network.calm = true;
  world.mendAll();
  world.etcd?.mend();
  for (const id of world.members()) {
    const disk = world.disk(id);
    disk.full = false;
    disk.slowMs = 0;
  }
  world.endAgentFaults();
  world.fences.healAll();
}

function powerOnAll(world: World): void {
  for (const id of world.leaving) world.powerOff(id);
  world.leaving.clear();
  for (const id of world.members()) {
    world.node(id)?.thaw();
    world.node(id)?.wakeHeart();
    world.powerOn(id);
  }
  world.findAllCarriers();
}

function peaceWithHarm(world: World, prng: Prng): void {
  const harm = drawHarm(world, prng);
  world.note(`-- peace, but ${harm.off ?? 'nobody'} stays off`);
  endFaults(world);
  world.holdFaults = true;
  world.staysOff = harm.off;
  powerOnAll(world);
  if (harm.off !== undefined) world.powerOff(harm.off);
  // What it had sent has arrived, and is stored, also where the disk was slow when that began.
  world.advance(world.etcd === undefined ? ARRIVAL_MS : STORED_MS);
  until(world, () => world.members().every((id) => !isWriting(world, id)), WRITTEN_MS);
  const expected = survivable(world, harm);
  world.coverage.hit(expected.length > 0 ? 'peace survivable' : 'peace not survivable');
  served(world, harm, expected);
}

function isWriting(world: World, id: NodeId): boolean {
  return (world.node(id)?.writing ?? 0) > 0;
}

/** Groups that can do without that member, which is off, are online; throws when they are not. */
export function servedWithout(world: World, off: NodeId): void {
  served(world, { off }, survivable(world, { off }));
}

function served(world: World, { off }: LastingHarm, expected: readonly GroupId[]): void {
  if (off === undefined) return;
  const missing = (): GroupId | undefined =>
    expected.find((id) => {
      // Only what was to be expected at the beginning, and is still wanted and not left alone.
      const { latest } = world.checkers.history(id);
      if (latest?.want === 'offline' || leftAlone(latest) !== undefined) return false;
      if (isForbidden(world, id, off)) return false;
      return world.serving(id).length !== 1 && !rightlyDown(world, id);
    });
  const wrong = (): string | undefined => {
    const left = missing();
    return left === undefined ? disobeyed(world, off) : `${left} is not online`;
  };
  const late = until(world, () => wrong() === undefined, PEACE_MS);
  assert(!late, `liveness: ${wrong() ?? 'something'}, although only ${off} is off`);
}

/** Everything is mended, and must come right; throws when it does not. */
export function peace(world: World): void {
  world.note('-- peace');
  world.staysOff = undefined;
  endFaults(world);
  powerOnAll(world);
  let asked = 0;
  let settledAt: Instant | undefined;
  const late = until(
    world,
    () => {
      asked += 1;
      // A group that somebody stopped is started by somebody, who asks again when in doubt.
      if (asked % 8 === 0) {
        liftAllBars(world);
        endAllMaintenance(world);
        startAll(world);
      }
      if (asked % 8 === 4) emptyKept(world);
      if (unsettled(world) !== undefined) settledAt = undefined;
      else settledAt ??= world.now;
      return settledAt !== undefined && world.now - settledAt >= STEADY_MS;
    },
    PEACE_MS,
  );
  assert(!late, `liveness: ${unsettled(world) ?? 'it does not stay as it should be'}`);
  world.writing = false;
  const left = until(world, () => leftOver(world) === undefined, QUIET_MS);
  assert(!left, `liveness: ${leftOver(world)}`);
  world.checkNothingLost();
}

function startAll(world: World): void {
  for (const { id, nodes } of world.config.groups) {
    if (world.checkers.history(id).latest?.want !== 'offline') continue;
    const owner = world.checkers.history(id).latest?.owner ?? nodes[0];
    if (owner !== undefined) world.ask(owner, id, { type: 'start' });
  }
}

/** True when it was not so within `ms`. */
function until(world: World, done: () => boolean, ms: number): boolean {
  const ends = world.now + ms;
  while (!done()) {
    if (world.now >= ends) return true;
    world.advance(POLL_MS);
  }
  return false;
}
