/**
 * Carries out what the heart's core decides about virtual addresses. Adding and announcing check
 * once more that the lease lives: the process may have been stopped since the decision.
 */
import { messageOf } from '../../base/tako-error.ts';
import type { Instant } from '../../base/time.ts';
import type { AddressOutcome } from '../../core/heart/heart-types.ts';
import type { WantedAddress } from '../../protocol/heart-ipc.ts';
import type { LinkId } from '../../protocol/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { Announcer } from '../../adapters/neighbour/announcer.ts';
import type { LinkInfo } from '../../adapters/netlink/message.ts';
import { type AddressPlace, Netlink } from '../../adapters/netlink/netlink.ts';

export interface AddressKeeperOptions {
  readonly lifeSeconds: number;
  /** This node's own address on each of its links. */
  readonly ownAddresses: ReadonlyMap<LinkId, string>;
  readonly clock: Clock;
  readonly log: Log;
}

export class AddressKeeper {
  readonly #options: AddressKeeperOptions;
  readonly #netlink = new Netlink();
  #announcer: Announcer | undefined;

  constructor(options: AddressKeeperOptions) {
    this.#options = options;
  }

  close(): void {
    this.#netlink.close();
    this.#announcer?.close();
  }

  /** Takes in what the kernel noticed; true when something changed. */
  poll(): boolean {
    return this.#netlink.poll();
  }

  /** False also when no interface has this node's address on the link. */
  hasCarrier(link: LinkId): boolean {
    return this.#interfaceOf(link)?.carrier ?? false;
  }

  hold(address: WantedAddress, until: Instant, renewal: boolean): AddressOutcome {
    const found = this.#interfaceOf(address.link);
    if (found === undefined) {
      const own = this.#options.ownAddresses.get(address.link) ?? 'no address';
      const detail = `no network interface has this node's address on ${address.link} (${own})`;
      return { outcome: 'failed', detail };
    }
    const life = { valid: this.#options.lifeSeconds, preferred: this.#preferred(address) };
    if (this.#options.clock.now() >= until) return { outcome: 'failed', detail: 'lease over' };
    try {
      const done = this.#netlink.hold(placeOn(address, found), life);
      return { outcome: done === 'added' && renewal ? 'missing' : 'ok' };
    } catch (error) {
      return { outcome: 'failed', detail: messageOf(error) };
    }
  }

  /** From wherever it is. */
  drop(address: WantedAddress): void {
    this.#netlink.poll();
    const places = [...this.#netlink.placesOf(address.address)];
    const found = this.#interfaceOf(address.link);
    if (found !== undefined && !places.some((place) => place.index === found.index)) {
      places.push(placeOn(address, found));
    }
    for (const place of places) {
      try {
        this.#netlink.drop(place);
      } catch (error) {
        this.#options.log.error('virtual address not removed; the kernel will, within its life', {
          address: address.address,
          lifeSeconds: this.#options.lifeSeconds,
          error: messageOf(error),
        });
      }
    }
  }

  announce(address: WantedAddress, until: Instant): void {
    const found = this.#interfaceOf(address.link);
    if (found === undefined || this.#options.clock.now() >= until) return;
    this.#announcer ??= new Announcer();
    const error = this.#announcer.announce(address.address, found);
    if (error === undefined) return;
    this.#options.log.warn('virtual address not announced', { address: address.address, error });
  }

  /**
   * IPv6 addresses that are not preferred are not chosen as the source of new connections, which
   * must not break when the address moves; IPv4 has no such choice.
   */
  #preferred(address: WantedAddress): number {
    return address.family === 6 ? 0 : this.#options.lifeSeconds;
  }

  #interfaceOf(link: LinkId): LinkInfo | undefined {
    const own = this.#options.ownAddresses.get(link);
    return own === undefined ? undefined : this.#netlink.interfaceOf(own);
  }
}

function placeOn(address: WantedAddress, found: LinkInfo): AddressPlace {
  const { address: text, prefixLength } = address;
  return { address: text, prefixLength, index: found.index };
}
