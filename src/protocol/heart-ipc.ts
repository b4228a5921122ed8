/**
 * The heart's local socket (`RUNDIR/heart.sock`): one JSON object per line, both ways. Clients are
 * control (one at most) and the mirrors. All instants are CLOCK_MONOTONIC milliseconds, valid
 * across the processes of the machine.
 */
import type { Instant } from '../base/time.ts';
import type { Epoch, GroupId, LinkId, NodeId, ResourceId, SeatId } from './ids.ts';
import type { Electorate } from './record.ts';
import type { VersionRange } from './versions.ts';

export type PeerState = 'up' | 'suspect' | 'lost';

export interface LinkReport {
  readonly link: LinkId;
  readonly state: PeerState;
  /** Undefined when nothing was ever heard on it. */
  readonly lastHeardAt: Instant | undefined;
  readonly roundTripMs: number | undefined;
  /** False when the local network interface has no carrier. */
  readonly carrier: boolean;
}

export interface PeerReport {
  readonly node: NodeId;
  /** `suspect`: silent on every link for longer than a lease; `lost`: counted as lost. */
  readonly state: PeerState;
  readonly lastHeardAt: Instant | undefined;
  /** Why, in words: "silent on lan, mirror for 1.0 s", "... and carrier of mirror is gone". */
  readonly reason: string;
  readonly links: readonly LinkReport[];
  /** Links on which that peer says that it hears at least one other member. */
  readonly hearsOn: readonly LinkId[];
  /**
   * Since when it has said, in every heartbeat, that it hears nobody; told when that has lasted for
   * a lease.
   */
  readonly deafSince?: Instant | undefined;
  /** Groups that the peer claims to run. */
  readonly claims: readonly {
    readonly group: GroupId;
    readonly epoch: Epoch;
    /** Since when it has said that it has no lease; told when that has lasted for a lease. */
    readonly withoutSince?: Instant | undefined;
  }[];
  /** The versions of the cluster protocol that it speaks, as long as they are known. */
  readonly speaks?: VersionRange | undefined;
  /** It lives, but no version is common: why, and what to do. It counts as silent. */
  readonly incompatible?: string | undefined;
}

export interface WantedAddress {
  readonly resource: ResourceId;
  readonly address: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
  readonly link: LinkId;
}

export type ToHeart =
  | {
      readonly type: 'hello';
      readonly role: 'control' | 'mirror';
      readonly name: string;
      readonly pid: number;
      /** The versions of this protocol that the client speaks; undefined: the first one. */
      readonly speaks?: VersionRange | undefined;
    }
  /**
   * What this node's acceptor last accepted, for every group; the whole table each time, and an
   * accept that is being written counts as accepted. `after`: the `id` of the last allowed `revoke`
   * that is over and done with, accepted or not; it must be given then, because until the heart
   * sees it (or another owner in the table) it promises nobody anything for that group.
   * An allowed revoke is good only on the connection on which the answer came.
   */
  | {
      readonly type: 'records';
      /** The memory of that acceptor. */
      readonly seat: SeatId;
      readonly after?: number | undefined;
      readonly records: readonly {
        readonly group: GroupId;
        readonly owner: NodeId;
        readonly epoch: Epoch;
      }[];
    }
  /**
   * This node owns the group at this epoch: seek its lease, of a majority of each electorate. With
   * other electorates: these count from now on; a mark that was given before lives to its end.
   */
  | {
      readonly type: 'claim';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly electorates: readonly Electorate[];
    }
  /**
   * Seek it no longer; withdraw its addresses; its lease mark is void at once, but a mirror that
   * read it before may trust it to its end: stop the mirror first. The voters are told at once and
   * are then free. Before claiming the same epoch again, win a vote that says it is still so.
   */
  | { readonly type: 'release'; readonly group: GroupId }
  /**
   * May this voter vote for another owner than `owner`, the one in its last accepted record? If so
   * the heart promises nobody anything more for this group until `records` comes with this `id` in
   * `after`. `id` grows with every question of a connection.
   */
  | {
      readonly type: 'revoke';
      readonly id: number;
      readonly group: GroupId;
      readonly owner: NodeId;
    }
  | { readonly type: 'send'; readonly to: NodeId; readonly body: unknown }
  /**
   * The addresses of a group to hold while its lease lives; the whole list each time. Each of
   * `gone` is reported as `withdrawn`, also when this heart never held it.
   */
  | {
      readonly type: 'addresses';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly addresses: readonly WantedAddress[];
      readonly gone?: readonly ResourceId[] | undefined;
    };

/** Counted since the heart started. */
export interface HeartMeters {
  readonly links: readonly {
    readonly link: LinkId;
    readonly sent: number;
    readonly received: number;
    readonly sendErrors: number;
    /** The last error that the kernel gave for a datagram, with its time. */
    readonly lastError: string | undefined;
  }[];
  /** Not of this protocol, or of another version. */
  readonly malformed: number;
  /** From a name or an address that the configuration does not have. */
  readonly unknown: number;
  /** With another key, or changed on the way. */
  readonly forged: number;
  /** Authentic, but seen before, of an earlier boot, or meant for one. */
  readonly stale: number;
  /** Authentic, but of a release that no version is in common with. */
  readonly incompatible?: number | undefined;
  /** Not looked at, because too many of unknown boots came at once. */
  readonly refused: number;
  /** The longest time by which the heart woke up late within the last minute. */
  readonly latestWakeMs: number;
}

export type FromHeart =
  | {
      readonly type: 'welcome';
      readonly node: NodeId;
      readonly boot: string;
      readonly startedAt: Instant;
      readonly speaks?: VersionRange | undefined;
      /** What it claims at the moment: a control that was restarted takes up from there. */
      readonly claims?: readonly {
        readonly group: GroupId;
        readonly epoch: Epoch;
        readonly held: boolean;
      }[];
      /** The addresses that it holds at the moment; all others it does not. */
      readonly addresses?: readonly {
        readonly group: GroupId;
        readonly resource: ResourceId;
      }[];
    }
  /** All peers; sent at once after `hello`, on every change of state, and once a second. */
  | { readonly type: 'peers'; readonly peers: readonly PeerReport[] }
  /** The lease of a claimed group was gained or lost. */
  | {
      readonly type: 'lease';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly held: boolean;
      readonly reason: string;
    }
  /** Who upholds the claim at present, voter or not; on every change. */
  | {
      readonly type: 'support';
      readonly group: GroupId;
      readonly epoch: Epoch;
      readonly by: Electorate;
    }
  | {
      readonly type: 'revoked';
      readonly id: number;
      readonly ok: boolean;
      readonly remainingMs: number;
      readonly why: 'promise' | 'starting' | undefined;
    }
  | { readonly type: 'message'; readonly from: NodeId; readonly body: unknown }
  /** A voter's record is older than the claim, or of another owner at its epoch: it does not uphold it. */
  | { readonly type: 'behind'; readonly node: NodeId; readonly group: GroupId }
  /** A voter's record has a newer epoch than this node claims: the record moved on. */
  | {
      readonly type: 'ahead';
      readonly node: NodeId;
      readonly group: GroupId;
      readonly epoch: Epoch;
    }
  /** To control, once a second. */
  | { readonly type: 'meters'; readonly meters: HeartMeters }
  | {
      readonly type: 'address';
      readonly group: GroupId;
      readonly resource: ResourceId;
      readonly state: 'held' | 'withdrawn' | 'failed';
      readonly detail: string;
    };
