/** What goes into the heart's core and what comes out of it. */
import type { Instant } from '../../base/time.ts';
import type { Timing } from '../../protocol/config.ts';
import type { FromHeart, WantedAddress } from '../../protocol/heart-ipc.ts';
import type {
  BootId,
  Epoch,
  GroupId,
  LinkId,
  NodeId,
  ResourceId,
  SeatId,
} from '../../protocol/ids.ts';
import type { AnswerBody, HeartbeatBody } from '../../protocol/packet.ts';
import type { Electorate } from '../../protocol/record.ts';

export interface HeartMember {
  readonly id: NodeId;
  /** The links that it has an address on. */
  readonly links: readonly LinkId[];
}

export interface HeartOptions {
  readonly self: NodeId;
  readonly boot: BootId;
  readonly startedAt: Instant;
  readonly timing: Timing;
  readonly links: readonly { readonly id: LinkId; readonly direct: boolean }[];
  /** All voters: the nodes and the witness, this one among them. */
  readonly members: readonly HeartMember[];
  /**
   * So long at most may bind what a former run on this machine has promised; 0 when there was none.
   * Undefined: nothing is remembered, and all runs have the same settings.
   */
  readonly formerTermMs?: number | undefined;
  /** Virtual addresses that a former run may have left on this node. */
  readonly leftovers: readonly { readonly group: GroupId; readonly address: WantedAddress }[];
}

export interface GroupRecord {
  readonly group: GroupId;
  readonly owner: NodeId;
  readonly epoch: Epoch;
}

/** `missing`: a stranger had removed the address; it was put back. */
export type AddressOutcome =
  { readonly outcome: 'ok' | 'missing' } | { readonly outcome: 'failed'; readonly detail: string };

export type HeartEvent = { readonly now: Instant } & (
  | { readonly type: 'timePassed' }
  /** An authentic packet, proven fresh, of that boot of the peer. */
  | {
      readonly type: 'heard';
      readonly from: NodeId;
      readonly boot: BootId;
      readonly link: LinkId;
      /** Undefined for packets that say no more than that the sender lives. */
      readonly body: HeartbeatBody | AnswerBody | undefined;
    }
  | { readonly type: 'carrierChanged'; readonly link: LinkId; readonly carrier: boolean }
  /** Control said hello: a new process, or a new connection of the same. */
  | { readonly type: 'controlConnected' }
  | {
      readonly type: 'recordsReported';
      readonly seat: SeatId;
      readonly records: readonly GroupRecord[];
      readonly after: number | undefined;
    }
  /** A lease needs a majority of each of these. Again with others: they count from now on. */
  | {
      readonly type: 'claimed';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly electorates: readonly Electorate[];
    }
  | { readonly type: 'released'; readonly group: GroupId }
  | { readonly type: 'revokeAsked'; readonly id: number; readonly group: GroupId }
  | {
      readonly type: 'addressesWanted';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly addresses: readonly WantedAddress[];
      /** Control wants to hear that these are not held. */
      readonly gone?: readonly ResourceId[] | undefined;
    }
  | {
      readonly type: 'addressDone';
      readonly group: GroupId;
      readonly resource: ResourceId;
      readonly result: AddressOutcome;
    }
  /** It will be known after a restart that promises of that length may have been given. */
  | { readonly type: 'termRemembered'; readonly termMs: number }
  /** Report everything, for a client that just came. */
  | { readonly type: 'reportAsked' }
  /** The machine slept or its clock stood still: nothing that was measured counts. */
  | { readonly type: 'timeLost' }
  /** Give up every lease for good. */
  | { readonly type: 'stopAsked' }
);

/**
 * To be carried out in this order, without anything in between: what takes authority away always
 * comes before what is sent.
 */
export type HeartEffect =
  | {
      readonly type: 'send';
      readonly to: NodeId;
      readonly link: LinkId;
      readonly body: HeartbeatBody | AnswerBody;
    }
  /** Write the lease mark. `validUntil` of the distant past: void. */
  | {
      readonly type: 'mark';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly validUntil: Instant;
    }
  /** Add the address or renew its life, unless `until` has passed by then. */
  | {
      readonly type: 'hold';
      readonly group: GroupId;
      readonly address: WantedAddress;
      readonly until: Instant;
      /** The address should be there already. */
      readonly renewal: boolean;
    }
  /**
   * Promises are to bind so long from now on: to be known after a restart, in the order of these
   * effects, and then answered by `termRemembered`. No promise binds longer before that.
   */
  | { readonly type: 'rememberTerm'; readonly termMs: number }
  | { readonly type: 'drop'; readonly group: GroupId; readonly address: WantedAddress }
  /** Tell the neighbours where the address is, unless `until` has passed by then. */
  | { readonly type: 'announce'; readonly address: WantedAddress; readonly until: Instant }
  | { readonly type: 'report'; readonly message: FromHeart };
