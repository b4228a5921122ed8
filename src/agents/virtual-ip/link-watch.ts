/**
 * Whether a link is good enough to serve clients on. Pure: reports and instants in, verdict out.
 *
 * A link is bad when its interface has had no carrier for {@link NO_CARRIER_MS}, or when this node
 * has heard nobody on it for {@link UNHEARD_MS} while a peer said all the time that it hears
 * somebody there: then it is this node's port or cable, not the network. When nobody hears anybody,
 * moving the address would help nobody.
 */
import { type Instant, earliest, plus } from '../../base/time.ts';
import type { LinkHealth } from '../../ports/address-keeper.ts';

export const NO_CARRIER_MS = 300;
export const UNHEARD_MS = 1000;

export class LinkWatch {
  #noCarrierSince: Instant | undefined;
  #unheardSince: Instant | undefined;

  /** `undefined` when nothing is known: that is no sign of anything. */
  report(health: LinkHealth | undefined, now: Instant): void {
    const noCarrier = health !== undefined && !health.carrier;
    const unheard = health !== undefined && !health.hearsSomeone && health.peersHearThere;
    this.#noCarrierSince = noCarrier ? (this.#noCarrierSince ?? now) : undefined;
    this.#unheardSince = unheard ? (this.#unheardSince ?? now) : undefined;
  }

  /** What is wrong with the link, in words; undefined when it is good, or not yet known as bad. */
  wrong(now: Instant): string | undefined {
    if (isOver(this.#noCarrierSince, NO_CARRIER_MS, now)) return 'its interface has no carrier';
    if (isOver(this.#unheardSince, UNHEARD_MS, now)) {
      return 'this node hears nobody there, while another one does';
    }
    return undefined;
  }

  /** When the verdict changes by the passing of time alone; NEVER if it does not. */
  nextChange(now: Instant): Instant {
    const ends: Instant[] = [];
    if (this.#noCarrierSince !== undefined) ends.push(plus(this.#noCarrierSince, NO_CARRIER_MS));
    if (this.#unheardSince !== undefined) ends.push(plus(this.#unheardSince, UNHEARD_MS));
    return earliest(ends.filter((end) => end > now));
  }
}

function isOver(since: Instant | undefined, limitMs: number, now: Instant): boolean {
  return since !== undefined && plus(since, limitMs) <= now;
}
