/**
 * Which virtual addresses this node holds: those that control wants for a group, while the group's
 * lease lives at the epoch that control named. Renewed three times within the life that the kernel
 * gives them; announced to the neighbours several times after taking, then now and then.
 */
import { earliest, type Instant, plus } from '../../base/time.ts';
import type { WantedAddress } from '../../protocol/heart-ipc.ts';
import type { Epoch, GroupId, ResourceId } from '../../protocol/ids.ts';
import type { AddressOutcome, HeartEffect } from './heart-types.ts';

const RENEWALS_PER_LIFE = 3;
/** Milliseconds after taking the address; afterwards every {@link ANNOUNCE_EVERY_MS}. */
const ANNOUNCE_AFTER_MS: readonly number[] = [0, 50, 200, 1000, 2000];
const ANNOUNCE_EVERY_MS = 30_000;
/** Pause before the kernel is asked again after it refused an address. */
const RETRY_MS = 250;

interface Held {
  readonly address: WantedAddress;
  takenAt: Instant;
  renewAt: Instant;
  announced: number;
  announceAt: Instant;
  /** As last reported. */
  state: 'unknown' | 'held' | 'failed';
  detail: string;
}

/** Of an earlier heart, still with the kernel. */
interface Leftover {
  readonly group: GroupId;
  readonly address: WantedAddress;
}

interface Wanted {
  readonly epoch: Epoch;
  readonly addresses: readonly WantedAddress[];
}

export class Addresses {
  readonly #lifeMs: number;
  readonly #wanted = new Map<GroupId, Wanted>();
  readonly #held = new Map<GroupId, Map<ResourceId, Held>>();
  #leftovers: readonly Leftover[];
  /** Groups whose addresses control has just told. */
  readonly #asked = new Set<GroupId>();
  #gone: { readonly group: GroupId; readonly resources: readonly ResourceId[] }[] = [];
  readonly #leftoversEndAt: Instant;

  constructor(options: {
    readonly lifeSeconds: number;
    readonly startedAt: Instant;
    readonly leftovers: readonly Leftover[];
  }) {
    this.#lifeMs = options.lifeSeconds * 1000;
    this.#leftovers = options.leftovers;
    this.#leftoversEndAt = plus(options.startedAt, this.#lifeMs);
  }

  want(group: GroupId, epoch: Epoch, addresses: readonly WantedAddress[]): void {
    this.#asked.add(group);
    if (addresses.length === 0) this.#wanted.delete(group);
    else this.#wanted.set(group, { epoch, addresses });
  }

  forget(group: GroupId): void {
    this.#wanted.delete(group);
  }

  /** The next review reports these as withdrawn, after it has dropped what is to be dropped. */
  confirmGone(group: GroupId, resources: readonly ResourceId[]): void {
    if (resources.length > 0) this.#gone.push({ group, resources });
  }

  /**
   * What to do now. `leaseUntil` gives the end of a group's lease at an epoch. Drops come first.
   */
  review(now: Instant, leaseUntil: (group: GroupId, epoch: Epoch) => Instant): HeartEffect[] {
    if (this.#isIdle()) return [];
    const effects: HeartEffect[] = [];
    for (const group of [...this.#held.keys()]) {
      effects.push(...this.#dropUnwanted(group, now, leaseUntil));
      if (this.#held.get(group)?.size === 0) this.#held.delete(group);
    }
    effects.push(...this.#dropLeftovers(now), ...this.#confirmGone());
    // Whoever asks for what is held already waits for the answer all the same.
    for (const group of this.#asked) effects.push(...this.#reportGroup(group));
    this.#asked.clear();
    for (const [group, { epoch, addresses }] of this.#wanted) {
      const until = leaseUntil(group, epoch);
      if (now >= until) continue;
      for (const address of addresses) effects.push(...this.#keep(group, address, now, until));
    }
    return effects;
  }

  /** What the kernel said to a `hold`. */
  done(group: GroupId, resource: ResourceId, result: AddressOutcome, now: Instant): HeartEffect[] {
    const held = this.#held.get(group)?.get(resource);
    if (held === undefined) return [];
    const failed = result.outcome === 'failed';
    if (failed) held.renewAt = earliest([held.renewAt, plus(now, RETRY_MS)]);
    const state = failed ? 'failed' : 'held';
    const detail = failed ? result.detail : describe(held.address, result.outcome === 'missing');
    if (state === 'held' && (held.state !== 'held' || result.outcome === 'missing')) {
      held.takenAt = now;
      held.announced = 0;
      held.announceAt = now;
    }
    const news = state !== held.state || (failed && detail !== held.detail);
    held.state = state;
    held.detail = detail;
    if (!news && result.outcome !== 'missing') return [];
    return [{ type: 'report', message: { type: 'address', group, resource, state, detail } }];
  }

  nextChangeAt(): Instant {
    const next: Instant[] = this.#leftovers.length === 0 ? [] : [this.#leftoversEndAt];
    for (const group of this.#held.values()) {
      for (const held of group.values()) {
        next.push(held.renewAt);
        if (held.state === 'held') next.push(held.announceAt);
      }
    }
    return earliest(next);
  }

  /** The addresses that the kernel has at the moment, as far as this heart put them there. */
  holding(): readonly { readonly group: GroupId; readonly resource: ResourceId }[] {
    const all = [...this.#held].flatMap(([group, addresses]) =>
      [...addresses].map(([resource, { state }]) => ({ group, resource, state })),
    );
    return all
      .filter(({ state }) => state === 'held')
      .map(({ group, resource }) => ({ group, resource }));
  }

  /** The present state of all addresses, for a client that just came. */
  report(): HeartEffect[] {
    return [...this.#held.keys()].flatMap((group) => this.#reportGroup(group));
  }

  /** As on every node that owns nothing. */
  #isIdle(): boolean {
    const count = this.#wanted.size + this.#held.size + this.#asked.size;
    return count + this.#gone.length + this.#leftovers.length === 0;
  }

  #reportGroup(group: GroupId): HeartEffect[] {
    const effects: HeartEffect[] = [];
    for (const [resource, { state, detail }] of this.#held.get(group) ?? []) {
      if (state === 'unknown') continue;
      const message = { type: 'address', group, resource, state, detail } as const;
      effects.push({ type: 'report', message });
    }
    return effects;
  }

  #dropUnwanted(
    group: GroupId,
    now: Instant,
    leaseUntil: (group: GroupId, epoch: Epoch) => Instant,
  ): HeartEffect[] {
    const effects: HeartEffect[] = [];
    const wanted = this.#wanted.get(group);
    const leased = wanted !== undefined && now < leaseUntil(group, wanted.epoch);
    for (const [resource, { address }] of this.#held.get(group) ?? []) {
      if (leased && wanted.addresses.some((other) => same(other, address))) continue;
      this.#held.get(group)?.delete(resource);
      const detail = leased
        ? `${address.address} is no longer wanted`
        : `${address.address} withdrawn: this node has no lease for group "${group}"`;
      effects.push(
        { type: 'drop', group, address },
        {
          type: 'report',
          message: { type: 'address', group, resource, state: 'withdrawn', detail },
        },
      );
    }
    return effects;
  }

  #dropLeftovers(now: Instant): HeartEffect[] {
    if (now < this.#leftoversEndAt) return [];
    const left = this.#leftovers.filter(
      ({ group, address }) => !this.#held.get(group)?.has(address.resource),
    );
    this.#leftovers = [];
    return left.map(({ group, address }) => ({ type: 'drop', group, address }));
  }

  #confirmGone(): HeartEffect[] {
    const effects: HeartEffect[] = [];
    for (const { group, resources } of this.#gone) {
      for (const resource of resources) {
        if (this.#held.get(group)?.has(resource) === true) continue;
        const isLeftover = (left: Leftover): boolean =>
          left.group === group && left.address.resource === resource;
        for (const { address } of this.#leftovers.filter(isLeftover)) {
          effects.push({ type: 'drop', group, address });
        }
        this.#leftovers = this.#leftovers.filter((left) => !isLeftover(left));
        const detail = 'this node does not hold it';
        const message = { type: 'address', group, resource, state: 'withdrawn', detail } as const;
        effects.push({ type: 'report', message });
      }
    }
    this.#gone = [];
    return effects;
  }

  #keep(group: GroupId, address: WantedAddress, now: Instant, until: Instant): HeartEffect[] {
    const effects: HeartEffect[] = [];
    const addresses = this.#held.get(group) ?? new Map<ResourceId, Held>();
    this.#held.set(group, addresses);
    let held = addresses.get(address.resource);
    const renewal = held !== undefined;
    if (held === undefined) {
      held = {
        address,
        takenAt: now,
        renewAt: now,
        announced: 0,
        announceAt: now,
        state: 'unknown',
        detail: '',
      };
      addresses.set(address.resource, held);
    }
    if (now >= held.renewAt) {
      held.renewAt = plus(now, this.#lifeMs / RENEWALS_PER_LIFE);
      effects.push({
        type: 'hold',
        group,
        address,
        until,
        renewal: renewal && held.state === 'held',
      });
    }
    if (held.state === 'held' && now >= held.announceAt) {
      held.announced += 1;
      const after = ANNOUNCE_AFTER_MS[held.announced];
      held.announceAt =
        after === undefined ? plus(now, ANNOUNCE_EVERY_MS) : plus(held.takenAt, after);
      effects.push({ type: 'announce', address, until });
    }
    return effects;
  }
}

function same(a: WantedAddress, b: WantedAddress): boolean {
  return (
    a.resource === b.resource &&
    a.address === b.address &&
    a.prefixLength === b.prefixLength &&
    a.link === b.link
  );
}

function describe(address: WantedAddress, missing: boolean): string {
  const place = `${address.address}/${address.prefixLength} on ${address.link}`;
  return missing ? `${place} had been removed by somebody else and was put back` : place;
}
