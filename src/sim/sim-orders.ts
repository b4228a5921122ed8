/**
 * Orders of control to the mirrors of its node. A mirror whose process is not there is waited for;
 * orders reach it in the order in which they were given.
 */
import type { MirrorOrder } from '../core/node/node-io.ts';
import type { MirrorRefusal, SimMirror } from './sim-mirror.ts';

const ORDER_MS = 1;
/** A mirror process that is not there is waited for that long before an order fails. */
const MIRROR_MS = 1500;

export interface SimOrdersWorld {
  readonly later: (ms: number, run: () => void) => void;
  readonly mirror: (key: string) => SimMirror | undefined;
}

export class SimOrders {
  readonly #world: SimOrdersWorld;
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(world: SimOrdersWorld) {
    this.#world = world;
  }

  give(key: string, order: MirrorOrder, answered: (answer: MirrorRefusal) => void): void {
    let done = false;
    const attempt = (last: boolean): boolean => {
      const mirror = this.#world.mirror(key);
      if (done || (mirror === undefined && !last)) return done;
      done = true;
      const message = 'the mirror process does not answer';
      const gone = { ok: false, copyGone: false, message };
      answered(mirror === undefined ? gone : mirror.order(order));
      return true;
    };
    this.#world.later(ORDER_MS, () => {
      const waiting = this.#waiting.get(key) ?? [];
      if (waiting.length === 0 && attempt(false)) return;
      this.#waiting.set(key, [...waiting, () => attempt(false)]);
      this.#world.later(MIRROR_MS, () => attempt(true));
    });
  }

  /** Control is gone, and what it had ordered with it. */
  clear(): void {
    this.#waiting.clear();
  }

  /** The mirror's process has come. */
  came(key: string): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const attempt of waiting) attempt();
  }
}
