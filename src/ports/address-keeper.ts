/**
 * Virtual addresses as the agents see them. The heart holds them, so that they live and die with
 * the lease and not with control; this port carries the wishes to it and its reports back.
 */
import type { WantedAddress } from '../protocol/heart-ipc.ts';
import type { Epoch, GroupId, LinkId, ResourceId } from '../protocol/ids.ts';

export interface AddressState {
  /** `unknown`: the heart did not report since it was asked, or does not answer at present. */
  readonly state: 'held' | 'withdrawn' | 'failed' | 'unknown';
  readonly detail: string;
}

/** How a link looks from here, by the heart's last report. */
export interface LinkHealth {
  /** False when the local network interface has no carrier. */
  readonly carrier: boolean;
  /** This node hears at least one other member on it. */
  readonly hearsSomeone: boolean;
  /** At least one peer that this node hears on any link says that it hears someone on this one. */
  readonly peersHearThere: boolean;
}

export interface AddressKeeper {
  /** Wants the address held from now on, while the group's lease at this epoch lives. Repeatable. */
  want(group: GroupId, epoch: Epoch, address: WantedAddress): void;
  /** Wants it no longer. Repeatable; the report `withdrawn` follows also when it was not held. */
  unwant(group: GroupId, resource: ResourceId): void;
  /** `unknown` from the call of `want` or `unwant` until the heart's answer to it. */
  state(group: GroupId, resource: ResourceId): AddressState;
  /** Undefined while the heart has not reported. */
  link(link: LinkId): LinkHealth | undefined;
  /** Called after every report that changed any of the above; returns how to end it. */
  onChange(listener: () => void): () => void;
}
