/**
 * What a peer says that it lacks, and since when without a break: the leases that it claims and does
 * not hold, and anybody whom it hears. Whoever is not heard for a lease may have had it meanwhile, so
 * the time begins anew; so it does with a new claim.
 *
 * Only what has lasted for a lease is reported: every claim is without a lease at first.
 */
import { type Instant, NEVER, earliest, plus } from '../../base/time.ts';
import type { Epoch, GroupId } from '../../protocol/ids.ts';
import type { HeartbeatBody } from '../../protocol/packet.ts';

export type Said = Pick<HeartbeatBody, 'claims' | 'hearsOn' | 'without'>;

interface Lack {
  readonly epoch: Epoch;
  readonly since: Instant;
}

export class Without {
  readonly #leaseMs: number;
  #toldAt = -1 as Instant;
  #leases: ReadonlyMap<GroupId, Lack> = new Map();
  #hearingSince: Instant | undefined;
  /** What lasted at the last review. */
  #reported = '';

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** When it was last told. */
  get toldAt(): Instant {
    return this.#toldAt;
  }

  /** Since when it has heard nobody. */
  get hearingSince(): Instant | undefined {
    return this.#hearingSince;
  }

  /** Since when it has been without the lease of that group, which it claims. */
  leaseSince(group: GroupId): Instant | undefined {
    return this.#leases.get(group)?.since;
  }

  forget(): void {
    this.#leases = new Map();
    this.#hearingSince = undefined;
  }

  told({ claims, hearsOn, without = [] }: Said, now: Instant): void {
    if (now - this.#toldAt > this.#leaseMs) this.forget();
    this.#toldAt = now;
    const leases = new Map<GroupId, Lack>();
    for (const { group, epoch } of claims) {
      if (!without.includes(group)) continue;
      const known = this.#leases.get(group);
      leases.set(group, known?.epoch === epoch ? known : { epoch, since: now });
    }
    this.#leases = leases;
    this.#hearingSince = hearsOn.length > 0 ? undefined : (this.#hearingSince ?? now);
  }

  /** `since`, when that was a lease ago. */
  lasting(since: Instant | undefined, now: Instant): Instant | undefined {
    return since !== undefined && now >= plus(since, this.#leaseMs) ? since : undefined;
  }

  /** True when what lasts is not what it was the last time. */
  review(now: Instant): boolean {
    const lasting = [...this.#leases].filter(([, { since }]) => this.lasting(since, now));
    const groups = lasting.map(([group, { epoch }]) => `${group}@${epoch}`).sort();
    if (this.lasting(this.#hearingSince, now) !== undefined) groups.push('hearing');
    const reported = groups.join(' ');
    const changed = reported !== this.#reported;
    this.#reported = reported;
    return changed;
  }

  /** When the next of it has lasted for a lease. */
  worseAt(now: Instant): Instant {
    const since = [...this.#leases.values()].map((lack) => lack.since);
    if (this.#hearingSince !== undefined) since.push(this.#hearingSince);
    const due = earliest(since.map((at) => plus(at, this.#leaseMs)).filter((at) => at > now));
    return due > now ? due : NEVER;
  }
}
