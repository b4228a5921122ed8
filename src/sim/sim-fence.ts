/**
 * The fences of a simulated cluster: each turns one node off, over ways of its own that no cut of a
 * link touches. They may fail, hang, be slow, do their work without being able to say so, and lie.
 */
import { type Instant, plus } from '../base/time.ts';
import type { FenceAnswer } from '../protocol/fence.ts';
import type { NodeId } from '../protocol/ids.ts';

/** `silent`: it turns the node off and can't tell. `lies`: it says so and does nothing. */
export type FenceFault = 'fails' | 'hangs' | 'silent' | 'slow' | 'lies' | 'stays-on';

export interface FencedWorld {
  now(): Instant;
  at(when: Instant, run: () => void): void;
  isOn(node: NodeId): boolean;
  powerOff(node: NodeId): void;
  note(text: string): void;
}

const OFF_MS = 200;
const STATUS_MS = 100;
const SLOW_MS = 6000;

export class SimFences {
  readonly #world: FencedWorld;
  readonly #faults = new Map<NodeId, FenceFault>();
  readonly #lied = new Set<NodeId>();
  #healed = 0;
  /** Told when one has turned its node off. */
  onOff: (node: NodeId) => void = () => undefined;

  constructor(world: FencedWorld) {
    this.#world = world;
  }

  /** Undefined: it is well again. */
  set(node: NodeId, fault: FenceFault | undefined): void {
    if (fault === undefined) this.#faults.delete(node);
    else this.#faults.set(node, fault);
  }

  /** Runs that are under way, however slow, turn nobody off any more. */
  healAll(): void {
    this.#faults.clear();
    this.#healed += 1;
  }

  /** It said once that the node was off, which was not. */
  hasLied(node: NodeId): boolean {
    return this.#lied.has(node);
  }

  turnOff(node: NodeId, answer: (given: FenceAnswer) => void): void {
    const fault = this.#faults.get(node);
    if (fault === 'hangs') return;
    const offMs = fault === 'slow' ? SLOW_MS : OFF_MS;
    const healed = this.#healed;
    this.#after(offMs, () => {
      if (healed !== this.#healed) return;
      if (fault !== 'fails' && fault !== 'lies' && fault !== 'stays-on') this.#off(node);
      this.#after(STATUS_MS, () => answer(this.#found(node, fault)));
    });
  }

  #off(node: NodeId): void {
    if (!this.#world.isOn(node)) return;
    this.#world.note(`-- the fence turns ${node} off`);
    this.#world.powerOff(node);
    this.onOff(node);
  }

  #found(node: NodeId, fault: FenceFault | undefined): FenceAnswer {
    if (fault === 'fails') return { state: 'unknown', detail: 'the fence cannot be reached' };
    if (fault === 'silent') return { state: 'unknown', detail: 'the fence broke off' };
    const on = this.#world.isOn(node);
    if (fault === 'lies' && on) this.#lied.add(node);
    if (on && fault !== 'lies') return { state: 'on', detail: 'turned off, and found to be on' };
    return { state: 'off', detail: 'turned off, and found to be off' };
  }

  #after(ms: number, run: () => void): void {
    this.#world.at(plus(this.#world.now(), ms), run);
  }
}
