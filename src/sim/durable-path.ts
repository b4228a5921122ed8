/**
 * One node's way to stable storage: what changes it goes through here, one after the other, so that
 * it can be interrupted just before and just after, and a disk can stall.
 */
import type { Instant } from '../base/time.ts';
import { plus } from '../base/time.ts';
import type { DurableKind, DurableWork, Moment } from './durable-steps.ts';

export interface DurablePlace {
  now(): Instant;
  at(when: Instant, run: () => void): void;
  reached(what: DurableKind, moment: Moment): void;
  /** Runs it now, or when the node goes on; never when it has lost its power. */
  deliver(run: () => void): void;
}

export class DurablePath {
  readonly #place: DurablePlace;
  #stalledUntil = 0 as Instant;

  constructor(place: DurablePlace) {
    this.#place = place;
  }

  /** Nothing becomes durable before that time is over, in whatever order it came. */
  stall(forMs: number): void {
    this.#stalledUntil = plus(this.#place.now(), forMs);
  }

  change(what: DurableKind, work: DurableWork): void {
    const place = this.#place;
    place.reached(what, 'before');
    const make = (): void => this.#make(what, work);
    if (place.now() >= this.#stalledUntil) return place.deliver(make);
    place.at(this.#stalledUntil, () => place.deliver(make));
  }

  #make(what: DurableKind, { make, then, lives }: DurableWork): void {
    if (!lives()) return;
    make();
    this.#place.reached(what, 'after');
    this.#place.deliver(() => {
      if (lives()) then();
    });
  }
}
