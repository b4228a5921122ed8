/**
 * What befalls a cluster, as data: a list drawn ahead from the seed, each fault with its instant,
 * its place and how long it lasts. So a list can be cut down to what still breaks a promise, kept
 * in a file, and played again.
 */
import { unreachable } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { OperatorRequest } from '../core/node/node-io.ts';
import type { Config } from '../protocol/config.ts';
import { HOOK_POINTS } from '../protocol/hook.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from '../protocol/ids.ts';
import type { AgentFault, FaultyAction } from './agent-faults.ts';
import { bar } from './bar-faults.ts';
import { maintain } from './maintenance-faults.ts';
import { forceGroup } from './forcing.ts';
import { dispensable } from './policy.ts';
import { type Swarm, weighted } from './swarm.ts';
import type { World } from './world.ts';

export type FaultKind =
  /** Power off, and on again later. */
  | 'power'
  /** Everything stands still, the clock goes on. */
  | 'freeze'
  /** The machine sleeps, its clock too. */
  | 'sleep'
  | 'control'
  | 'heart'
  | 'mirror'
  /** The heart alone stands still. */
  | 'hang'
  /** Nothing passes from or to a node; the plugs of direct links are pulled as well. */
  | 'isolate'
  /** A node hears nobody, or nobody hears it. */
  | 'deafen'
  /** Two nodes do not reach one another, everybody else does. */
  | 'pair'
  /** One link between two nodes, one way or both. */
  | 'link'
  | 'lag'
  | 'drop'
  | 'clock'
  | 'slowDisk'
  | 'fullDisk'
  /** Power off, and on again with the votes lost: another seat. */
  | 'memory'
  | 'agent'
  /** A hook of a group hangs, fails, lies, or gives one answer. */
  | 'hook'
  | 'kill'
  | 'operator'
  /** Somebody puts a node in standby, or bans it from a group. */
  | 'bar'
  /** Somebody has a group, a node or the cluster left alone (maintenance-faults.ts). */
  | 'maintain'
  /** An administrator forces a group onto a node (forcing.ts). */
  | 'force'
  | 'leave';

/** What a hook does; not `stay`, which only a person ends. */
const HOOK_SHAPES = [
  'hangs',
  'hangs',
  'fails',
  'lies',
  'veto',
  'veto',
  'failover',
  'repaired',
  'wait',
] as const satisfies AgentFault[];
/** For each fault of other kinds. */
const HOOK_SHARE = 0.7;

type AgentShape = `${FaultyAction}-${AgentFault}`;

export interface Fault {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly forMs: number;
  readonly node: string;
  readonly other: string;
  readonly link: string;
  readonly group: string;
  /** Which of several shapes: see the kind. */
  readonly shape: string;
  /** How much: packets, delay, speed of a clock. */
  readonly amount: number;
}

const SHAPES: Readonly<Partial<Record<FaultKind, readonly string[]>>> = {
  deafen: ['hears nobody', 'heard by nobody'],
  link: ['one way', 'both ways', 'both ways'],
  operator: ['move', 'move', 'move', 'stop', 'start', 'start'],
  agent: [
    'start-fails',
    'start-lasting',
    'start-hangs',
    'stop-fails',
    'stop-hangs',
    'monitor-lies',
    'monitor-fails',
    'monitor-hangs',
  ] satisfies AgentShape[],
};

/** Faults come alone, or several at nearly the same time. */
const BURST = 0.35;
const BURST_MS = 400;
const FOLLOW = 0.25;
const FOLLOW_MS = 600;
const LEAVE_MS = 4000;
/** How often a cut of a cable is seen as a lost carrier. */
const PLUG = 0.6;

export function drawFaults(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  const members = [...config.nodes, ...(config.witness === undefined ? [] : [config.witness])];
  const faults: Fault[] = [];
  let at = 0;
  const lostMs = swarm.timing.nodeLostMs;
  for (let count = 0; count < swarm.faults; count += 1) {
    const dice = prng.float();
    // At about the same time, or just when what was cut off counts as lost, or some other time.
    if (dice < BURST) at += prng.below(BURST_MS);
    else if (dice < BURST + FOLLOW) at += lostMs + prng.below(FOLLOW_MS) - FOLLOW_MS / 2;
    else at = prng.below(swarm.stormMs);
    if (prng.chance(swarm.duels)) faults.push(...drawDuel(swarm, config, at, prng));
    const { kind } = weighted(swarm.kinds, prng);
    const node = prng.pick(members).id;
    const group = prng.pick(config.groups);
    faults.push({
      kind,
      atMs: Math.min(at, swarm.stormMs),
      forMs: drawDuration(kind, prng),
      node,
      other: prng.pick(members.filter((member) => member.id !== node)).id,
      link: prng.pick(config.links).id,
      group: group.id,
      shape: prng.pick(SHAPES[kind] ?? ['']),
      amount: prng.float(),
    });
  }
  return faults.map(whole).sort((a, b) => a.atMs - b.atMs);
}

/** As many more where the groups have hooks, at any time of the storm. */
export function drawHookFaults(swarm: Swarm, config: Config, prng: Prng): readonly Fault[] {
  if (swarm.hookTimeoutMs === undefined) return [];
  const count = Math.ceil(swarm.faults * HOOK_SHARE);
  return Array.from({ length: count }, (): Fault => {
    const [node, other] = [prng.pick(config.nodes).id, prng.pick(config.nodes).id];
    const common = { kind: 'hook', node, other, link: '', shape: prng.pick(HOOK_SHAPES) } as const;
    const atMs = prng.below(swarm.stormMs);
    const forMs = 1000 + prng.below(8000);
    return whole({
      ...common,
      atMs,
      forMs,
      group: prng.pick(config.groups).id,
      amount: prng.float(),
    });
  });
}

function whole(fault: Fault): Fault {
  return { ...fault, atMs: Math.max(0, Math.round(fault.atMs)) };
}

/** What may happen to a voter in the moment when its word decides. */
const DUEL_KINDS: readonly FaultKind[] = [
  'heart',
  'heart',
  'control',
  'power',
  'slowDisk',
  'freeze',
];

/**
 * The first two nodes of a group do not meet any more, and about when one of them counts as lost,
 * something happens to a third member, whose vote decides between them.
 */
function drawDuel(swarm: Swarm, config: Config, at: number, prng: Prng): readonly Fault[] {
  const group = prng.pick(config.groups);
  const [node = '', other = ''] = group.nodes;
  const { witness } = config;
  const members = [...config.nodes, ...(witness === undefined ? [] : [witness])];
  const third = members.find(({ id }) => id !== node && id !== other)?.id ?? other;
  const { leaseMs, nodeLostMs } = swarm.timing;
  const common = { node, other, link: prng.pick(config.links).id, group: group.id, shape: '' };
  const [plugged, kind] = [prng.chance(0.7), prng.pick(DUEL_KINDS)];
  const lostMs = plugged ? leaseMs : nodeLostMs;
  const amount = plugged ? 0 : 1;
  const cut = { ...common, kind: 'pair' as const, atMs: at, forMs: lostMs * 4, amount };
  const soon = Math.round(at + lostMs * (0.6 + prng.float() * 0.8));
  const forMs = Math.round(leaseMs * (0.1 + prng.float() * 0.9));
  const blow = {
    ...common,
    kind,
    node: third,
    other: node,
    atMs: soon,
    forMs,
    amount: prng.float(),
  };
  return [cut, blow].map((fault) => ({ ...fault, atMs: Math.min(fault.atMs, swarm.stormMs) }));
}

/** Around the times that decide: heartbeats, leases, the loss of a node, the grace. */
function drawDuration(kind: FaultKind, prng: Prng): number {
  if (kind === 'control' || kind === 'heart' || kind === 'mirror') {
    return Math.ceil(prng.pick([20, 80, 200, 1000]) * (0.5 + prng.float()));
  }
  const scale = prng.pick([60, 300, 350, 900, 1300, 2500, 8000]);
  return Math.ceil(scale * (0.5 + prng.float()));
}

/** Begins a fault; it ends by itself. */
export function inflict(world: World, fault: Fault): void {
  const node = fault.node as NodeId;
  world.coverage.hit(`fault ${fault.kind}${fault.shape === '' ? '' : ` ${fault.shape}`}`);
  world.note(`-- ${describeFault(fault)}`);
  const { kind, forMs } = fault;
  switch (kind) {
    case 'power':
      world.powerOff(node);
      return after(world, forMs, () => powerBack(world, node));
    case 'memory':
      return loseMemory(world, fault);
    case 'freeze':
    case 'sleep':
      return freeze(world, fault);
    case 'control':
      return world.node(node)?.restartControl(forMs);
    case 'heart':
      return world.node(node)?.restartHeart(forMs);
    case 'mirror':
      return world.node(node)?.restartMirror(`${fault.group}/data`, forMs);
    case 'hang':
      return world.node(node)?.hangHeart(forMs);
    case 'isolate':
    case 'deafen':
    case 'pair':
    case 'link':
      return cut(world, fault);
    case 'lag':
      return raise(world, 'lagMs', 5 + fault.amount * 150, forMs);
    case 'drop':
      return raise(world, 'lossMore', fault.amount * 0.6, forMs);
    case 'clock':
      return changeClock(world, fault);
    case 'slowDisk':
    case 'fullDisk':
      return harmDisk(world, fault);
    case 'agent':
      return harmAgent(world, fault);
    case 'hook':
      return harmHook(world, fault);
    case 'kill':
      return world.node(node)?.kill(fault.group as GroupId, 'program' as ResourceId);
    case 'operator':
      return ask(world, fault);
    case 'bar':
      return bar(world, fault);
    case 'maintain':
      return maintain(world, fault);
    case 'force':
      return forceGroup(world, fault);
    case 'leave':
      return leave(world, fault);
    default:
      return unreachable(kind);
  }
}

export function describeFault(fault: Fault): string {
  const { kind, forMs, node, other, link, group, shape, amount } = fault;
  const words = [kind, shape, node, other, link, group, `for ${forMs} ms`];
  return [...words, `(${amount.toFixed(2)})`].filter((word) => word !== '').join(' ');
}

function after(world: World, ms: number, run: () => void): void {
  world.at((world.now + ms) as typeof world.now, run);
}

function freeze(world: World, { kind, node, forMs }: Fault): void {
  const frozen = world.node(node as NodeId);
  if (frozen?.answers !== true) return;
  frozen.freeze();
  after(world, forMs, () => {
    if (!frozen.alive || frozen.answers) return;
    if (kind === 'sleep') frozen.setClock(world.rate(frozen.id), forMs);
    frozen.thaw(kind === 'sleep');
  });
}

function powerBack(world: World, id: NodeId): void {
  if (!world.holdFaults) world.powerOn(id);
}

/** The machine comes back as one that knows of no vote, if the others can do without its own. */
function loseMemory(world: World, { node, forMs }: Fault): void {
  const id = node as NodeId;
  world.powerOff(id);
  after(world, forMs, () => {
    if (!world.holdFaults && world.node(id) === undefined && dispensable(world, id)) {
      world.coverage.hit('memory lost');
      world.note(`-- ${id} has lost its votes`);
      world.disk(id).forget();
    }
    powerBack(world, id);
  });
}

type Way = readonly [LinkId, NodeId, NodeId];

function cut(world: World, fault: Fault): void {
  const ways = waysOf(world, fault);
  for (const way of ways) world.cut(...way);
  const pulled = world.config.links.filter(
    (link) => link.direct && (fault.kind !== 'link' || fault.link === link.id),
  );
  const ends = world.config.nodes.map((node) => node.id);
  const concerns = ends.includes(fault.node as NodeId) && concernsBoth(fault, ends);
  const unplugs = ends.length === 2 && concerns && fault.amount < PLUG;
  if (unplugs) for (const link of pulled) world.plug(link.id, ends, false);
  after(world, fault.forMs, () => {
    for (const way of ways) world.mend(...way);
    if (unplugs) for (const link of pulled) world.plug(link.id, ends, true);
  });
}

/** The cable between the two nodes is among what is cut, both ways. */
function concernsBoth({ kind, other, shape }: Fault, ends: readonly NodeId[]): boolean {
  if (kind === 'isolate') return true;
  const between = ends.includes(other as NodeId);
  return between && (kind === 'pair' || (kind === 'link' && shape === 'both ways'));
}

function waysOf(world: World, fault: Fault): readonly Way[] {
  const [node, other] = [fault.node as NodeId, fault.other as NodeId];
  const links = world.config.links.map((link) => link.id);
  const others = world.members().filter((id) => id !== node);
  const both = (link: LinkId, peer: NodeId): Way[] => [
    [link, node, peer],
    [link, peer, node],
  ];
  switch (fault.kind) {
    case 'pair':
      return links.flatMap((link) => both(link, other));
    case 'link': {
      const link = fault.link as LinkId;
      return fault.shape === 'one way' ? [[link, node, other]] : both(link, other);
    }
    case 'deafen':
      return links.flatMap((link) =>
        others.map((peer): Way =>
          fault.shape === 'hears nobody' ? [link, peer, node] : [link, node, peer],
        ),
      );
    default:
      return links.flatMap((link) => others.flatMap((peer) => both(link, peer)));
  }
}

function raise(world: World, what: 'lagMs' | 'lossMore', by: number, forMs: number): void {
  world.network[what] += by;
  after(world, forMs, () => {
    world.network[what] = Math.max(0, world.network[what] - by);
  });
}

/** Within the bound of this life; a clock that stands still has no speed. */
function changeClock(world: World, { node, amount }: Fault): void {
  if (world.node(node as NodeId)?.answers === false) return;
  world.setRate(node as NodeId, 1 + world.options.drift * (amount * 2 - 1));
}

function harmDisk(world: World, { kind, node, amount, forMs }: Fault): void {
  const disk = world.disk(node as NodeId);
  if (kind === 'fullDisk') {
    disk.full = true;
    return after(world, forMs, () => {
      disk.full = false;
    });
  }
  const slow = 5 + amount * 400;
  disk.slowMs += slow;
  after(world, forMs, () => {
    disk.slowMs = Math.max(0, disk.slowMs - slow);
  });
}

function harmAgent(world: World, { node, group, shape, amount, forMs }: Fault): void {
  const resource = amount < 0.6 ? 'program' : amount < 0.85 ? 'data' : 'address';
  const [action, fault] = shape.split('-') as [FaultyAction, AgentFault];
  const [faults, key] = [world.faults(node as NodeId), `${group}/${resource}`];
  faults.begin(key, action, fault);
  after(world, forMs, () => faults.end(key, action, fault));
}

/** At one of the points; on a failure, that of the program. */
function harmHook(world: World, { node, group, shape, amount, forMs }: Fault): void {
  const point = HOOK_POINTS[Math.floor(amount * HOOK_POINTS.length)] ?? 'before-start';
  const [faults, fault] = [world.faults(node as NodeId), shape as AgentFault];
  const key = `${group}/${point === 'on-failure' ? 'program' : point}`;
  faults.begin(key, 'hook', fault);
  after(world, forMs, () => faults.end(key, 'hook', fault));
}

function ask(world: World, { shape, node, group, other, amount }: Fault): void {
  const id = group as GroupId;
  const reason = 'a test asked for it';
  const to = other as NodeId;
  const request: OperatorRequest =
    shape === 'move' ? { type: 'move', to, reason } : { type: shape === 'stop' ? 'stop' : 'start' };
  // Mostly where it is of use, sometimes anywhere.
  const owner = amount < 0.8 ? (world.serving(id)[0] ?? (node as NodeId)) : (node as NodeId);
  world.ask(owner, id, request);
  // Who stops a group wants it back, sooner or later.
  if (shape === 'stop') after(world, 1500, () => world.ask(owner, id, { type: 'start' }));
}

/** Tako is stopped on a node in order, and started again. */
function leave(world: World, { node, forMs }: Fault): void {
  const id = node as NodeId;
  const leaving = world.node(id);
  if (leaving?.core === undefined) return;
  for (const { id: group } of world.config.groups) world.ask(id, group, { type: 'leave' });
  world.leaving.add(id);
  after(world, LEAVE_MS, () => {
    if (world.node(id) !== leaving || !world.leaving.delete(id)) return;
    world.powerOff(id);
    after(world, forMs, () => powerBack(world, id));
  });
}
