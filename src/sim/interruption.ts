/**
 * Interrupts a life at one durable step, in one way, and counts the steps while it waits for it.
 *
 * At a step a node is stopped in the very moment before its storage changes, or in the moment after,
 * when nobody has been told yet. It comes back by itself, later.
 */
import { plus } from '../base/time.ts';
import type { NodeId } from '../protocol/ids.ts';
import type { DurableKind, Moment, StepWatch } from './durable-steps.ts';
import type { World } from './world.ts';

/**
 * What ends or stops: control there (of a witness all of it), or that of every node at once, which
 * is away longer there; the mirror, the machine, the disk.
 */
type Victim = 'control' | 'controls' | 'mirror' | 'power' | 'freeze' | 'disk';

export interface Way {
  readonly name: string;
  readonly victim: Victim;
  readonly moment: Moment;
  /** How long it is away. */
  readonly forMs: number;
  /** How much survives of what no sync had confirmed: nothing, or what was torn. */
  readonly survives: number;
}

export interface Interruption {
  /** Steps are counted from 1. */
  readonly step: number;
  readonly way: Way;
}

export interface DurableStep {
  readonly node: NodeId;
  readonly what: DurableKind;
  readonly atMs: number;
}

/** Of a process, until it is started again. */
const PROCESS_MS = 250;
/** Longer than any lease here, shorter than it takes to be lost. */
const LEASE_AND_MORE_MS = 500;
/** Long enough for others to take over, and to change the voters. */
export const AWAY_MS = 3500;
/** Of the process at the step, when control ends everywhere. */
const LATE_MS = 1500;
const TORN = 0.5;

const MOMENTS: readonly Moment[] = ['before', 'after'];

export const WAYS: readonly Way[] = [
  ...MOMENTS.flatMap(waysAt),
  { name: 'disk-stalls', ...away('disk', LEASE_AND_MORE_MS), moment: 'before' },
];

function waysAt(moment: Moment): readonly Way[] {
  return [
    { name: `control-killed-${moment}`, ...away('control', PROCESS_MS), moment },
    { name: `every-control-killed-${moment}`, ...away('controls', LATE_MS), moment },
    { name: `mirror-killed-${moment}`, ...away('mirror', PROCESS_MS), moment },
    { name: `power-lost-${moment}`, ...away('power', AWAY_MS), moment },
    { name: `power-lost-${moment}-torn`, ...away('power', AWAY_MS), moment, survives: TORN },
    { name: `frozen-${moment}`, ...away('freeze', LEASE_AND_MORE_MS), moment },
    { name: `frozen-${moment}-until-lost`, ...away('freeze', AWAY_MS), moment },
  ];
}

function away(victim: Victim, forMs: number): Omit<Way, 'name' | 'moment'> {
  return { victim, forMs, survives: 0 };
}

/** No process of a mirror has a part in votes, and each other way fits each step. */
export function fits({ victim }: Way, { what }: DurableStep): boolean {
  return victim !== 'mirror' || what !== 'vote';
}

export class Interrupter implements StepWatch {
  readonly #world: World;
  readonly #planned: Interruption | undefined;
  readonly #steps: DurableStep[] = [];
  /** How many steps there were; what is frozen or gone has no part in them. */
  #count = 0;
  /** Steps that have begun and not ended: one may be within another. */
  readonly #open: number[] = [];
  /** When what was interrupted is back; undefined while nothing was. */
  backAt: number | undefined;

  constructor(world: World, planned: Interruption | undefined) {
    this.#world = world;
    this.#planned = planned;
  }

  get steps(): readonly DurableStep[] {
    return this.#steps;
  }

  reached(node: NodeId, what: DurableKind, moment: Moment): void {
    if (moment === 'before') {
      this.#count += 1;
      this.#open.push(this.#count);
      if (this.#planned === undefined)
        this.#steps.push({ node, what, atMs: this.#world.now - 1000 });
    }
    const step = moment === 'before' ? this.#count : this.#open.pop();
    if (this.backAt !== undefined || this.#planned === undefined) return;
    if (step !== this.#planned.step || moment !== this.#planned.way.moment) return;
    this.#interrupt(node, what, this.#planned.way);
  }

  #interrupt(id: NodeId, what: DurableKind, { name, victim, forMs, survives }: Way): void {
    const world = this.#world;
    const node = world.node(id);
    world.note(`-- ${name}: ${id}, ${what}, for ${forMs} ms`);
    this.backAt = world.now + forMs;
    const disk = world.disk(id);
    disk.survives = survives;
    if (victim === 'control') node?.restartControl(forMs);
    else if (victim === 'controls') this.#endControls(id, forMs);
    else if (victim === 'disk') node?.stallDisk(forMs);
    else if (victim === 'mirror') this.#endMirrors(id, forMs);
    else if (victim === 'power') this.#powerOff(id, forMs);
    else this.#freeze(id, forMs);
    disk.survives = undefined;
  }

  /** The witness is none of the nodes, and stays, unless it is the one. */
  #endControls(id: NodeId, forMs: number): void {
    const world = this.#world;
    world.node(id)?.restartControl(forMs);
    for (const { id: other } of world.config.nodes) {
      if (other !== id) world.node(other)?.restartControl(PROCESS_MS);
    }
  }

  #endMirrors(id: NodeId, forMs: number): void {
    for (const { id: group } of this.#world.config.groups) {
      this.#world.node(id)?.restartMirror(`${group}/data`, forMs);
    }
  }

  #powerOff(id: NodeId, forMs: number): void {
    const world = this.#world;
    world.powerOff(id);
    this.#after(forMs, () => {
      world.leaving.delete(id);
      world.powerOn(id);
    });
  }

  #freeze(id: NodeId, forMs: number): void {
    const node = this.#world.node(id);
    node?.freeze();
    this.#after(forMs, () => node?.thaw());
  }

  #after(ms: number, run: () => void): void {
    this.#world.at(plus(this.#world.now, ms), run);
  }
}

export function describeStep({ node, what, atMs }: DurableStep): string {
  return `"${what}" on ${node} after ${(atMs / 1000).toFixed(4)} s`;
}
