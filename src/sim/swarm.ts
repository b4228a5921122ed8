/**
 * The options of a life, all drawn from its seed: how large the cluster is, how its time runs, what
 * befalls it and how often. Each life has a character of its own (swarm testing): most of them have
 * only some kinds of faults, so that rare meetings of two of them become likely somewhere.
 */
import { Prng } from '../base/prng.ts';
import type {
  Amounts,
  Config,
  FailbackConfig,
  QuarantineConfig,
  Timing,
} from '../protocol/config.ts';
import { drawEverywhere } from './everywhere-faults.ts';
import type { FaultKind } from './faults.ts';
import { drawPlaced } from './placed-swarm.ts';
import { DEFAULT_TIMING, type SimGroup, simConfig } from './sim-config.ts';
import type { WorldOptions } from './world.ts';

export interface Swarm {
  readonly nodes: readonly string[];
  readonly witness: string | undefined;
  readonly groups: readonly SimGroup[];
  readonly timing: Timing;
  readonly actionTimeoutMs: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMs: { readonly min: number; readonly max: number };
  readonly streamMs: number;
  readonly syncMs: number;
  readonly writeEveryMs: number;
  readonly drift: number;
  /** False: clocks run far beyond their bound, and only what does not rest on time is checked. */
  readonly clocks: boolean;
  /** How long faults go on, and how many there are. */
  readonly stormMs: number;
  readonly faults: number;
  /** How often owner and candidate are cut off from one another while something befalls a third. */
  readonly duels: number;
  /** The kinds of faults of this life, with their weights. */
  readonly kinds: readonly { readonly kind: FaultKind; readonly weight: number }[];
  /** Groups have hooks, with so much time to answer. */
  readonly hookTimeoutMs?: number | undefined;
  /** What nodes have; groups of such a life have relations and needs. */
  readonly capacity?: Readonly<Record<string, Amounts>> | undefined;
  /** Nodes that come and go get into quarantine. */
  readonly quarantine?: QuarantineConfig | undefined;
}

/** How often a kind is among those of a life, and how heavy it is then at most. */
const KINDS: Readonly<Record<FaultKind, { readonly chance: number; readonly weight: number }>> = {
  power: { chance: 0.6, weight: 3 },
  freeze: { chance: 0.5, weight: 2 },
  sleep: { chance: 0.2, weight: 1 },
  control: { chance: 0.5, weight: 2 },
  heart: { chance: 0.4, weight: 1.5 },
  hang: { chance: 0.35, weight: 2 },
  mirror: { chance: 0.4, weight: 1.5 },
  isolate: { chance: 0.6, weight: 3 },
  deafen: { chance: 0.4, weight: 2 },
  pair: { chance: 0.5, weight: 3 },
  link: { chance: 0.4, weight: 2 },
  lag: { chance: 0.25, weight: 1 },
  drop: { chance: 0.3, weight: 1 },
  clock: { chance: 0.3, weight: 1 },
  slowDisk: { chance: 0.4, weight: 2 },
  fullDisk: { chance: 0.2, weight: 1 },
  memory: { chance: 0.3, weight: 1.5 },
  agent: { chance: 0.45, weight: 3 },
  // Apart from the others, and only where there are hooks: see `drawHookFaults`.
  hook: { chance: 0, weight: 0 },
  kill: { chance: 0.3, weight: 1.5 },
  operator: { chance: 0.5, weight: 4 },
  // Apart from the others: see `drawBars`.
  bar: { chance: 0, weight: 0 },
  // Apart from the others: see maintenance-faults.ts.
  maintain: { chance: 0, weight: 0 },
  // Apart from the others: see forcing.ts.
  force: { chance: 0, weight: 0 },
  leave: { chance: 0.2, weight: 1 },
};

/** Of how many lives the groups have hooks. */
const HOOKS = 0.3;
/** In how many lives nodes that come and go get into quarantine. */
const QUARANTINE = 0.4;

const SHAPES: readonly { readonly nodes: number; readonly witness: boolean; weight: number }[] = [
  { nodes: 2, witness: true, weight: 11 },
  { nodes: 3, witness: false, weight: 5 },
  { nodes: 5, witness: false, weight: 1 },
  { nodes: 2, witness: false, weight: 2 },
];

export function drawSwarm(seed: number): Swarm {
  const prng = new Prng(seed ^ 0x517cc1b7);
  const shape = weighted(SHAPES, prng);
  const nodes = Array.from({ length: shape.nodes }, (_, index) => `n${index + 1}`);
  const count = prng.chance(0.75) ? 1 : 2 + prng.below(2);
  const groups = ['db', 'files', 'mail'].slice(0, count).map((id, index) => {
    const turned = [...nodes.slice(index % nodes.length), ...nodes.slice(0, index % nodes.length)];
    const fewer = shape.nodes > 2 && prng.chance(0.4);
    return {
      id,
      nodes: fewer ? turned.slice(0, 2) : turned,
      failback: drawFailback(seed, index),
    };
  });
  const placed = drawPlaced(seed, nodes, (index) => drawFailback(seed, index));
  const timing = drawTiming(prng);
  const slow = prng.chance(0.35);
  const max = slow ? 5 + prng.float() * 0.35 * timing.leaseMs : 0.3 + prng.float() * 3;
  const clocks = prng.chance(0.92);
  const drift = clocks ? (prng.chance(0.4) ? 0 : timing.clockDrift / 2.05) : 0.3;
  const stormMs = prng.pick([6000, 12_000, 25_000]);
  return {
    nodes,
    witness: shape.witness ? 'w1' : undefined,
    groups: [...(placed?.groups ?? groups), ...drawEverywhere(seed, nodes)],
    ...(placed !== undefined && { capacity: placed.capacity }),
    timing,
    actionTimeoutMs: prng.pick([1500, 4000]),
    loss: prng.chance(0.6) ? 0 : prng.float() * 0.15,
    duplicate: prng.chance(0.6) ? 0 : prng.float() * 0.3,
    delayMs: { min: 0.1, max },
    streamMs: 0.1 + prng.float() * max,
    syncMs: prng.chance(0.8) ? prng.float() * 3 : prng.float() * 60,
    writeEveryMs: prng.pick([10, 20, 50]),
    drift,
    clocks,
    stormMs,
    faults: Math.ceil((stormMs / 1000) * (0.4 + prng.float() * 2)),
    duels: prng.chance(0.35) ? 0.1 + 0.3 * prng.float() : 0,
    kinds: drawKinds(prng),
    hookTimeoutMs: drawHooks(seed),
    quarantine: drawQuarantine(seed),
  };
}

/** By dice of their own: the lives without hooks are what they would be if there were none. */
function drawHooks(seed: number): number | undefined {
  const prng = new Prng(seed ^ 0x1b873593);
  return prng.chance(HOOKS) ? prng.pick([300, 1000, 2000]) : undefined;
}

/** By dice of their own; so short that it ends before peace does. */
function drawQuarantine(seed: number): QuarantineConfig | undefined {
  const prng = new Prng(seed ^ 0x3c6ef372);
  if (!prng.chance(QUARANTINE)) return undefined;
  return { returns: 1 + prng.below(2), withinMs: 20_000, forMs: prng.pick([2000, 8000, 30_000]) };
}

/** By dice of its own. */
function drawFailback(seed: number, group: number): FailbackConfig {
  const prng = new Prng(seed ^ (0x2b7e1516 + group));
  if (!prng.chance(0.4)) return { policy: 'never' };
  return { policy: 'when-in-sync', healthyForMs: prng.pick([500, 2000, 6000]) };
}

function drawTiming(prng: Prng): Timing {
  if (prng.chance(0.6)) return DEFAULT_TIMING;
  const leaseMs = prng.pick([300, 600]);
  return {
    heartbeatMs: prng.pick([50, 100]),
    leaseMs,
    nodeLostMs: prng.pick([leaseMs, leaseMs * 2, leaseMs * 3]),
    secondaryLostMs: prng.pick([200, 400, 1000, 2000]),
    clockDrift: prng.pick([0.001, 0.01, 0.05]),
    addressLifeSeconds: 3,
    suspendGraceMs: prng.pick([500, 3000, 10_000]),
  };
}

function drawKinds(prng: Prng): Swarm['kinds'] {
  const kinds = (Object.keys(KINDS) as FaultKind[]).flatMap((kind) => {
    const { chance, weight } = KINDS[kind];
    if (weight === 0) return [];
    const [present, share] = [prng.chance(chance), prng.float()];
    return present ? [{ kind, weight: weight * (0.2 + share) }] : [];
  });
  return kinds.length === 0 ? [{ kind: 'power', weight: 1 }] : kinds;
}

export function weighted<T extends { readonly weight: number }>(
  items: readonly T[],
  prng: Prng,
): T {
  let left = prng.float() * items.reduce((sum, item) => sum + item.weight, 0);
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return items.at(-1) as T;
}

export function swarmConfig(swarm: Swarm): Config {
  const { nodes, witness, groups, timing, actionTimeoutMs, hookTimeoutMs } = swarm;
  const { capacity, quarantine } = swarm;
  return simConfig({
    ...{ nodes, witness, groups, timing, actionTimeoutMs, hookTimeoutMs },
    ...{ capacity, quarantine },
  });
}

export function worldOptions(
  swarm: Swarm,
  seed: number,
  how: Pick<WorldOptions, 'keepLines' | 'newCore'>,
): WorldOptions {
  const { loss, duplicate, delayMs, streamMs, syncMs, writeEveryMs, drift, clocks } = swarm;
  return {
    config: swarmConfig(swarm),
    seed,
    loss,
    duplicate,
    delayMs,
    streamMs,
    syncMs,
    writeEveryMs,
    drift,
    clocks,
    harsh: true,
    ...how,
  };
}
