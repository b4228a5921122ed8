/**
 * What would happen: the production cores of all members, in virtual time, from the state that a
 * status tells, through the steps that somebody asks about. Touches nothing outside; the same
 * question has the same answer each time.
 */
import { unreachable } from '../../base/assert.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { ClusterStatus } from '../../protocol/api.ts';
import { type Config, type GroupConfig, isEverywhere } from '../../protocol/config.ts';
import type { GroupId, NodeId } from '../../protocol/ids.ts';
import { ask } from '../maintenance-faults.ts';
import { type Said, World } from '../world.ts';
import { runsOn, whyNotEverywhere } from './instances.ts';
import { planIf } from './planned.ts';
import { changeLink, recordOf, recreate, servedAt } from './recreate.ts';
import { parseSteps, type Step, type TimedStep } from './steps.ts';

export interface Happening {
  /** Milliseconds after the step; undefined where it was only planned. */
  readonly afterMs: number | undefined;
  readonly node: NodeId;
  readonly group: string;
  readonly kind: string;
  readonly text: string;
}

export interface GroupOutcome {
  readonly group: GroupId;
  readonly before: NodeId | undefined;
  readonly after: NodeId | undefined;
  /** How long nobody served it, until the end of the step; undefined where it was only planned. */
  readonly awayMs: number | undefined;
  /** Why it is not online at the end. */
  readonly why: string | undefined;
  /** Of a group that runs everywhere: where its instances run, in place of `before` and `after`. */
  readonly instances?:
    { readonly before: readonly NodeId[]; readonly after: readonly NodeId[] } | undefined;
}

export interface StepReport {
  readonly step: string;
  readonly lookedAtMs: number;
  readonly happenings: readonly Happening[];
  /** Of all groups; where it was only planned, of those that change or are down. */
  readonly outcomes: readonly GroupOutcome[];
  /** Groups that are not among the outcomes. */
  readonly unchanged: number;
}

export interface Prediction {
  /** `simulated`: by the cores of all members, in virtual time. `planned`: by the planner alone. */
  readonly how: 'simulated' | 'planned';
  /** Who saw the state, and when. */
  readonly seenBy: NodeId;
  readonly seenAt: string;
  readonly steps: readonly StepReport[];
  /** Where the simulated cluster is not what the state tells. */
  readonly differences: readonly string[];
  /** What no simulation of this kind can know. */
  readonly unknown: readonly string[];
}

const MEMBERS_MAX = 16;
const GROUPS_MAX = 50;
const LOOK_MS = 5;
const AGAIN_MS_MAX = 60_000;
/** The client of the simulator writes so rarely that it costs little. */
const WRITE_EVERY_MS = 1000;

const UNKNOWN: readonly string[] = [
  'How long your programs and hooks take: they start and stop at once here, and hooks agree',
  'How much of a copy is still to be brought up to date: a copy that is not in sync stays so',
  'How old counted failures are: they count as if they had happened just now',
  'Whether an administrator moved a group to where it is, so that failback leaves it there',
];

/**
 * Throws a TakoError for words or a state that cannot be simulated. `configs`: the configurations that
 * the words name, by file.
 */
export function whatIf(
  config: Config,
  status: ClusterStatus,
  words: readonly string[],
  configs: ReadonlyMap<string, Config> = new Map(),
): Prediction {
  const steps = parseSteps(words, config, configs);
  checkCluster(config, status);
  if (isLarge(config) || steps.some(({ step }) => step.type === 'config')) {
    return planIf(config, status, steps);
  }
  const said: Said[] = [];
  const world = new World({
    config,
    seed: 1,
    loss: 0,
    delayMs: { min: 0.2, max: 0.4 },
    drift: 0,
    writeEveryMs: WRITE_EVERY_MS,
    onSaid: (event) => void said.push(event),
  });
  const differences = recreate(world, status);
  return {
    how: 'simulated',
    seenBy: status.node,
    seenAt: status.time,
    steps: steps.map((step) => lookAt(world, step, said)),
    differences,
    unknown: UNKNOWN,
  };
}

function checkCluster(config: Config, status: ClusterStatus): void {
  if (status.cluster === config.cluster) return;
  const text = `the state is of cluster "${status.cluster}", the file of "${config.cluster}"`;
  throw new TakoError('bad-request', `Cannot simulate: ${text}`, {
    next: 'Give the configuration that this cluster runs with --config',
  });
}

/** Larger than the cores of all members can be run in a few seconds. */
function isLarge({ groups, nodes, witness }: Config): boolean {
  const members = nodes.length + (witness === undefined ? 0 : 1);
  return members > MEMBERS_MAX || groups.length > GROUPS_MAX;
}

function lookAt(world: World, { step, words, forMs }: TimedStep, said: Said[]): StepReport {
  const { groups } = world.config;
  const before = new Map(groups.map((group) => [group.id, servedOn(world, group)]));
  const away = new Map<GroupId, number>(groups.map(({ id }) => [id, 0]));
  const [began, already] = [world.now, said.length];
  const look = (): void => {
    world.advance(LOOK_MS);
    for (const group of groups) {
      if (servedOn(world, group).length > 0) continue;
      away.set(group.id, (away.get(group.id) ?? 0) + LOOK_MS);
    }
  };
  perform(world, step, look);
  const end = world.now + forMs;
  while (world.now < end) look();
  return {
    step: words,
    lookedAtMs: Math.round(world.now - began),
    happenings: said.slice(already).map(({ at, ...event }) => ({
      afterMs: Math.round(at - began),
      ...event,
    })),
    outcomes: groups.map((group) => {
      const awayMs = away.get(group.id) ?? 0;
      return outcomeOf(world, group, { before: before.get(group.id) ?? [], awayMs });
    }),
    unchanged: 0,
  };
}

/** Nodes on which it is served: at most one of a group that runs on one node at a time. */
function servedOn(world: World, group: GroupConfig): readonly NodeId[] {
  if (isEverywhere(group)) return runsOn(world, group);
  const node = servedAt(world, group);
  return node === undefined ? [] : [node];
}

function outcomeOf(
  world: World,
  group: GroupConfig,
  { before, awayMs }: { readonly before: readonly NodeId[]; readonly awayMs: number },
): GroupOutcome {
  const after = servedOn(world, group);
  const common = { group: group.id, awayMs };
  if (!isEverywhere(group)) {
    return { ...common, before: before[0], after: after[0], why: whyDown(world, group) };
  }
  const why = whyNotEverywhere(world, group);
  return { ...common, before: undefined, after: undefined, why, instances: { before, after } };
}

function perform(world: World, step: Step, look: () => void): void {
  switch (step.type) {
    case 'lose':
      return world.powerOff(step.node);
    case 'return':
      return world.powerOn(step.node);
    case 'cut':
    case 'mend':
      return changeLink(world, step);
    case 'move': {
      const reason = 'an administrator asked for it';
      return world.ask(askedAt(world, step.group), step.group, {
        type: 'move',
        to: step.to,
        reason,
      });
    }
    case 'start':
    case 'stop':
      return world.ask(askedAt(world, step.group), step.group, { type: step.type });
    case 'maintain':
      return maintained(world, step);
    case 'break':
      return world.breakResource(step.node, step.group, step.resource);
    case 'fail':
      return failAgainAndAgain(world, step, look);
    case 'config':
      // `whatIf` has it planned.
      return;
    default:
      return unreachable(step);
  }
}

function maintained(world: World, { on, place }: Extract<Step, { type: 'maintain' }>): void {
  const asked = world.config.nodes.find(({ id }) => world.node(id) !== undefined);
  if (asked !== undefined) ask(world, asked.id, place, on ? { by: 'who asks' } : undefined);
}

/** As the API does it: the owner acts; without one that is there, any node of the group. */
function askedAt(world: World, id: GroupId): NodeId {
  const owner = recordOf(world, id)?.owner;
  const nodes = world.config.groups.find((group) => group.id === id)?.nodes ?? [];
  const candidates = owner === undefined ? nodes : [owner, ...nodes];
  const there = candidates.find((node) => world.node(node) !== undefined);
  if (there !== undefined) return there;
  throw new TakoError(
    'no-node',
    `Cannot simulate a request about "${id}": none of its nodes is on`,
    {
      next: 'Have a node come back first: return NODE then ...',
    },
  );
}

/** Each failure once the program runs again after the one before, wherever that is. */
function failAgainAndAgain(
  world: World,
  { group: id, resource, times }: Extract<Step, { type: 'fail' }>,
  look: () => void,
): void {
  const group = world.config.groups.find((one) => one.id === id);
  if (group === undefined) return;
  for (let done = 0; done < times; done += 1) {
    const end = world.now + AGAIN_MS_MAX;
    while (servedOn(world, group).length === 0 && world.now < end) look();
    const [node] = servedOn(world, group);
    if (node === undefined) return;
    world.node(node)?.kill(id, resource);
  }
}

function whyDown(world: World, group: GroupConfig): string | undefined {
  if (servedAt(world, group) !== undefined) return undefined;
  // Who owns it knows best.
  const owner = recordOf(world, group.id)?.owner;
  const there = group.nodes.filter((id) => world.node(id) !== undefined);
  const asked = owner !== undefined && there.includes(owner) ? [owner] : there;
  const reasons = asked.flatMap((id) => {
    const reason = world.node(id)?.core?.group(group.id)?.reason;
    return reason === undefined || reason === '' ? [] : [`${id}: ${reason}`];
  });
  return reasons.length === 0 ? 'none of its nodes is on' : reasons.join('; ');
}
