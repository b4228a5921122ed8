/**
 * A life that carries out one procedure on an otherwise healthy cluster, and is interrupted at one
 * durable step of it, or at none: the reference, whose steps are counted. However it was
 * interrupted, all promises hold throughout, and in the end everything is as it should be within a
 * bounded time.
 */
import { assert } from '../base/assert.ts';
import type { NodeId } from '../protocol/ids.ts';
import { inflict, type Fault } from './faults.ts';
import { type DurableStep, Interrupter, type Interruption } from './interruption.ts';
import { failureOf, type LifeFailure, peace, SETTLE_MS, servedWithout } from './life.ts';
import type { Procedure } from './procedures.ts';
import { simConfig } from './sim-config.ts';
import { World } from './world.ts';

export interface StepReport {
  /** Of the reference alone. */
  readonly steps: readonly DurableStep[];
  /** Whether the planned interruption took place. */
  readonly interrupted: boolean;
  readonly acknowledged: number;
  /** From the end of the procedure until all was as it should be, and had stayed so. */
  readonly settledMs: number;
  readonly hash: string;
  readonly failure: LifeFailure | undefined;
  readonly transcript: readonly string[];
}

const SEED = 20;
const MOMENT_MS = 250;

export function liveThrough(
  procedure: Procedure,
  planned: Interruption | undefined,
  keepLines = 0,
): StepReport {
  const { nodes, registry, witness } = procedure;
  const groups = [{ id: 'db', nodes }];
  const config = simConfig({ nodes, witness, registry, groups, actionTimeoutMs: 4000 });
  const world = new World({
    ...{ config, seed: SEED, loss: 0, delayMs: { min: 0.2, max: 1 }, streamMs: 1, syncMs: 3 },
    ...{ drift: 0.004, writeEveryMs: 100, harsh: true, keepLines },
  });
  const interrupter = new Interrupter(world, planned);
  let failure: LifeFailure | undefined;
  let ended = world.now;
  try {
    ended = pass(world, procedure, interrupter);
  } catch (error) {
    failure = failureOf(error, world);
  }
  return {
    steps: interrupter.steps,
    interrupted: interrupter.backAt !== undefined,
    acknowledged: world.acknowledgedCount('db/data'),
    settledMs: world.now - ended,
    hash: world.trace.hash,
    failure,
    transcript: world.transcript,
  };
}

/** Tells when the procedure was over. */
function pass(world: World, procedure: Procedure, interrupter: Interrupter): typeof world.now {
  const { cold, before, beforeMs, faults, windowMs, lacking, marks } = procedure;
  if (cold) world.watch = interrupter;
  for (const id of world.members()) world.powerOn(id);
  if (!cold) {
    world.advance(SETTLE_MS);
    carryOut(world, before, beforeMs);
    world.watch = interrupter;
  }
  const known = world.coverage.marks();
  carryOut(world, faults, windowMs);
  world.watch = undefined;
  const reached = world.coverage.marks();
  if (interrupter.backAt === undefined) {
    for (const mark of marks) {
      assert((reached[mark] ?? 0) > (known[mark] ?? 0), `procedure: "${mark}" is not reached`);
    }
  } else world.advance(Math.max(0, interrupter.backAt + MOMENT_MS - world.now));
  const ended = world.now;
  if (lacking !== undefined) servedWithout(world, lacking as NodeId);
  peace(world);
  return ended;
}

function carryOut(world: World, faults: readonly Fault[], forMs: number): void {
  const begins = world.now;
  for (const fault of faults) {
    world.advance(Math.max(0, begins + fault.atMs - world.now));
    inflict(world, fault);
  }
  world.advance(Math.max(0, begins + forMs - world.now));
}
