/** The lease marks on one simulated machine: what its heart left there, fresh or not. */
import { type Instant, plus } from '../base/time.ts';
import type { Epoch, GroupId } from '../protocol/ids.ts';
import { isFreshMark } from '../protocol/lease-mark.ts';

export interface SimMark {
  readonly epoch: Epoch;
  readonly validUntil: Instant;
  /** What the machine had slept by then: after more of it the mark is void. */
  readonly sleptMs: number;
}

export class SimMarks {
  readonly #marks = new Map<GroupId, SimMark>();
  readonly #machine: { now(): Instant; sleptMs(): number };

  constructor(machine: { now(): Instant; sleptMs(): number }) {
    this.#machine = machine;
  }

  write(group: GroupId, mark: Omit<SimMark, 'sleptMs'>): void {
    const { epoch, validUntil } = mark;
    this.#marks.set(group, { epoch, validUntil, sleptMs: this.#machine.sleptMs() });
  }

  /** The epoch of the lease that is marked for the group and fresh. */
  leaseOf(group: GroupId): Epoch | undefined {
    const mark = this.#marks.get(group);
    if (mark === undefined || mark.sleptMs !== this.#machine.sleptMs()) return undefined;
    return this.#machine.now() < mark.validUntil ? mark.epoch : undefined;
  }

  /** As control looks at it before a start; by the production rule. */
  holds(group: GroupId, epoch: Epoch): boolean {
    const mark = this.#marks.get(group);
    const machine = this.#machine;
    return mark?.epoch === epoch && isFreshMark(mark, machine.now(), machine.sleptMs());
  }

  /** Until when that epoch's mark is good, by a clock that goes on while the machine sleeps. */
  until(group: GroupId, epoch: Epoch): Instant {
    const mark = this.#marks.get(group);
    return mark?.epoch === epoch ? plus(mark.validUntil, mark.sleptMs) : (0 as Instant);
  }
}
