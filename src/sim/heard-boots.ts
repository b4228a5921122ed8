/**
 * Which run of each other heart this one has heard, as the guard of packets knows it: nothing of an earlier
 * run is taken, nor what is meant for another run of this one; hellos end that.
 */
import type { BootId, NodeId } from '../protocol/ids.ts';

export class HeardBoots {
  readonly #boots = new Map<NodeId, BootId>();

  of(node: NodeId): BootId | undefined {
    return this.#boots.get(node);
  }

  /** `to`: the run that the packet is meant for, if the sender knew one. */
  takes(
    from: { readonly id: NodeId; readonly boot: BootId },
    to: BootId | undefined,
    own: BootId,
  ): boolean {
    const heard = this.#boots.get(from.id);
    if (heard !== undefined && from.boot < heard) return false;
    if (heard !== from.boot) this.#boots.set(from.id, from.boot);
    return to === undefined || to === own;
  }
}
