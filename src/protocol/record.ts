/**
 * The registry's one kind of record, and the messages of its votes (CASPaxos: Rystsov,
 * "CASPaxos: Replicated State Machines without logs", 2018).
 */
import type { Epoch, GroupId, NodeId, ResourceId, SeatId } from './ids.ts';

/** A member that votes, with the memory by which its votes count. */
export interface Voter {
  readonly node: NodeId;
  readonly seat: SeatId;
}

/** Voters of which a majority decides; sorted by node, never empty. */
export type Electorate = readonly Voter[];

/** Who owns a group, since when, and which copies have everything that was ever acknowledged. */
export interface OwnershipRecord {
  readonly epoch: Epoch;
  readonly owner: NodeId;
  /** Per mirror resource, the nodes whose copy may take over; sorted. Always has the owner. */
  readonly inSync: Readonly<Record<ResourceId, readonly NodeId[]>>;
  /** Whether the administrator wants the group to run. */
  readonly want: 'online' | 'offline';
  /** Whose votes count for this record. */
  readonly voters: Electorate;
  /** While the voters are being changed: those before. A majority of both is needed. */
  readonly formerVoters?: Electorate | undefined;
  /** An administrator moved the group to this owner: it stays, whatever its failback policy. */
  readonly byHand?: true | undefined;
  /** Nodes that an administrator put in standby: they keep copy and vote, and take nothing over. */
  readonly standby?: readonly NodeId[] | undefined;
  /** Nodes that an administrator keeps this group from. */
  readonly banned?: readonly NodeId[] | undefined;
  /** What an administrator wants to be left alone; sorted, one entry for each place. */
  readonly maintenance?: readonly Maintenance[] | undefined;
  /**
   * An administrator forced this line of records (from protocol version 2 on). All records that are
   * made of it say so; they come before every record of another line with a lower `at`.
   */
  readonly forced?: ForcedLine | undefined;
  /**
   * Per mirror, nodes whose copies may have changes that nobody else has, given up by force. They are
   * not overwritten until somebody has moved them aside; sorted.
   */
  readonly keptAside?: Readonly<Record<ResourceId, readonly NodeId[]>> | undefined;
}

/** While it lasts Tako watches and reports, and changes nothing by itself. */
export interface Maintenance {
  readonly scope: 'group' | 'node' | 'cluster';
  /** Of a node: which. */
  readonly node?: NodeId | undefined;
  /** Civil time in milliseconds since 1970, by the clock of the node that was asked. */
  readonly sinceMs: number;
  /** When the owner ends it, by its own clock; undefined: when somebody does. */
  readonly untilMs?: number | undefined;
  /** Who asked for it, for people. */
  readonly by: string;
  readonly reason?: string | undefined;
}

export interface ForcedLine {
  /** The epoch with which the line began: no two lines have the same. */
  readonly at: Epoch;
  /** What was known to be true when it was forced. */
  readonly owner: NodeId;
  readonly epoch: Epoch;
  /** Members that the administrator said are off. */
  readonly off: readonly NodeId[];
}

/**
 * Totally ordered, never used twice: first by `counter`, then by the name of the proposer, then by
 * its seat, for a proposer that lost its storage has forgotten which counters it used.
 */
export interface Ballot {
  readonly counter: number;
  readonly node: NodeId;
  readonly seat: SeatId;
}

export interface VotedRecord {
  readonly ballot: Ballot;
  readonly record: OwnershipRecord | undefined;
}

/** `id` pairs an answer with its question; a voter answers a repeated question alike. */
export type RegistryMessage =
  | {
      readonly type: 'prepare';
      readonly id: string;
      readonly group: GroupId;
      readonly ballot: Ballot;
    }
  | {
      readonly type: 'prepared';
      readonly id: string;
      readonly group: GroupId;
      readonly seat: SeatId;
      readonly ballot: Ballot;
      /** What the voter accepted last, undefined when it never accepted anything. */
      readonly accepted: VotedRecord | undefined;
    }
  | {
      readonly type: 'accept';
      readonly id: string;
      readonly group: GroupId;
      readonly ballot: Ballot;
      readonly record: OwnershipRecord;
      /** The owner in the record that this one replaces. */
      readonly previous: NodeId | undefined;
    }
  | {
      readonly type: 'accepted';
      readonly id: string;
      readonly group: GroupId;
      readonly seat: SeatId;
      readonly ballot: Ballot;
    }
  | {
      readonly type: 'refused';
      readonly id: string;
      readonly group: GroupId;
      /** `ballot`: the voter has seen a higher one. `promise`: it is bound to the owner. */
      readonly why: 'ballot' | 'promise' | 'starting';
      readonly highest: Ballot | undefined;
      /** For `promise` and `starting`: how long the voter stays bound. */
      readonly remainingMs: number;
    };
